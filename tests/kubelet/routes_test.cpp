// What a request asks for, and what right that needs.
#include "kubelet/routes.h"

#include <gmock/gmock.h>

namespace vkb::kubelet {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

RequestHead head(const std::string& target, const std::string& method = "GET") {
  return {.method = method, .target = target};
}
RequestHead upgrade(const std::string& target, const std::string& method = "POST") {
  return {.method = method,
          .target = target,
          .headers = {{"Connection", "Upgrade"}, {"Upgrade", "SPDY/3.1"}}};
}
int codeOf(const RequestHead& request) {
  const auto route = routeOf(request);
  return route ? 200 : route.error().code;
}
std::string messageOf(const RequestHead& request) {
  const auto route = routeOf(request);
  return route ? "" : route.error().message;
}

TEST(RoutesTest, KnowsTheSimplePathsWithAndWithoutASlashAtTheEnd) {
  EXPECT_TRUE(std::holds_alternative<Healthz>(*routeOf(head("/healthz"))));
  EXPECT_TRUE(std::holds_alternative<Pods>(*routeOf(head("/pods"))));
  EXPECT_TRUE(std::holds_alternative<Pods>(*routeOf(head("/pods/"))));
  EXPECT_TRUE(std::holds_alternative<RunningPods>(*routeOf(head("/runningpods/"))));
  EXPECT_TRUE(std::holds_alternative<StatsSummary>(*routeOf(head("/stats/summary?x=1"))));
  EXPECT_TRUE(std::holds_alternative<ResourceMetrics>(*routeOf(head("/metrics/resource/"))));
  EXPECT_EQ(codeOf(head("/")), 404);
  EXPECT_EQ(codeOf(head("/metrics")), 404);
  EXPECT_EQ(codeOf(head("/run/a/b/c", "POST")), 404);
  EXPECT_EQ(codeOf(head("/pods", "POST")), 405);
}

TEST(RoutesTest, ReadsEveryOptionOfLogs) {
  const auto route = routeOf(head(
      "/containerLogs/ns/pod-1/main?follow=true&previous=1&timestamps=T&tailLines=0&limitBytes=10"
      "&sinceTime=2026-01-02T03%3A04%3A05Z&stream=Stdout&unknown=x"));
  ASSERT_TRUE(route);
  const Logs& logs = std::get<Logs>(*route);
  EXPECT_EQ(logs.container.ns, "ns");
  EXPECT_EQ(logs.container.pod, "pod-1");
  EXPECT_EQ(logs.container.container, "main");
  EXPECT_TRUE(logs.options.follow && logs.options.previous && logs.options.timestamps);
  EXPECT_EQ(logs.options.tail_lines, 0) << "0 is not the same as not given";
  EXPECT_EQ(logs.options.limit_bytes, 10);
  EXPECT_EQ(logs.options.since_seconds, std::nullopt);
  EXPECT_EQ(logs.options.since_time, "2026-01-02T03:04:05Z");
  EXPECT_EQ(logs.options.stream, "Stdout");
  EXPECT_EQ(
      std::get<Logs>(*routeOf(head("/containerLogs/a/b/c?sinceSeconds=5"))).options.since_seconds,
      5);
}

TEST(RoutesTest, RefusesOptionsOfLogsThatMakeNoSense) {
  for (const char* query :
       {"tailLines=-1", "tailLines=x", "limitBytes=0", "sinceSeconds=0", "sinceSeconds=1x",
        "follow=maybe", "sinceTime=yesterday", "sinceSeconds=1&sinceTime=2026-01-02T03:04:05Z",
        "stream=Both", "tailLines=%zz", "tailLines=%"}) {
    EXPECT_EQ(codeOf(head("/containerLogs/a/b/c?" + std::string(query))), 400) << query;
  }
  EXPECT_EQ(codeOf(head("/containerLogs/a/b/c", "POST")), 405);
}

TEST(RoutesTest, NamesThatAreNoneReachNothing) {
  for (const char* path :
       {"/containerLogs/a/..%2F..%2Fsecrets/c", "/containerLogs/a/../c", "/containerLogs/a/b%2Fc/d",
        "/containerLogs/a/b%3Fx/c", "/containerLogs//b/c", "/containerLogs/a/b/c%00",
        "/containerLogs/A/b/c", "/containerLogs/a/b%20x/c", "/containerLogs/a/b%0d%0ax/c",
        "/containerLogs/a/b/-c", "/containerLogs/a/./c"}) {
    EXPECT_EQ(codeOf(head(path)), 400) << path;
  }
  for (const char* path : {"/containerLogs/a/b", "/containerLogs/a/b/c/d", "/containerLogs",
                           "/exec/a/b", "/portForward/a"}) {
    const int code = codeOf(path[1] == 'c' ? head(path) : upgrade(path));
    EXPECT_EQ(code, 404) << path;
  }
}

TEST(RoutesTest, ReadsAnExecWithItsCommandByteForByte) {
  const auto route = routeOf(
      upgrade("/exec/ns/pod/main?command=sh&command=-c&command=echo+%22a%26b%3D1%22%0A&input=1"
              "&output=1&error=1"));
  ASSERT_TRUE(route);
  const StreamRequest& request = std::get<StreamRequest>(*route);
  EXPECT_EQ(request.kind, StreamRequest::Kind::kExec);
  EXPECT_THAT(request.command, ElementsAre("sh", "-c", "echo \"a&b=1\"\n"));
  EXPECT_TRUE(request.stdin_wanted && request.stdout_wanted && request.stderr_wanted);
  EXPECT_FALSE(request.tty);
}

TEST(RoutesTest, ATerminalHasNoStderrAndSomethingMustBeStreamed) {
  const auto route = routeOf(upgrade("/attach/a/b/c?output=1&error=1&tty=1"));
  EXPECT_FALSE(std::get<StreamRequest>(*route).stderr_wanted);
  EXPECT_EQ(messageOf(upgrade("/attach/a/b/c")),
            "you must specify at least 1 of stdin, stdout, stderr");
}

TEST(RoutesTest, OnlyHeadersOfTheUpgradeGoAlong) {
  RequestHead request = upgrade("/exec/a/b/c?output=1");
  request.headers.insert(request.headers.end(),
                         {{"X-Stream-Protocol-Version", "v5.channel.k8s.io"},
                          {"x-stream-protocol-version", "v4.channel.k8s.io"},
                          {"Authorization", "Bearer home"},
                          {"Cookie", "a=b"},
                          {"Impersonate-User", "admin"},
                          {"X-Remote-User", "admin"},
                          {"X-Forwarded-For", "1.2.3.4"},
                          {"Host", "home"},
                          {"Sec-WebSocket-Protocol",
                           "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.aG9tZQ"}});
  EXPECT_THAT(std::get<StreamRequest>(*routeOf(request)).headers,
              ElementsAre(Pair("Upgrade", "SPDY/3.1"),
                          Pair("X-Stream-Protocol-Version", "v5.channel.k8s.io"),
                          Pair("x-stream-protocol-version", "v4.channel.k8s.io"),
                          Pair("Sec-WebSocket-Protocol", "v4.channel.k8s.io")));
}

TEST(RoutesTest, ATokenGoesNowhereWhateverStandsBeforeItAndInWhicheverHeader) {
  RequestHead request = upgrade("/exec/a/b/c?output=1");
  const std::string token = "base64url.bearer.authorization.k8s.io.aG9tZQ";
  request.headers.insert(request.headers.end(),
                         {{"Sec-WebSocket-Protocol", "v4.channel.k8s.io, \xff" + token},
                          {"Sec-WebSocket-Extensions", token}});
  EXPECT_THAT(std::get<StreamRequest>(*routeOf(request)).headers,
              ElementsAre(Pair("Upgrade", "SPDY/3.1"),
                          Pair("Sec-WebSocket-Protocol", "v4.channel.k8s.io")));
}

TEST(RoutesTest, WithoutAnUpgradeToAKnownProtocolThereIsNoStream) {
  RequestHead request = upgrade("/exec/a/b/c?output=1");
  request.headers = {};
  EXPECT_EQ(codeOf(request), 400);
  request.headers = {{"Connection", "Upgrade"}, {"Upgrade", "h2c"}};
  EXPECT_EQ(codeOf(request), 400);
  request.headers = {{"Connection", "Upgrade"}, {"Upgrade", "SPDY/3.1"}, {"Upgrade", "websocket"}};
  EXPECT_EQ(codeOf(request), 400);
  EXPECT_EQ(codeOf(upgrade("/exec/a/b/c?output=1", "DELETE")), 405);
}

TEST(RoutesTest, PortsAreNumbersOfPorts) {
  const auto route = routeOf(upgrade("/portForward/a/b?port=80&port=65535"));
  EXPECT_THAT(std::get<StreamRequest>(*route).ports, ElementsAre(80, 65535));
  for (const char* port : {"0", "65536", "-1", "80x", ""}) {
    EXPECT_EQ(codeOf(upgrade("/portForward/a/b?port=" + std::string(port))), 400) << port;
  }
}

TEST(RoutesTest, TheRightNeededIsThatOfAKubelet) {
  EXPECT_EQ(attributesOf("GET", "/stats/summary"), (Attributes{"get", "stats"}));
  EXPECT_EQ(attributesOf("GET", "/metrics/resource?x"), (Attributes{"get", "metrics"}));
  EXPECT_EQ(attributesOf("GET", "/logs/syslog"), (Attributes{"get", "log"}));
  EXPECT_EQ(attributesOf("GET", "/containerLogs/a/b/c"), (Attributes{"get", "proxy"}));
  EXPECT_EQ(attributesOf("POST", "/exec/a/b/c"), (Attributes{"create", "proxy"}));
  EXPECT_EQ(attributesOf("GET", "/pods"), (Attributes{"get", "proxy"}));
  EXPECT_EQ(attributesOf("GET", "/statsx"), (Attributes{"get", "proxy"}));
  EXPECT_EQ(attributesOf("GET", "/%73tats/summary"), (Attributes{"get", "stats"}))
      << "as it is routed, so it is asked for";
  EXPECT_EQ(attributesOf("BREW", "/pods").verb, "");
}

}  // namespace
}  // namespace vkb::kubelet
