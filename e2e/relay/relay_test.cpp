#include "relay/relay.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>

#include "support/process.h"

namespace vkb::e2e {
namespace {

using Direction = Relay::Direction;
using Moment = Relay::Moment;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// A blocking socket that gives up after 20 s.
class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {
    const timeval patience{20, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  static Peer connectTo(std::uint16_t port) {
    Peer peer(::socket(AF_INET, SOCK_STREAM, 0));
    const sockaddr_in address = loopback(port);
    peer.connected_ =
        ::connect(peer.fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    peer.error_ = errno;
    return peer;
  }
  bool isConnected() const { return connected_; }
  int error() const { return error_; }
  void send(const std::string& bytes) const {
    ASSERT_EQ(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  /// Exactly that many bytes, or fewer when the stream ended.
  std::string receive(std::size_t count) const {
    std::string bytes(count, '\0');
    const ssize_t n = ::recv(fd_.get(), bytes.data(), count, MSG_WAITALL);
    bytes.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return bytes;
  }
  bool hasEnded() const {
    char byte = 0;
    const ssize_t n = ::recv(fd_.get(), &byte, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
  }
  bool hasNothing() const {
    char byte = 0;
    return ::recv(fd_.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
  }
  void endSending() const { ::shutdown(fd_.get(), SHUT_WR); }

 private:
  Fd fd_;
  bool connected_ = true;
  int error_ = 0;
};

class Server {
 public:
  Server() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    ::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length);
    ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    ::listen(socket_.get(), 16);
    port = ntohs(address.sin_port);
  }
  Peer accept() const { return Peer(::accept(socket_.get(), nullptr, nullptr)); }
  std::uint16_t port = 0;

 private:
  Fd socket_;
};

std::string record(int type, const std::string& payload) {
  std::string bytes{static_cast<char>(type), 3, 3, static_cast<char>(payload.size() >> 8U),
                    static_cast<char>(payload.size() & 0xFFU)};
  return bytes + payload;
}

class RelayTest : public testing::Test {
 protected:
  Peer connect() { return Peer::connectTo(relay_.port()); }
  /// The relay has handled all that was sent before, if it handles it at all.
  void settle() {
    for (int i = 0; i < 3; ++i) relay_.requests();
  }
  Server server_;
  Relay relay_{"127.0.0.1", server_.port};
};

TEST_F(RelayTest, BytesPassBothWays) {
  const Peer client = connect();
  const Peer server = server_.accept();
  client.send("hello");
  EXPECT_EQ(server.receive(5), "hello");
  server.send("world");
  EXPECT_EQ(client.receive(5), "world");
  EXPECT_EQ(relay_.connections(), 1U);
}

TEST_F(RelayTest, TheEndOfOneDirectionPassesAndTheOtherStaysOpen) {
  const Peer client = connect();
  const Peer server = server_.accept();
  client.send("question");
  client.endSending();
  EXPECT_EQ(server.receive(9), "question");
  server.send("answer");
  server.endSending();
  EXPECT_EQ(client.receive(7), "answer");
  EXPECT_TRUE(client.hasEnded());
}

TEST_F(RelayTest, ManyMegabytesPassUnchangedAgainstBackPressure) {
  const Peer client = connect();
  const Peer server = server_.accept();
  std::string sent;
  for (std::size_t i = 0; i < (12U << 20U); ++i) sent += static_cast<char>('a' + i % 23);
  std::thread sender([&] { client.send(sent); });
  const std::string received = server.receive(sent.size());
  sender.join();
  EXPECT_TRUE(received == sent);
}

TEST_F(RelayTest, RequestsAreTheApplicationDataRecordsFromTheClientAlone) {
  const Peer client = connect();
  const Peer server = server_.accept();
  const std::string hello = record(22, std::string(300, 'h')), request = record(23, "GET");
  client.send(hello + request.substr(0, 3));  // a record may come in pieces
  EXPECT_EQ(server.receive(hello.size()), hello);
  client.send(request.substr(3) + request);
  EXPECT_EQ(server.receive(2 * request.size()), request + request);
  server.send(record(23, "answer"));
  EXPECT_EQ(client.receive(11), record(23, "answer"));
  EXPECT_EQ(relay_.requests(), 2U);
}

TEST_F(RelayTest, BytesThatAreNotTlsCountNothing) {
  const Peer client = connect();
  const Peer server = server_.accept();
  client.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(server.receive(18), "GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(relay_.requests(), 0U);
}

TEST_F(RelayTest, TheNthRequestIsLostAndEveryConnectionCut) {
  const Peer bystander = connect();
  const Peer bystander_server = server_.accept();
  const Peer client = connect();
  const Peer server = server_.accept();
  std::atomic<int> ran = 0;
  relay_.atRequest(2, Moment::kRequestLost, [&] { ++ran; });
  const std::string request = record(23, "POST");
  client.send(request);
  EXPECT_EQ(server.receive(request.size()), request);
  EXPECT_EQ(ran, 0);
  client.send(request);
  ASSERT_TRUE(relay_.waitFired(seconds(20)));
  EXPECT_EQ(ran, 1);
  EXPECT_TRUE(server.hasEnded());
  EXPECT_TRUE(client.hasEnded());
  EXPECT_TRUE(bystander.hasEnded());
  EXPECT_TRUE(bystander_server.hasEnded());
}

TEST_F(RelayTest, TheAnswerOfTheNthRequestIsLostAfterTheRequestTookEffect) {
  const Peer client = connect();
  const Peer server = server_.accept();
  std::atomic<int> ran = 0;
  relay_.atRequest(1, Moment::kAnswerLost, [&] { ++ran; });
  const std::string request = record(23, "POST");
  client.send(request);
  EXPECT_EQ(server.receive(request.size()), request);
  settle();
  EXPECT_EQ(ran, 0);
  server.send(record(23, "201 Created"));
  ASSERT_TRUE(relay_.waitFired(seconds(20)));
  EXPECT_EQ(ran, 1);
  EXPECT_TRUE(client.hasEnded());
}

TEST_F(RelayTest, ATriggerGoesOffOnceAndLaterConnectionsWork) {
  relay_.atRequest(1, Moment::kRequestLost, [] {});
  const Peer first = connect();
  first.send(record(23, "x"));
  ASSERT_TRUE(relay_.waitFired(seconds(20)));
  const Peer lost = server_.accept();
  const Peer client = connect();
  const Peer server = server_.accept();
  client.send(record(23, "y"));
  EXPECT_EQ(server.receive(6), record(23, "y"));
}

TEST_F(RelayTest, CutConnectionsEndOnBothSides) {
  const Peer client = connect();
  const Peer server = server_.accept();
  relay_.cutAll();
  EXPECT_TRUE(client.hasEnded());
  EXPECT_TRUE(server.hasEnded());
}

TEST_F(RelayTest, ConnectionsAreRefusedUntilTheyAreNot) {
  const Peer open = connect();
  const Peer open_server = server_.accept();
  relay_.refuse(true);
  const Peer refused = connect();
  EXPECT_FALSE(refused.isConnected());
  EXPECT_EQ(refused.error(), ECONNREFUSED);
  open.send("still");
  EXPECT_EQ(open_server.receive(5), "still");
  relay_.refuse(false);
  const Peer client = connect();
  ASSERT_TRUE(client.isConnected());
  const Peer server = server_.accept();
  client.send("again");
  EXPECT_EQ(server.receive(5), "again");
}

TEST_F(RelayTest, WhileStalledNothingPassesAndAfterwardsAllOfIt) {
  const Peer client = connect();
  const Peer server = server_.accept();
  relay_.stall(true);
  client.send("up");
  server.send("down");
  settle();
  EXPECT_TRUE(server.hasNothing());
  EXPECT_TRUE(client.hasNothing());
  relay_.stall(false);
  EXPECT_EQ(server.receive(2), "up");
  EXPECT_EQ(client.receive(4), "down");
}

TEST_F(RelayTest, ADelayHoldsBackItsOwnDirectionOnly) {
  const Peer client = connect();
  const Peer server = server_.accept();
  relay_.delay(Direction::kToClient, std::chrono::hours(1));
  server.send("late");
  client.send("soon");
  EXPECT_EQ(server.receive(4), "soon");
  settle();
  EXPECT_TRUE(client.hasNothing());
}

TEST_F(RelayTest, DelayedBytesArriveWhenTheyAreDueAndInOrder) {
  const Peer client = connect();
  const Peer server = server_.accept();
  const auto start = Clock::now();
  relay_.delay(Direction::kToServer, milliseconds(60));
  client.send("first ");
  settle();
  relay_.delay(Direction::kToServer, milliseconds(0));
  client.send("second");
  EXPECT_EQ(server.receive(12), "first second");
  EXPECT_GE(Clock::now() - start, milliseconds(60));
}

TEST(ProcessTest, ACommandsOutputsAndExitCodeAreKept) {
  const Outcome outcome =
      runCommand({"sh", "-c", "cat; echo bad >&2; exit 7"}, "given", in(seconds(20)));
  EXPECT_EQ(outcome.exit, (Exit{7, 0}));
  EXPECT_EQ(outcome.out, "given");
  EXPECT_EQ(outcome.err, "bad\n");
}

TEST(ProcessTest, ACommandIsKilledAtItsDeadline) {
  const Outcome outcome = runCommand({"sleep", "1000"}, "", in(milliseconds(20)));
  EXPECT_TRUE(outcome.timed_out);
  EXPECT_FALSE(outcome.ok());
}

TEST(ProcessTest, AProgramThatDoesNotExistIsAnErrorThatNamesIt) {
  try {
    runCommand({"/no/such/program"}, "", in(seconds(20)));
    FAIL() << "it should not run";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "cannot run /no/such/program: No such file or directory");
  }
}

TEST(ProcessTest, AChildIsKilledAndReapedWithItsOwner) {
  pid_t pid = 0;
  {
    const Child child({"sleep", "1000"}, {});
    pid = child.pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  EXPECT_EQ(errno, ESRCH);
}

}  // namespace
}  // namespace vkb::e2e
