// Heads of requests: strict, so that nobody else reads them in another way.
#include "kubelet/http_request_head.h"

#include <gmock/gmock.h>

namespace vkb::kubelet {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

constexpr const char* kHost = "Host: node:10450\r\n";

/// Code of the refusal; 0: accepted; -1: more is awaited.
int verdict(const std::string& bytes) {
  const auto parsed = parseRequestHead(bytes);
  if (!parsed) return parsed.error().code;
  return *parsed ? 0 : -1;
}
int verdictOn(const std::string& fields, const std::string& line = "GET /pods HTTP/1.1") {
  return verdict(line + "\r\n" + kHost + fields + "\r\n");
}

TEST(RequestHeadTest, TakesAProperHeadApart) {
  const std::string bytes =
      "POST /exec/a/b/c?command=ls&output=1 HTTP/1.1\r\nHost: x\r\nUpgrade: SPDY/3.1\r\n"
      "Connection: keep-alive, upgrade\r\nX-Empty:\r\nX-Blank: \t a b \t\r\nContent-Length: "
      "0\r\n\r\n";
  const auto parsed = parseRequestHead(bytes + "early bytes");
  ASSERT_TRUE(parsed && *parsed);
  const RequestHead& head = **parsed;
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.target, "/exec/a/b/c?command=ls&output=1");
  EXPECT_EQ(head.size, bytes.size());
  EXPECT_EQ(head.header("x-BLANK"), "a b");
  EXPECT_EQ(head.header("X-Empty"), "");
  EXPECT_EQ(head.header("absent"), "");
  EXPECT_TRUE(head.asksForUpgrade());
}

TEST(RequestHeadTest, EveryPrefixOfAProperHeadAwaitsMore) {
  const std::string bytes = "GET /healthz HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n";
  for (std::size_t n = 0; n < bytes.size(); ++n) EXPECT_EQ(verdict(bytes.substr(0, n)), -1) << n;
  EXPECT_EQ(verdict(bytes), 0);
}

TEST(RequestHeadTest, RefusesWhatTwoServersCouldEndAtDifferentPlaces) {
  EXPECT_EQ(verdictOn("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"), 400);
  EXPECT_EQ(verdictOn("Transfer-Encoding: chunked\r\n"), 400);
  EXPECT_EQ(verdictOn("Transfer-Encoding: identity\r\n"), 400);
  EXPECT_EQ(verdictOn("Content-Length: 0\r\nContent-Length: 0\r\n"), 400);
  EXPECT_EQ(verdictOn("Content-Length: 0\r\nContent-Length: 5\r\n"), 400);
  EXPECT_EQ(verdictOn("Content-Length: 5\r\n"), 400);
  EXPECT_EQ(verdictOn("Content-Length: +0\r\n"), 400);
  EXPECT_EQ(verdictOn("Content-Length: 0, 0\r\n"), 400);
  EXPECT_EQ(verdictOn("Expect: 100-continue\r\n"), 417);
}

TEST(RequestHeadTest, RefusesLinesThatTwoServersCouldSplitInDifferentWays) {
  EXPECT_EQ(verdict("GET /pods HTTP/1.1\nHost: x\n\n"), 400) << "line feeds alone";
  EXPECT_EQ(verdict("GET /pods HTTP/1.1\r\nHost: x\nA: b\r\n\r\n"), 400);
  EXPECT_EQ(verdictOn("A: b\rc\r\n"), 400) << "a carriage return in a line";
  EXPECT_EQ(verdictOn("A: b\r\n continued\r\n"), 400) << "obs-fold";
  EXPECT_EQ(verdictOn("A: b\r\n\tcontinued: x\r\n"), 400) << "obs-fold";
  EXPECT_EQ(verdictOn("Name : value\r\n"), 400) << "a blank before the colon";
  EXPECT_EQ(verdictOn(": value\r\n"), 400);
  EXPECT_EQ(verdictOn("no colon\r\n"), 400);
  EXPECT_EQ(verdictOn(std::string("A: b\0c\r\n", 8)), 400);
  EXPECT_EQ(verdictOn("A: \x01\r\n"), 400);
  EXPECT_EQ(verdict("\r\nGET /pods HTTP/1.1\r\nHost: x\r\n\r\n"), 400) << "an empty line first";
}

TEST(RequestHeadTest, RefusesRequestLinesThatAreNone) {
  for (const char* line : {"GET  /pods HTTP/1.1", "GET /po ds HTTP/1.1", "GET pods HTTP/1.1",
                           "GET http://other/pods HTTP/1.1", "GET /pods", "GET /pods#x HTTP/1.1",
                           "G@T /pods HTTP/1.1", "GET /p\x7f HTTP/1.1", "GET /pods http/1.1",
                           "GET /pods HTTP/1.1 ", " GET /pods HTTP/1.1", "GET /\\pods HTTP/1.1"}) {
    EXPECT_EQ(verdictOn("", line), 400) << line;
  }
  EXPECT_EQ(verdictOn("", "GET /pods HTTP/1.0"), 505);
  EXPECT_EQ(verdictOn("", "GET /pods HTTP/2.0"), 505);
}

TEST(RequestHeadTest, WantsExactlyOneHostAndAtMostOneAuthorization) {
  EXPECT_EQ(verdict("GET /pods HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(verdictOn(kHost), 400);
  EXPECT_EQ(verdictOn("Authorization: Bearer a\r\n"), 0);
  EXPECT_EQ(verdictOn("Authorization: Bearer a\r\nauthorization: Bearer b\r\n"), 400);
}

TEST(RequestHeadTest, OtherProtocolsAreToldAtTheirFirstByte) {
  EXPECT_EQ(verdict("\x16\x03\x01"), 400);
  EXPECT_EQ(verdict(std::string("\0\0", 2)), 400);
  EXPECT_EQ(verdict("PRI * HTTP/2.0\r\n"), 400);
}

TEST(RequestHeadTest, ACommandOf64KiBFitsEvenWhenEveryByteIsEscaped) {
  std::string command;
  for (int i = 0; i < 64 * 1024; ++i) command += "%0A";
  EXPECT_EQ(verdictOn("", "POST /exec/a/b/c?command=" + command + " HTTP/1.1"), 0);
}

TEST(RequestHeadTest, RefusesHeadsThatAreTooLargeAsSoonAsTheyAre) {
  EXPECT_EQ(verdict("GET /" + std::string(kMaxRequestHeadBytes, 'x')), 431);
  EXPECT_EQ(verdictOn("A: " + std::string(kMaxRequestHeadBytes, 'x') + "\r\n"), 431);
  std::string many;
  for (std::size_t i = 0; i < kMaxRequestFields; ++i) many += "A: b\r\n";
  EXPECT_EQ(verdictOn(many), 431);
}

TEST(RequestHeadTest, AnUpgradeNeedsBothFields) {
  const auto asks = [](const std::string& fields) {
    return (*parseRequestHead("GET / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n"))->asksForUpgrade();
  };
  EXPECT_TRUE(asks("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_FALSE(asks("Upgrade: websocket\r\n"));
  EXPECT_FALSE(asks("Connection: Upgrade\r\n"));
  EXPECT_FALSE(asks("Connection: no-upgrade\r\nUpgrade: websocket\r\n"));
}

}  // namespace
}  // namespace vkb::kubelet
