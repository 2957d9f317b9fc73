#include "net/http_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vkb::net {
namespace {

using ::testing::HasSubstr;

ResponseHead parsed(std::string_view bytes, bool for_head = false) {
  const auto head = parseResponseHead(bytes, for_head);
  if (!head || !*head) {
    ADD_FAILURE() << "no head: " << (head ? "incomplete" : head.error().message);
    return {};
  }
  return **head;
}

std::string refusal(std::string_view bytes) {
  const auto head = parseResponseHead(bytes);
  return head ? "accepted" : head.error().message;
}

TEST(HttpHead, GivesCodeFieldsAndSizeOfTheHead) {
  const auto head = parsed(
      "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nAudit-Id:  a b \r\n"
      "Content-Length: 12\r\n\r\nrest");
  EXPECT_EQ(head.response.code, 404);
  EXPECT_EQ(head.response.header("content-type"), "application/json");
  EXPECT_EQ(head.response.header("AUDIT-ID"), "a b");
  EXPECT_EQ(head.response.header("Retry-After"), "");
  EXPECT_EQ(head.framing, Framing::kLength);
  EXPECT_EQ(head.length, 12u);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(head.size, std::string_view("HTTP/1.1 404 Not Found\r\nContent-Type: application/json"
                                        "\r\nAudit-Id:  a b \r\nContent-Length: 12\r\n\r\n")
                           .size());
}

TEST(HttpHead, IsIncompleteUpToItsLastByte) {
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  for (std::size_t size = 0; size < head.size(); ++size) {
    const auto result = parseResponseHead(std::string_view(head).substr(0, size));
    ASSERT_TRUE(result.has_value()) << size;
    EXPECT_FALSE(result->has_value()) << size;
  }
  EXPECT_EQ(parsed(head).size, head.size());
}

TEST(HttpHead, AcceptsBareLineFeedsAndAMissingReason) {
  const auto head = parsed("HTTP/1.1 200\nContent-Length: 1\n\nx");
  EXPECT_EQ(head.response.code, 200);
  EXPECT_EQ(head.length, 1u);
}

TEST(HttpHead, AcceptsHeaderValuesBeyondEightKibibytes) {
  const std::string warning(20'000, 'w');
  EXPECT_EQ(
      parsed("HTTP/1.1 200 OK\r\nWarning: " + warning + "\r\n\r\n").response.header("warning"),
      warning);
}

TEST(HttpHead, DecidesHowTheBodyEnds) {
  EXPECT_EQ(parsed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").framing,
            Framing::kChunked);
  EXPECT_EQ(parsed("HTTP/1.1 200 OK\r\n\r\n").framing, Framing::kUntilClose);
  EXPECT_FALSE(parsed("HTTP/1.1 200 OK\r\n\r\n").keep_alive);
  EXPECT_EQ(parsed("HTTP/1.1 204 No Content\r\n\r\n").framing, Framing::kNone);
  EXPECT_EQ(parsed("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n").framing,
            Framing::kNone);
  EXPECT_EQ(parsed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true).framing, Framing::kNone);
}

TEST(HttpHead, KeepsTheConnectionOnlyWhenBothSidesCan) {
  EXPECT_FALSE(
      parsed("HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 0\r\n\r\n").keep_alive);
  EXPECT_FALSE(parsed("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n").keep_alive);
  // Chunked wins over a length, but such a peer is not to be trusted with another request.
  const auto both =
      parsed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(both.framing, Framing::kChunked);
  EXPECT_FALSE(both.keep_alive);
}

TEST(HttpHead, RefusesWhatIsNotHttp) {
  EXPECT_THAT(refusal("SSH-2.0-OpenSSH_9.2\r\n\r\n"), HasSubstr("status line"));
  EXPECT_THAT(refusal("HTTP/2 200\r\n\r\n"), HasSubstr("status line"));
  EXPECT_THAT(refusal("HTTP/1.1 2x0 OK\r\n\r\n"), HasSubstr("status line"));
  EXPECT_THAT(refusal("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), HasSubstr("header field"));
  EXPECT_THAT(refusal("HTTP/1.1 200 OK\r\nbad name: x\r\n\r\n"), HasSubstr("header field"));
  EXPECT_THAT(refusal("HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n"), HasSubstr("control character"));
}

TEST(HttpHead, RefusesAmbiguousBodies) {
  EXPECT_THAT(refusal("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n"),
              HasSubstr("Content-Length"));
  EXPECT_THAT(refusal("HTTP/1.1 200 OK\r\nContent-Length: 3x\r\n\r\n"),
              HasSubstr("Content-Length"));
  EXPECT_THAT(refusal("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"),
              HasSubstr("Content-Length"));
  EXPECT_THAT(refusal("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"),
              HasSubstr("Content-Length"));
  EXPECT_THAT(refusal("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
              HasSubstr("transfer encoding"));
}

TEST(HttpHead, RefusesAHeadWithoutEnd) {
  const std::string endless = "HTTP/1.1 200 OK\r\nA: " + std::string(kMaxHeadBytes, 'a');
  EXPECT_THAT(refusal(endless), HasSubstr("no end"));
  EXPECT_THAT(refusal(endless + "\r\n\r\n"), HasSubstr("1 MiB"));
}

Endpoint at(std::string host, std::uint16_t port) {
  Endpoint endpoint;
  endpoint.host = std::move(host);
  endpoint.port = port;
  return endpoint;
}

TEST(HttpRequestText, CarriesHostAndLength) {
  const HttpRequest request{.method = "POST",
                            .target = "/api?x=1",
                            .headers = {{"Authorization", "Bearer t"}},
                            .body = "{}"};
  EXPECT_EQ(*serializeRequest(at("h", 6443), request, true),
            "POST /api?x=1 HTTP/1.1\r\nHost: h:6443\r\nAuthorization: Bearer t\r\n"
            "Content-Length: 2\r\n\r\n{}");
}

TEST(HttpRequestText, LeavesTheDefaultPortOutOfHost) {
  EXPECT_THAT(*serializeRequest(at("h", 443), {.target = "/"}, true), HasSubstr("Host: h\r\n"));
  EXPECT_THAT(*serializeRequest(at("::1", 443), {.target = "/"}, true),
              HasSubstr("Host: [::1]\r\n"));
  EXPECT_THAT(*serializeRequest(at("fe80::1%eth0", 6443), {.target = "/"}, true),
              HasSubstr("Host: [fe80::1]:6443\r\n"));
}

TEST(HttpRequestText, TellsLengthZeroWhereABodyIsExpected) {
  EXPECT_THAT(*serializeRequest(at("h", 1), {.method = "POST", .target = "/"}, true),
              HasSubstr("Content-Length: 0\r\n"));
  EXPECT_THAT(*serializeRequest(at("h", 1), {.target = "/"}, true),
              ::testing::Not(HasSubstr("Content-Length")));
}

TEST(HttpRequestText, PutsThePathPrefixInFront) {
  Endpoint endpoint = at("h", 1);
  endpoint.path_prefix = "/k8s/clusters/c-1";
  EXPECT_THAT(
      *serializeRequest(endpoint, {.target = "/api"}, false),
      HasSubstr("GET /k8s/clusters/c-1/api HTTP/1.1\r\nHost: h:1\r\nConnection: close\r\n"));
}

TEST(HttpRequestText, RefusesLineBreaksWithoutShowingTheValue) {
  const auto injected = serializeRequest(
      at("h", 1), {.target = "/", .headers = {{"Authorization", "Bearer secret\r\nX: y"}}}, true);
  ASSERT_FALSE(injected.has_value());
  EXPECT_EQ(injected.error().reason, reasons::kInvalidInput);
  EXPECT_THAT(injected.error().message, HasSubstr("Authorization"));
  EXPECT_THAT(injected.error().message, ::testing::Not(HasSubstr("secret")));
  EXPECT_FALSE(serializeRequest(at("h", 1), {.target = "/a b"}, true).has_value());
  EXPECT_FALSE(serializeRequest(at("h", 1), {.target = "/a\r\nb"}, true).has_value());
  EXPECT_FALSE(serializeRequest(at("h", 1), {.target = "api"}, true).has_value());
  EXPECT_FALSE(serializeRequest(at("h", 1), {.method = "GE T", .target = "/"}, true).has_value());
  EXPECT_FALSE(
      serializeRequest(at("h", 1), {.target = "/", .headers = {{"Host", "x"}}}, true).has_value());
}

}  // namespace
}  // namespace vkb::net
