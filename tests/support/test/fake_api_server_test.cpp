#include "support/fake_api_server.h"

#include <gmock/gmock.h>

#include <future>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kube/rest_client.h"
#include "net/http_client.h"
#include "support/api_errors.h"
#include "support/watch_log.h"

namespace vkb::test {
namespace {

using namespace std::chrono_literals;
using kube::kPods;
using ::testing::ElementsAre;

class FakeApiServerTest : public ::testing::Test {
 protected:
  std::unique_ptr<kube::Client> connect(const FakeApiServer& server,
                                        const std::string& token = "") {
    auto client = kube::makeRestClient(server.access(token), clock_, random_, logger_, metrics_,
                                       {.user_agent = "vk-bridge/test", .cluster = "c"});
    EXPECT_TRUE(client);
    return std::move(*client);
  }
  static Json pod(const std::string& name) {
    return {{"metadata", {{"name", name}}},
            {"spec", {{"containers", {{{"name", "c"}, {"image", "busybox"}}}}}}};
  }
  Result<json::ObjectPtr> create(const std::string& name) {
    return client_->create(kPods, "default", pod(name));
  }
  bool exists(const std::string& name) {
    return server_.with([&](FakeCluster& c) { return c.findPod("default", name) != nullptr; });
  }
  std::string version() {
    return server_.with([](FakeCluster& c) { return std::to_string(c.resourceVersion()); });
  }
  std::unique_ptr<kube::WatchHandle> watch(WatchLog& log, std::chrono::seconds timeout = 300s) {
    auto handle = client_->watch(kPods, {.resource_version = version(), .timeout = timeout}, log);
    // The first line proves that it is open.
    server_.with([](FakeCluster& c) { c.addPod({{"metadata", {{"name", "first"}}}}); });
    EXPECT_TRUE(log.waitForEvents(1));
    return handle;
  }
  void addPod(const std::string& name) {
    server_.with([&](FakeCluster& c) { c.addPod({{"metadata", {{"name", name}}}}); });
  }

  base::SystemClock clock_;
  base::SystemRandom random_;
  base::NullLogger logger_;
  base::Metrics metrics_;
  FakeRuntime rt_;
  FakeCluster cluster_{rt_};
  FakeApiServer server_{rt_, cluster_};
  std::unique_ptr<kube::Client> client_ = connect(server_);
};

TEST_F(FakeApiServerTest, ServesTheVerbsOnOneKeptAliveConnection) {
  ASSERT_TRUE(create("a"));
  EXPECT_EQ(create("a").error().reason, "AlreadyExists");
  EXPECT_TRUE(client_->patch(kPods, "default", "a", kube::PatchType::kMerge,
                             {{"metadata", {{"labels", {{"x", "y"}}}}}}));
  EXPECT_EQ(client_->list(kPods, {.label_selector = "x in (y, z)"})->items.size(), 1U);
  EXPECT_TRUE(client_->get(kPods, "default", "a")->has_value());
  EXPECT_TRUE(client_->remove(kPods, "default", "a", {.grace_period_seconds = 0}));
  EXPECT_FALSE(client_->get(kPods, "default", "a")->has_value());
  EXPECT_EQ(*client_->getRaw("/readyz"), "ok");
  EXPECT_EQ(server_.connections(), 1);
}

TEST_F(FakeApiServerTest, ServesPlainHttpToo) {
  FakeApiServer plain(rt_, cluster_, {.tls = false, .actor = "plain"});
  ASSERT_TRUE(connect(plain)->create(kPods, "default", pod("a")));
  EXPECT_EQ(cluster_.history().back().actor, "plain");
}

TEST_F(FakeApiServerTest, AWatchStreamsUntilItsTimeLimit) {
  WatchLog log;
  const auto handle = watch(log, 60s);
  addPod("b");
  ASSERT_TRUE(log.waitForEvents(2));
  server_.advance(61s);
  const auto end = log.waitForEnd();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 200);
  EXPECT_THAT(log.lines(), ElementsAre("ADDED first", "ADDED b", "BOOKMARK"));
}

TEST_F(FakeApiServerTest, AWatchThatTheClientLeftIsClosedHere) {
  WatchLog log;
  auto handle = watch(log);
  handle.reset();
  EXPECT_TRUE(server_.waitForWatches(0));
  EXPECT_EQ(server_.with([](FakeCluster& c) { return c.openWatches(); }), 0U);
}

TEST_F(FakeApiServerTest, AWatchIsCutAfterSoManyEvents) {
  WatchLog log;
  const auto handle = watch(log);
  server_.with([](FakeCluster& c) { c.cutWatchesAfter(2); });
  for (const char* name : {"b", "c", "d"}) addPod(name);
  const auto end = log.waitForEnd();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0);
  EXPECT_LE(log.lines().size(), 3U);  // a reset may overtake what was sent before it
}

TEST_F(FakeApiServerTest, AWatchIsCutInTheMiddleOfALine) {
  WatchLog log;
  const auto handle = watch(log);
  server_.cutInMidLine();
  addPod("b");
  const auto end = log.waitForEnd();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0);
  EXPECT_THAT(log.lines(), ElementsAre("ADDED first"));
}

TEST_F(FakeApiServerTest, EventsComeTwiceOnDemand) {
  WatchLog log;
  const auto handle = watch(log);
  server_.with([](FakeCluster& c) { c.doubleEvents(true); });
  addPod("b");
  ASSERT_TRUE(log.waitForEvents(3));
  EXPECT_THAT(log.lines(), ElementsAre("ADDED first", "ADDED b", "ADDED b"));
}

TEST_F(FakeApiServerTest, WatchesFromTheForgottenPastAndRefusedOnesSaySo) {
  const std::string old = version();
  addPod("a");
  server_.with([](FakeCluster& c) { c.compact(); });
  WatchLog expired;
  const auto first = client_->watch(kPods, {.resource_version = old}, expired);
  ASSERT_TRUE(expired.waitForEnd());
  EXPECT_EQ(expired.waitForEnd()->code, 410);
  server_.with([](FakeCluster& c) {
    c.faults().refuse(unauthorizedFor(kPods, "u", "watch", "", ""), 1, requestsOf("watch"));
  });
  WatchLog refused;
  const auto second = client_->watch(kPods, {.resource_version = old}, refused);
  ASSERT_TRUE(refused.waitForEnd());
  EXPECT_EQ(refused.waitForEnd()->code, 403);
}

TEST_F(FakeApiServerTest, AnExpiredContinueTokenIs410) {
  addPod("a");
  addPod("b");
  const auto page = client_->list(kPods, {.limit = 1});
  ASSERT_TRUE(page);
  ASSERT_FALSE(page->continue_token.empty());
  server_.with([](FakeCluster& c) { c.compact(); });
  const auto next = client_->list(kPods, {.limit = 1, .continue_token = page->continue_token});
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code, 410);
}

TEST_F(FakeApiServerTest, RefusalsKeepTheirCodeCausesAndRetryAfter) {
  server_.with([](FakeCluster& c) {
    c.faults().refuse(tooManyRequests(7s), 1);
    c.faults().refuse(internalError(), 1);
    c.faults().refuse(namespaceTerminating(kPods, "default", "a"), 1);
  });
  const auto many = create("a");
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, 429);
  EXPECT_EQ(many.error().retryAfter, 7s);
  EXPECT_EQ(create("a").error().code, 500);
  const auto terminating = create("a");
  EXPECT_EQ(terminating.error().code, 403);
  ASSERT_EQ(terminating.error().causes.size(), 1U);
  EXPECT_EQ(terminating.error().causes[0].reason, "NamespaceTerminating");
  EXPECT_EQ(terminating.error().retry, Retry::kFast);
  EXPECT_TRUE(create("a"));
}

TEST_F(FakeApiServerTest, ALostAnswerTookEffectALateWriteDoesLater) {
  server_.with([](FakeCluster& c) { c.faults().loseAnswers(); });
  const auto lost = create("a");
  ASSERT_FALSE(lost);
  EXPECT_TRUE(lost.error().isUnanswered()) << lost.error().message;
  EXPECT_TRUE(exists("a"));
  server_.with([](FakeCluster& c) { c.faults().delayWrites(); });
  EXPECT_TRUE(create("b").error().isUnanswered());
  EXPECT_FALSE(exists("b"));
  server_.with([](FakeCluster& c) { c.faults().releaseLateWrites(); });
  EXPECT_TRUE(exists("b"));
}

TEST_F(FakeApiServerTest, AResetConnectionCarriedNothingOut) {
  server_.resetConnections(1, requestsOf("create"));
  const auto reset = create("a");
  ASSERT_FALSE(reset);
  EXPECT_EQ(reset.error().code, 0);
  EXPECT_FALSE(exists("a"));
  EXPECT_TRUE(create("a"));
  EXPECT_EQ(server_.connections(), 2);
}

TEST_F(FakeApiServerTest, ARequestHeldBeyondItsTimeIs504AndHasNoEffect) {
  server_.holdRequests(requestsOf("create"));
  auto held = std::async(std::launch::async, [&] { return create("a"); });
  ASSERT_TRUE(server_.waitUntilHeld(1));
  server_.advance(kube::kWriteTimeout + 1s);
  server_.release();
  const auto answer = held.get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, 504);
  EXPECT_FALSE(exists("a"));
}

TEST_F(FakeApiServerTest, AHeldAnswerComesAfterItsEffect) {
  server_.holdAnswers(requestsOf("create"));
  auto held = std::async(std::launch::async, [&] { return create("a"); });
  ASSERT_TRUE(server_.waitUntilHeld(1));
  EXPECT_TRUE(exists("a"));
  server_.release();
  EXPECT_TRUE(held.get());
}

TEST_F(FakeApiServerTest, ReadsMayBeStaleAndTheServerMayGoBackInTime) {
  const auto snapshot = server_.with([](FakeCluster& c) { return c.snapshot(); });
  server_.with([](FakeCluster& c) { c.staleReads(true); });
  ASSERT_TRUE(create("a"));
  EXPECT_TRUE(client_->list(kPods, {})->items.empty());
  server_.with([](FakeCluster& c) { c.staleReads(false); });
  const std::string ahead = client_->list(kPods, {})->resource_version;
  server_.with([&](FakeCluster& c) { c.restore(*snapshot); });
  const auto list = client_->list(kPods, {});
  EXPECT_TRUE(list->items.empty());
  EXPECT_LT(std::stoull(list->resource_version), std::stoull(ahead));
}

TEST_F(FakeApiServerTest, OnlyKnownTokensAreLetIn) {
  FakeApiServer guarded(rt_, cluster_, {.tokens = {{"secret", "ada"}}});
  EXPECT_EQ(connect(guarded, "wrong")->getRaw("/version").error().code, 401);
  ASSERT_TRUE(connect(guarded, "secret")->create(kPods, "default", pod("a")));
  EXPECT_EQ(cluster_.history().back().actor, "ada");
}

TEST_F(FakeApiServerTest, WhatTheApiDoesNotTakeIsRefusedAsRealServersDo) {
  net::Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = server_.port();
  endpoint.ca_pem = server_.access().ca_pem;
  net::HttpClient http(endpoint, clock_, random_);
  const auto code = [&](const char* method, const std::string& target, const std::string& type,
                        const std::string& body) {
    return http.send({method, target, {{"Content-Type", type}}, body})->code;
  };
  addPod("a");
  const std::string pods = "/api/v1/namespaces/default/pods";
  EXPECT_EQ(code("PATCH", pods + "/a", "text/plain", "{}"), 415);
  EXPECT_EQ(code("POST", "/version", "application/json", "{}"), 405);
  EXPECT_EQ(code("POST", pods, "application/json", "{"), 400);
  EXPECT_EQ(code("GET", "/no/such/path", "", ""), 404);
  EXPECT_EQ(code("GET", pods + "?resourceVersion=999999999", "", ""), 504);
}

TEST_F(FakeApiServerTest, FiftyOfThemRunInOneProcess) {
  struct One {
    FakeRuntime runtime;
    FakeCluster cluster{runtime};
    FakeApiServer server{runtime, cluster};
    std::unique_ptr<kube::Client> client;
    WatchLog log;
    std::unique_ptr<kube::WatchHandle> watch;
  };
  std::vector<std::unique_ptr<One>> all;
  for (int i = 0; i < 50; ++i) {
    auto one = std::make_unique<One>();
    one->client = connect(one->server);
    one->watch = one->client->watch(kPods, {}, one->log);
    all.push_back(std::move(one));
  }
  for (const auto& one : all) ASSERT_TRUE(one->client->create(kPods, "default", pod("a")));
  for (const auto& one : all) EXPECT_TRUE(one->log.waitForEvents(1));
}

}  // namespace
}  // namespace vkb::test
