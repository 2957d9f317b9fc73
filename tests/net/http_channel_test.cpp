// Answers and upgrades that are carried without waiting.
#include "net/http_channel.h"

#include <poll.h>

#include "net_fixture.h"

namespace vkb::test {
namespace {

using net::IoState;

class HttpChannelTest : public NetTest {
 protected:
  std::unique_ptr<net::HttpChannel> open(const TlsTestServer& server, net::HttpRequest request) {
    client_ = clientFor(endpointOf(server));
    auto channel = client_->openChannel(request);
    if (!channel) {
      ADD_FAILURE() << channel.error().message;
      return nullptr;
    }
    return std::move(*channel);
  }
  static net::HttpRequest upgrade() {
    net::HttpRequest request{.method = "POST", .target = "/exec", .timeout = seconds(20)};
    request.upgrade = true;
    request.headers = {{"Upgrade", "SPDY/3.1"}};
    return request;
  }

  static void await(const net::HttpChannel& channel, short events) {
    pollfd entry{channel.fd(), events, 0};
    EXPECT_EQ(poll(&entry, 1, 20'000), 1);
  }
  /// All that comes, and how it ended.
  static std::pair<std::string, IoState> readToEnd(net::HttpChannel& channel) {
    std::string all;
    char buffer[1000];
    while (true) {
      const net::IoResult result = channel.tryRead(buffer, sizeof buffer);
      if (result.ok()) {
        all.append(buffer, result.bytes);
      } else if (result.state == IoState::kWantRead) {
        await(channel, POLLIN);
      } else {
        return {all, result.state};
      }
    }
  }

  std::unique_ptr<net::HttpClient> client_;
};

constexpr const char* kSwitching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n";

TEST_F(HttpChannelTest, AsksForTheUpgradeAndNeverToClose) {
  ReceivedRequest seen;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    seen = *connection.readRequest();
    connection.write(kSwitching);
    connection.waitForEnd();
  });
  const auto channel = open(server, upgrade());
  EXPECT_EQ(channel->head().code, 101);
  EXPECT_EQ(channel->head().header("Upgrade"), "SPDY/3.1");
  EXPECT_TRUE(seen.has("Connection: Upgrade\r\n")) << seen.head;
  EXPECT_TRUE(seen.has("Upgrade: SPDY/3.1\r\n")) << seen.head;
  EXPECT_FALSE(seen.has("close")) << seen.head;
}

TEST_F(HttpChannelTest, BytesThatCameWithTheHeadOfAnUpgradeAreNotLost) {
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.write(std::string(kSwitching) + "early ");
    connection.write("late");
    connection.closeInOrder();
  });
  const auto channel = open(server, upgrade());
  const auto [text, end] = readToEnd(*channel);
  EXPECT_EQ(text, "early late");
  EXPECT_EQ(end, IoState::kEof);
}

TEST_F(HttpChannelTest, EachDirectionEndsByItself) {
  std::string got;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.write(kSwitching);
    connection.waitForEnd();  // the client's direction has ended …
    connection.write("still said");
    connection.closeInOrder();
  });
  const auto channel = open(server, upgrade());
  channel->shutdownWrite();
  const auto [text, end] = readToEnd(*channel);
  EXPECT_EQ(text, "still said");
  EXPECT_EQ(end, IoState::kEof);
}

TEST_F(HttpChannelTest, AnUpgradedConnectionThatIsCutOffIsToldFromOneThatEnded) {
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.write(std::string(kSwitching) + "x");
    connection.cutOff();
  });
  const auto [text, end] = readToEnd(*open(server, upgrade()));
  EXPECT_EQ(text, "x");
  EXPECT_EQ(end, IoState::kTruncated);
}

TEST_F(HttpChannelTest, ABodyComesWithoutItsChunks) {
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.chunk("one ");
    connection.chunk(std::string(40'000, 'x'));
    connection.endChunked();
    connection.waitForEnd();
  });
  const auto [text, end] = readToEnd(*open(server, get("/log")));
  EXPECT_EQ(text, "one " + std::string(40'000, 'x'));
  EXPECT_EQ(end, IoState::kEof);
}

TEST_F(HttpChannelTest, ABodyThatIsCutOffIsNotTakenForAWholeOne) {
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.chunk("half");
    connection.closeInOrder();
  });
  const auto [text, end] = readToEnd(*open(server, get("/log")));
  EXPECT_EQ(text, "half");
  EXPECT_EQ(end, IoState::kTruncated);
}

TEST_F(HttpChannelTest, ARefusalIsReadWhole) {
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.answer(404, "pods \"ghost\" not found");
    connection.waitForEnd();
  });
  const auto channel = open(server, upgrade());
  EXPECT_EQ(channel->head().code, 404);
  EXPECT_EQ(channel->readAll(seconds(20), 1000).value(), "pods \"ghost\" not found");
}

TEST_F(HttpChannelTest, ARefusalLongerThanAllowedIsAnError) {
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.answer(500, std::string(2000, 'x'));
    connection.waitForEnd();
  });
  const auto channel = open(server, upgrade());
  EXPECT_EQ(channel->readAll(seconds(20), 1000).error().reason, net::kReasonBodyTooLarge);
}

TEST_F(HttpChannelTest, TheCallersStopEndsAChannelThatIsOpen) {
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.write(kSwitching);
    connection.waitForEnd();
  });
  std::stop_source stop;
  net::HttpRequest request = upgrade();
  request.stop = stop.get_token();
  const auto channel = open(server, request);
  stop.request_stop();
  EXPECT_EQ(readToEnd(*channel).second, IoState::kAborted);
}

}  // namespace
}  // namespace vkb::test
