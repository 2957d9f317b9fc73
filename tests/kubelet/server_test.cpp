// The kubelet API over real sockets: who is let in, what is answered, what is spliced.
#include <ifaddrs.h>
#include <netdb.h>

#include <thread>

#include "server_fixture.h"

namespace vkb::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;

class KubeletServerTest : public ServerTest {};

/// An address of this machine that is not loopback; "" where it has none.
std::string outerAddress() {
  ifaddrs* all = nullptr;
  getifaddrs(&all);
  std::string found;
  for (ifaddrs* at = all; at != nullptr && found.empty(); at = at->ifa_next) {
    if (at->ifa_addr == nullptr || at->ifa_addr->sa_family != AF_INET) continue;
    char text[NI_MAXHOST];
    getnameinfo(at->ifa_addr, sizeof(sockaddr_in), text, sizeof text, nullptr, 0, NI_NUMERICHOST);
    if (!std::string_view(text).starts_with("127.")) found = text;
  }
  freeifaddrs(all);
  return found;
}

TEST_F(KubeletServerTest, LetsInWhoHomeAllows) {
  start();
  EXPECT_EQ(ask("/healthz").code, 200);
  EXPECT_EQ(ask("/healthz").body, "ok");
  ASSERT_FALSE(home_.reviews.empty());
  EXPECT_EQ(json::str(home_.reviews[0], {"resourceAttributes", "name"}), "gpu-eu");
  EXPECT_EQ(home_.reviews[0]["groups"], (Json{"system:masters", "system:authenticated"}));
}

TEST_F(KubeletServerTest, LetsInATokenWithoutAnyClientCertificate) {
  start();
  const auto answer = ask("/healthz", endpoint({}), {{"Authorization", "Bearer good-token"}});
  EXPECT_EQ(answer.code, 200) << answer.body;
}

TEST_F(KubeletServerTest, WhoIsNotKnownIsUnauthorized) {
  start();
  const TestCa other("other CA"), same_name("home CA");
  EXPECT_EQ(ask("/healthz", endpoint({})).code, 401) << "no certificate";
  EXPECT_EQ(ask("/healthz", endpoint(other.issue({.common_name = "admin"}))).code, 401);
  EXPECT_EQ(ask("/healthz", endpoint(same_name.issue({.common_name = "admin"}))).code, 401);
  EXPECT_EQ(ask("/healthz", endpoint(clientCa().issue({.common_name = "admin",
                                                       .valid_from = std::chrono::hours(-9),
                                                       .valid_to = std::chrono::hours(-1)})))
                .code,
            401)
      << "expired";
  EXPECT_EQ(ask("/healthz", endpoint({}), {{"Authorization", "Bearer forged"}}).code, 401);
  EXPECT_EQ(ask("/healthz", endpoint({}), {{"Authorization", "Basic YWRtaW46"}}).code, 401);
  EXPECT_TRUE(home_.reviews.empty()) << "home is not asked about nobody";
}

TEST_F(KubeletServerTest, AValidUserWithoutTheRightIsForbidden) {
  start();
  const auto answer = ask("/pods", endpoint(clientCa().issue({.common_name = "eve"})));
  EXPECT_EQ(answer.code, 403);
  EXPECT_EQ(answer.body, "Forbidden (user=eve, verb=get, resource=nodes, subresource=proxy)");
}

TEST_F(KubeletServerTest, NobodyIsAnonymousUnlessTheOperatorSaysSo) {
  start({}, /*anonymous=*/true);
  EXPECT_EQ(ask("/healthz", endpoint({})).code, 403) << "home decides";
  home_.allowed.insert("system:anonymous");
  EXPECT_EQ(ask("/metrics/resource", endpoint({})).code, 200);
  EXPECT_EQ(ask("/healthz", endpoint({}), {{"Authorization", "Bearer forged"}}).code, 401);
}

TEST_F(KubeletServerTest, AClientCertificateCountsFromAnAddressThatIsNotLoopback) {
  const std::string address = outerAddress();
  ASSERT_NE(address, "") << "this machine has no address but loopback";
  start({}, false, address);
  EXPECT_EQ(ask("/healthz", endpoint(adminCert(), address)).code, 200);
  EXPECT_EQ(ask("/healthz", endpoint({}, address)).code, 401);
}

TEST_F(KubeletServerTest, ListsTheNodesPods) {
  pods_.push_back(
      json::makeObject(Json{{"metadata", {{"name", "a"}, {"namespace", "ns"}, {"uid", "u"}}},
                            {"status",
                             {{"phase", "Running"},
                              {"containerStatuses",
                               {{{"name", "main"},
                                 {"image", "busybox"},
                                 {"state", {{"running", {{"startedAt", "x"}}}}}}}}}}}));
  pods_.push_back(
      json::makeObject(Json{{"metadata", {{"name", "b"}, {"namespace", "ns"}, {"uid", "v"}}},
                            {"status", {{"phase", "Pending"}}}}));
  start();
  const auto all = json::parse(ask("/pods").body);
  ASSERT_TRUE(all);
  EXPECT_EQ(json::str(*all, "kind"), "PodList");
  EXPECT_EQ(json::array(*all, {"items"}).size(), 2U);
  const auto running = json::parse(ask("/runningpods/").body);
  ASSERT_TRUE(running);
  ASSERT_EQ(json::array(*running, {"items"}).size(), 1U);
  EXPECT_EQ(json::str((*running)["items"][0], {"metadata", "uid"}), "u");
}

TEST_F(KubeletServerTest, StreamsALogToItsEnd) {
  start();
  const auto channel = open("/containerLogs/ns/pod/main?follow=true&tailLines=0", false);
  ASSERT_EQ(channel->head().code, 200);
  EXPECT_EQ(channel->head().header("Transfer-Encoding"), "chunked");
  EXPECT_EQ(abilities_.asked_logs[0].first.pod, "pod");
  EXPECT_EQ(abilities_.asked_logs[0].second.tail_lines, 0);
  const int far = abilities_.farEnd();
  ASSERT_EQ(::send(far, "line 1\n", 7, 0), 7);
  EXPECT_EQ(readSome(*channel, 7), "line 1\n") << "each line comes when it is there";
  ASSERT_EQ(::send(far, "line 2\n", 7, 0), 7);
  ::shutdown(far, SHUT_RDWR);
  EXPECT_EQ(readSome(*channel, 100), "line 2\n<end>");
  awaitSessions(0);
}

TEST_F(KubeletServerTest, AFollowerThatGoesAwayEndsTheLogUpstream) {
  start();
  auto channel = open("/containerLogs/ns/pod/main?follow=true", false);
  awaitSessions(1);
  channel.reset();
  EXPECT_EQ(readFd(abilities_.farEnd(), 1), "<end>");
  awaitSessions(0);
}

TEST_F(KubeletServerTest, SplicesAnExecByteForByteBothWays) {
  start();
  const auto channel = open("/exec/ns/pod/main?command=cat&input=1&output=1", true);
  ASSERT_EQ(channel->head().code, 101);
  EXPECT_EQ(channel->head().header("Upgrade"), "SPDY/3.1");
  EXPECT_EQ(channel->head().header("X-Stream-Protocol-Version"), "v4.channel.k8s.io");
  EXPECT_EQ(channel->head().header("Set-Cookie"), "") << "the target's own affairs stay there";
  const StreamRequest& request = abilities_.asked_streams[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_THAT(request.command, ElementsAre("cat"));
  EXPECT_THAT(request.headers, ElementsAre(Pair("Upgrade", "SPDY/3.1"),
                                           Pair("X-Stream-Protocol-Version", "v4.channel.k8s.io")));
  const int far = abilities_.farEnd();
  writeAll(*channel, "to the container");
  EXPECT_EQ(readFd(far, 16), "to the container");
  ASSERT_EQ(::send(far, "back", 4, 0), 4);
  EXPECT_EQ(readSome(*channel, 4), "back");
  channel->shutdownWrite();
  EXPECT_EQ(readFd(far, 1), "<end>") << "half-closed …";
  ASSERT_EQ(::send(far, "rest", 4, 0), 4);
  EXPECT_EQ(readSome(*channel, 4), "rest") << "… and the other way goes on";
  ::shutdown(far, SHUT_WR);
  EXPECT_EQ(readSome(*channel, 1), "<end>");
  awaitSessions(0);
}

TEST_F(KubeletServerTest, FloodsBothWaysAtOnceWithoutADeadlock) {
  start();
  const auto channel = open("/exec/ns/pod/main?command=cat&input=1&output=1", true);
  const int far = abilities_.farEnd();
  constexpr std::size_t kBytes = 24u << 20;
  // The container writes all it has before it reads anything.
  std::size_t received = 0;
  std::thread container([&] {
    const std::string piece(64u << 10, 'd');
    for (std::size_t sent = 0; sent < kBytes; sent += piece.size()) {
      ASSERT_EQ(::send(far, piece.data(), piece.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(piece.size()));
    }
    received = readFd(far, kBytes).size();
  });
  // The client writes until nothing goes, then reads, and so on, as kubectl's two threads do.
  const std::string piece(64u << 10, 'u');
  std::size_t sent = 0, got = 0;
  std::string buffer(64u << 10, ' ');
  while (sent < kBytes || got < kBytes) {
    pollfd entry{channel->fd(), POLLIN, 0};
    const std::size_t left = std::min(piece.size(), kBytes - sent);
    const net::IoResult wrote =
        left > 0 ? channel->tryWrite(piece.data(), left) : net::IoResult{net::IoState::kWantRead};
    if (wrote.ok()) sent += wrote.bytes;
    if (wrote.state == net::IoState::kWantWrite) entry.events |= POLLOUT;
    const net::IoResult read = channel->tryRead(buffer.data(), buffer.size());
    if (read.ok()) got += read.bytes;
    if (wrote.ok() || read.ok()) continue;
    ASSERT_EQ(poll(&entry, 1, 20'000), 1) << sent << " " << got;
  }
  container.join();
  EXPECT_EQ(received, kBytes);
}

TEST_F(KubeletServerTest, AStuckSessionDelaysNobodyAndNotTheEnd) {
  start();
  const auto stuck = open("/exec/ns/pod/main?command=x&output=1", true);
  const int far = abilities_.farEnd();
  // The client reads nothing: fill everything on the way to it.
  const std::string piece(64u << 10, 'x');
  while (true) {
    pollfd entry{far, POLLOUT, 0};
    if (poll(&entry, 1, 300) != 1) break;
    if (::send(far, piece.data(), piece.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) break;
  }
  EXPECT_EQ(ask("/healthz").code, 200);
  const auto other = open("/exec/ns/pod/main?command=y&output=1", true);
  ASSERT_EQ(::send(abilities_.farEnd(), "y", 1, 0), 1);
  EXPECT_EQ(readSome(*other, 1), "y");
  const auto begun = std::chrono::steady_clock::now();
  server_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(5));
}

TEST_F(KubeletServerTest, ARefusalOfTheBackendComesThroughWithItsBody) {
  abilities_.not_upgraded = {{404, R"({"kind":"Status","message":"pods \"ghost\" not found"})"}};
  start();
  const auto channel = open("/exec/ns/ghost/main?command=x&output=1", true);
  EXPECT_EQ(channel->head().code, 404);
  EXPECT_EQ(channel->readAll(seconds(20), 1000).value(),
            R"({"kind":"Status","message":"pods \"ghost\" not found"})");
}

TEST_F(KubeletServerTest, AFailureOfTheProviderIsItsCodeAndItsWords) {
  start();
  abilities_.refuse =
      Status{.code = 400, .reason = "", .message = "container \"main\" is waiting to start"};
  auto answer = ask("/containerLogs/ns/pod/main");
  EXPECT_EQ(answer.code, 400);
  EXPECT_EQ(answer.body, "container \"main\" is waiting to start");
  abilities_.refuse = Status{.code = 0, .reason = "", .message = "cannot connect to 10.0.0.1:6443"};
  answer = ask("/containerLogs/ns/pod/main");
  EXPECT_EQ(answer.code, 500);
  EXPECT_EQ(answer.body, "cannot connect to 10.0.0.1:6443");
}

TEST_F(KubeletServerTest, ACommandOf64KiBArrivesWhole) {
  start();
  std::string escaped, command;
  for (int i = 0; i < 64 * 1024; ++i) {
    command += static_cast<char>(i % 2 == 0 ? '\n' : 'x');
    escaped += i % 2 == 0 ? "%0A" : "x";
  }
  const auto channel = open("/exec/ns/pod/main?output=1&command=" + escaped, true);
  EXPECT_EQ(channel->head().code, 101);
  EXPECT_EQ(abilities_.asked_streams[0].command[0], command);
}

TEST_F(KubeletServerTest, TheEndOfTheServerCallsOffWhatIsStillBeingDialled) {
  Gate begun, called_off;
  abilities_.before_answer = [&](const std::stop_token& stop) {
    const std::stop_callback told(stop, [&] { called_off.open(); });
    begun.open();
    called_off.wait();
  };
  start();
  std::thread client([&] { ask("/containerLogs/ns/pod/main"); });
  ASSERT_TRUE(begun.wait());
  server_->stop();  // waits for the call, which has to end
  EXPECT_TRUE(called_off.wait());
  client.join();
}

TEST_F(KubeletServerTest, MoreSessionsThanAllowedAreTurnedAway) {
  start({.max_sessions = 2});
  const auto first = open("/exec/ns/pod/main?command=x&output=1", true);
  const auto second = open("/containerLogs/ns/pod/main?follow=true", false);
  const auto third = open("/exec/ns/pod/main?command=x&output=1", true);
  EXPECT_EQ(third->head().code, 503);
  EXPECT_EQ(ask("/healthz").code, 200);
}

}  // namespace
}  // namespace vkb::test
