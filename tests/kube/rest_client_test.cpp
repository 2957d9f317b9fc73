#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <nlohmann/json.hpp>

#include "kube/rest_client_over.h"
#include "kube_fixture.h"
#include "scripted_transport.h"
#include "support/fake_runtime.h"

namespace vkb::kube {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kServer = "https://api.example:6443";

std::string statusBody(int code, const std::string& reason, const std::string& message) {
  return Json{{"kind", "Status"}, {"code", code}, {"reason", reason}, {"message", message}}.dump();
}

/// Collects a watch's calls; wait() has a generous deadline so that a broken test ends.
class Collector final : public WatchHandler {
 public:
  void onEvent(json::RawEvent event) override {
    if (during) during();
    const std::lock_guard lock(mutex_);
    events.push_back(event.type + " " + event.object->key());
    changed_.notify_all();
  }
  void onClosed(Status status) override {
    const std::lock_guard lock(mutex_);
    closed.push_back(std::move(status));
    changed_.notify_all();
  }
  bool waitForEvents(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 30s, [&] { return events.size() >= count; });
  }
  bool waitForClose() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 30s, [&] { return !closed.empty(); });
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return events.size();
  }
  std::function<void()> during;
  std::vector<std::string> events;
  std::vector<Status> closed;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

class RestClientTest : public ::testing::Test {
 protected:
  RestClientTest() { remake({}); }
  void remake(ClusterAccess access, double qps = 500, double burst = 1000) {
    auto transport = std::make_unique<test::ScriptedTransport>();
    transport_ = transport.get();
    RestClientOptions options;
    options.silence_check = 50ms;
    options.user_agent = "vk-bridge/1.2.3";
    options.cluster = "c";
    options.qps = qps;
    options.burst = burst;
    client_ = makeRestClientOver(
        {clock_, logger_, metrics_, std::move(transport),
         std::make_unique<Credentials>(std::move(access), clock_, logger_,
                                       [this](const ClusterAccess&) {
                                         ExecCredential credential;
                                         credential.token = "t" + std::to_string(++runs_);
                                         return Result<ExecCredential>(credential);
                                       })},
        kServer, options);
  }
  void answerWith(int code, const std::string& body, net::Headers headers = {}) {
    transport_->answer = [=](const net::HttpRequest&) {
      return net::HttpResponse{code, headers, body};
    };
  }
  const net::HttpRequest& last() const { return transport_->requests.back(); }

  test::FakeClock clock_;
  base::NullLogger logger_;
  base::Metrics metrics_;
  int runs_ = 0;
  std::unique_ptr<Client> client_;
  test::ScriptedTransport* transport_ = nullptr;
};

TEST_F(RestClientTest, EveryRequestSaysWhoAsksAndWantsJson) {
  ASSERT_TRUE(client_->getRaw("/version"));
  EXPECT_EQ(last().method, "GET");
  EXPECT_EQ(last().target, "/version");
  EXPECT_EQ(test::headerOf(last(), "Accept"), "application/json");
  EXPECT_EQ(test::headerOf(last(), "User-Agent"), "vk-bridge/1.2.3");
  EXPECT_EQ(test::headerOf(last(), "Authorization"), "");
}

TEST_F(RestClientTest, WhoWantsMetadataAcceptsNothingElse) {
  answerWith(200, R"({"kind":"PartialObjectMetadataList","metadata":{},"items":[]})");
  ASSERT_TRUE(client_->list(kSecrets, {.metadata_only = true}));
  EXPECT_EQ(test::headerOf(last(), "Accept"),
            "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1");
  EXPECT_EQ(std::count_if(last().headers.begin(), last().headers.end(),
                          [](const auto& header) { return header.first == "Accept"; }),
            1);
}

TEST_F(RestClientTest, GetGivesTheObject) {
  answerWith(200, R"({"kind":"Pod","x":1})");
  const auto pod = client_->get(kPods, "a", "b");
  ASSERT_TRUE(pod);
  EXPECT_EQ((**pod)["x"], 1);
  EXPECT_EQ(last().target, "/api/v1/namespaces/a/pods/b");
  EXPECT_EQ(last().timeout, 10s);
}

TEST_F(RestClientTest, A404ThatNamesTheObjectIsNothing) {
  answerWith(404, statusBody(404, "NotFound", "pods \"b\" not found"));
  const auto pod = client_->get(kPods, "a", "b");
  ASSERT_TRUE(pod);
  EXPECT_FALSE(*pod);
}

TEST_F(RestClientTest, A404ThatNoApiServerWroteProvesNothing) {
  for (const std::string& body :
       {std::string("404 page not found\n"), std::string("<html>"),
        statusBody(404, "NotFound", "the server could not find the requested resource")}) {
    answerWith(404, body);
    const auto pod = client_->get(kPods, "a", "b");
    ASSERT_FALSE(pod) << body;
    EXPECT_FALSE(pod.error().isNotFound());
    EXPECT_THAT(pod.error().message, HasSubstr(kServer));
    const auto removed = client_->remove(kPods, "a", "b", {});
    ASSERT_FALSE(removed);
    EXPECT_FALSE(removed.error().isNotFound());
    EXPECT_FALSE(client_->patch(kPods, "a", "b", PatchType::kMerge, Json::object(), "")
                     .error()
                     .isNotFound());
  }
}

TEST_F(RestClientTest, RawPathsAndSubresourcesKeepTheir404) {
  answerWith(404, "404 page not found\n");
  EXPECT_TRUE(client_->getRaw("/readyz").error().isNotFound());
  answerWith(404, statusBody(404, "NotFound", "the server could not find the requested resource"));
  EXPECT_TRUE(client_->patch(kPods, "a", "b", PatchType::kMerge, Json::object(), "resize")
                  .error()
                  .isNotFound());
}

TEST_F(RestClientTest, WritesCarryTheServersTimeLimit) {
  ASSERT_TRUE(client_->create(kPods, "a", Json::object(), "", ""));
  EXPECT_EQ(last().method, "POST");
  EXPECT_EQ(last().target, "/api/v1/namespaces/a/pods?timeout=10s");
  EXPECT_EQ(test::headerOf(last(), "Content-Type"), "application/json");
  EXPECT_EQ(last().timeout, 20s);
  ASSERT_TRUE(client_->create(kPods, "a", Json::object(), "b", "eviction"));
  EXPECT_EQ(last().target, "/api/v1/namespaces/a/pods/b/eviction?timeout=10s");
  ASSERT_TRUE(client_->update(kPods, "a", "b", Json::object()));
  EXPECT_EQ(last().method, "PUT");
  EXPECT_EQ(last().target, "/api/v1/namespaces/a/pods/b?timeout=10s");
}

TEST_F(RestClientTest, PatchesHaveTheirContentTypes) {
  const Json patch = {{"a", nullptr}};
  ASSERT_TRUE(client_->patch(kPods, "a", "b", PatchType::kMerge, patch, ""));
  EXPECT_EQ(last().method, "PATCH");
  EXPECT_EQ(test::headerOf(last(), "Content-Type"), "application/merge-patch+json");
  EXPECT_EQ(last().body, R"({"a":null})");
  ASSERT_TRUE(client_->patch(kPods, "a", "b", PatchType::kStrategicMerge, patch, "status"));
  EXPECT_EQ(test::headerOf(last(), "Content-Type"), "application/strategic-merge-patch+json");
  EXPECT_EQ(last().target, "/api/v1/namespaces/a/pods/b/status?timeout=10s");
}

TEST_F(RestClientTest, DeleteSendsItsOptionsAsABody) {
  ASSERT_TRUE(client_->remove(kPods, "a", "b", {.grace_period_seconds = 5, .uid = "u"}));
  EXPECT_EQ(test::headerOf(last(), "Accept"),
            "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json")
      << "the answer is not read";
  EXPECT_EQ(last().method, "DELETE");
  EXPECT_EQ(last().target, "/api/v1/namespaces/a/pods/b?timeout=10s");
  const Json body = Json::parse(last().body);
  EXPECT_EQ(body["gracePeriodSeconds"], 5);
  EXPECT_EQ(body["preconditions"]["uid"], "u");
}

TEST_F(RestClientTest, AWriteWhoseAnswerCannotBeReadIsUnanswered) {
  answerWith(201, "<html>");
  EXPECT_TRUE(client_->create(kPods, "a", Json::object(), "", "").error().isUnanswered());
}

TEST_F(RestClientTest, ListIsSplit) {
  answerWith(200, R"({"kind":"PodList","metadata":{"resourceVersion":"7","continue":"c"},
    "items":[{"metadata":{"name":"n","namespace":"a","uid":"u","resourceVersion":"3"}}]})");
  const auto page = client_->list(kPods, {.ns = "a", .limit = 2});
  ASSERT_TRUE(page);
  EXPECT_EQ(page->resource_version, "7");
  EXPECT_EQ(page->continue_token, "c");
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(page->items[0]->key(), "a/n");
  EXPECT_EQ(last().target, "/api/v1/namespaces/a/pods?limit=2");
}

TEST_F(RestClientTest, RetryAfterIsReadFromTheHeaderAndNotWaitedFor) {
  answerWith(429, statusBody(429, "TooManyRequests", "m"), {{"retry-after", "3"}});
  const auto answer = client_->getRaw("/x");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().retryAfter, 3s);
  answerWith(503, "", {{"Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT"}});
  EXPECT_FALSE(client_->getRaw("/x").error().retryAfter);
}

TEST_F(RestClientTest, TroublesOfTheServerNameItRefusalsKeepTheirOwnWords) {
  answerWith(502, "");
  EXPECT_THAT(client_->getRaw("/x").error().message, HasSubstr(kServer));
  answerWith(403, statusBody(403, "Forbidden", "pods is forbidden"));
  EXPECT_EQ(client_->getRaw("/x").error().message, "pods is forbidden");
  transport_->answer = [](const net::HttpRequest&) -> Result<net::HttpResponse> {
    return failure({.reason = reasons::kUnreachable, .message = "no route to api.example:6443"});
  };
  EXPECT_EQ(client_->getRaw("/x").error().message, "no route to api.example:6443");
}

TEST_F(RestClientTest, A401RenewsTheCredentialsAndTriesOnceMore) {
  ClusterAccess access;
  access.exec.emplace();
  remake(access);
  transport_->answer = [](const net::HttpRequest& request) {
    const bool good = test::headerOf(request, "Authorization") == "Bearer t2";
    return good ? net::HttpResponse{200, {}, "ok"}
                : net::HttpResponse{401, {}, statusBody(401, "Unauthorized", "Unauthorized")};
  };
  EXPECT_EQ(client_->getRaw("/x").value(), "ok");
  EXPECT_EQ(transport_->requests.size(), 2u);
  EXPECT_EQ(runs_, 2);
}

TEST_F(RestClientTest, A401ThatStaysIsReturned) {
  ClusterAccess access;
  access.exec.emplace();
  remake(access);
  answerWith(401, statusBody(401, "Unauthorized", "Unauthorized"));
  const auto answer = client_->getRaw("/x");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, 401);
  EXPECT_EQ(answer.error().retry, Retry::kSlow);
  EXPECT_THAT(answer.error().message, AllOf(HasSubstr(kServer), Not(HasSubstr("t1"))));
  EXPECT_EQ(transport_->requests.size(), 2u);
}

TEST_F(RestClientTest, WithStaticCredentialsA401IsNotTriedAgain) {
  answerWith(401, "");
  EXPECT_EQ(client_->getRaw("/x").error().code, 401);
  EXPECT_EQ(transport_->requests.size(), 1u);
}

TEST_F(RestClientTest, ARenewedCertificateReachesTheTransportBeforeTheNextRequest) {
  const test::TempFolder folder;
  ClusterAccess access;
  access.client_cert_file = folder.write("cert", "old");
  access.client_cert_pem = "old";
  remake(access);
  ASSERT_TRUE(client_->getRaw("/x"));
  folder.write("cert", "new");
  clock_.advance(10s);
  ASSERT_TRUE(client_->getRaw("/x"));
  EXPECT_EQ(transport_->identities.back(), "new");
  const auto handed = transport_->identities.size();
  ASSERT_TRUE(client_->getRaw("/x"));
  EXPECT_EQ(transport_->identities.size(), handed);
}

TEST_F(RestClientTest, AboveTheClientSideLimitNothingIsSentBeyondTheDeadline) {
  remake({}, 0.001, 1);
  ASSERT_TRUE(client_->getRaw("/x"));
  const auto second = client_->getRaw("/x");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, reasons::kUnreachable);
  EXPECT_THAT(second.error().message, HasSubstr("nothing was sent"));
  EXPECT_EQ(transport_->requests.size(), 1u);
}

TEST_F(RestClientTest, RequestsAreCountedByClientGosNames) {
  ASSERT_TRUE(client_->getRaw("/x"));
  answerWith(409, "");
  EXPECT_FALSE(client_->update(kPods, "a", "b", Json::object()));
  const std::string text = metrics_.text();
  EXPECT_THAT(text, HasSubstr("rest_client_requests_total{"));
  EXPECT_THAT(text, HasSubstr("code=\"409\""));
  EXPECT_THAT(text, HasSubstr("rest_client_request_duration_seconds_count{cluster=\"c\","));
}

constexpr const char* kLine =
    R"({"type":"ADDED","object":{"metadata":{"name":"n","namespace":"a","resourceVersion":"5"}}})";

TEST_F(RestClientTest, AWatchDeliversItsLinesAndEndsInOrder) {
  Collector collector;
  const auto watch = client_->watch(kPods, {.ns = "a", .resource_version = "4"}, collector);
  transport_->stream->push(kLine);
  ASSERT_TRUE(collector.waitForEvents(1));
  EXPECT_EQ(collector.events[0], "ADDED a/n");
  EXPECT_EQ(last().target,
            "/api/v1/namespaces/a/pods?watch=true&allowWatchBookmarks=true&resourceVersion=4"
            "&timeoutSeconds=300");
  transport_->stream->finish({});
  ASSERT_TRUE(collector.waitForClose());
  EXPECT_EQ(collector.closed[0].code, 200);
  EXPECT_EQ(collector.closed[0].reason, "Ended");
}

TEST_F(RestClientTest, AWatchThatIsSilentBeyondItsTimeCountsAsBroken) {
  Collector silent, heard;
  const auto first = client_->watch(kPods, {}, silent);
  const auto script = transport_->stream;
  script->push(kLine);
  ASSERT_TRUE(silent.waitForEvents(1));
  transport_->stream = std::make_shared<test::StreamScript>();
  const auto second = client_->watch(kPods, {}, heard);
  transport_->stream->push(kLine);
  ASSERT_TRUE(heard.waitForEvents(1));
  clock_.advance(2s);
  transport_->stream->push(kLine);
  ASSERT_TRUE(heard.waitForEvents(2));
  clock_.advance(329s);  // 331 for the one, 329 for the other
  ASSERT_TRUE(silent.waitForClose());
  EXPECT_EQ(silent.closed[0].message, "silent");
  EXPECT_EQ(script->silence, 330s);
  transport_->stream->push(kLine);
  EXPECT_TRUE(heard.waitForEvents(3));
  EXPECT_THAT(heard.closed, IsEmpty());
}

TEST_F(RestClientTest, ManyLinesOfOneWatchDoNotHoldUpAnother) {
  constexpr int kLines = 1000;
  Collector flooded, other;
  const auto first = client_->watch(kPods, {}, flooded);
  const auto flood = transport_->stream;
  flood->push(kLine);
  ASSERT_TRUE(flooded.waitForEvents(1));
  transport_->stream = std::make_shared<test::StreamScript>();
  const auto second = client_->watch(kPods, {}, other);
  transport_->stream->push(kLine);
  ASSERT_TRUE(other.waitForEvents(1));
  // Neither is read while the first one's call lasts; then both have something.
  std::promise<void> entered, leave;
  std::size_t before = 0;
  flooded.during = [&, first_call = true]() mutable {
    if (!std::exchange(first_call, false)) return;
    entered.set_value();
    leave.get_future().wait();
  };
  other.during = [&] { before = flooded.count(); };
  flood->push(kLine);
  entered.get_future().wait();
  for (int i = 0; i < kLines; ++i) flood->push(kLine);
  transport_->stream->push(kLine);
  leave.set_value();
  ASSERT_TRUE(flooded.waitForEvents(kLines + 2));
  ASSERT_TRUE(other.waitForEvents(2));
  EXPECT_LT(before, 200u);
}

TEST_F(RestClientTest, AnErrorLineEndsTheWatchWithItsStatus) {
  Collector collector;
  const auto watch = client_->watch(kPods, {}, collector);
  transport_->stream->push(R"({"type":"ERROR","object":{"kind":"Status","code":410,)"
                           R"("reason":"Expired","message":"too old"}})");
  ASSERT_TRUE(collector.waitForClose());
  EXPECT_EQ(collector.closed[0].code, 410);
  EXPECT_EQ(collector.closed[0].reason, "Expired");
}

TEST_F(RestClientTest, ARefusedWatchEndsWithTheAnswer) {
  transport_->stream->head.code = 403;
  transport_->stream->rest = statusBody(403, "Forbidden", "pods is forbidden");
  Collector collector;
  const auto watch = client_->watch(kPods, {}, collector);
  ASSERT_TRUE(collector.waitForClose());
  EXPECT_EQ(collector.closed[0].code, 403);
  EXPECT_EQ(collector.closed[0].message, "pods is forbidden");
}

TEST_F(RestClientTest, ABrokenStreamAndABrokenLineEndTheWatch) {
  {
    Collector collector;
    const auto watch = client_->watch(kPods, {}, collector);
    transport_->stream->finish(
        failure({.reason = reasons::kUnanswered, .message = "cut in mid line"}));
    ASSERT_TRUE(collector.waitForClose());
    EXPECT_EQ(collector.closed[0].message, "cut in mid line");
  }
  transport_->stream = std::make_shared<test::StreamScript>();
  Collector collector;
  const auto watch = client_->watch(kPods, {}, collector);
  transport_->stream->push("{\"type\":");
  ASSERT_TRUE(collector.waitForClose());
  EXPECT_NE(collector.closed[0].code, 200);
}

TEST_F(RestClientTest, DestroyingAWatchEndsItsCalls) {
  Collector collector;
  auto watch = client_->watch(kPods, {}, collector);
  transport_->stream->push(kLine);
  ASSERT_TRUE(collector.waitForEvents(1));
  watch.reset();
  EXPECT_TRUE(transport_->stream->aborted);
  transport_->stream->push(kLine);
  client_.reset();  // waits for the thread
  EXPECT_EQ(collector.events.size(), 1u);
  EXPECT_THAT(collector.closed, IsEmpty());
}

TEST_F(RestClientTest, DestroyingAWatchWaitsForTheCallUnderWay) {
  Collector collector;
  std::promise<void> entered, leave;
  std::atomic<bool> ended{false};
  collector.during = [&] {
    entered.set_value();
    leave.get_future().wait();
    ended = true;
  };
  auto watch = client_->watch(kPods, {}, collector);
  transport_->stream->push(kLine);
  entered.get_future().wait();
  auto ended_before = std::async(std::launch::async, [&] {
    watch.reset();
    return ended.load();
  });
  leave.set_value();
  EXPECT_TRUE(ended_before.get());
}

TEST_F(RestClientTest, AWatchMayBeDestroyedFromWithinItsOwnCall) {
  Collector collector;
  std::unique_ptr<WatchHandle> watch;
  std::promise<void> made, done;
  collector.during = [&] {
    made.get_future().wait();
    watch.reset();
    done.set_value();
  };
  watch = client_->watch(kPods, {}, collector);
  transport_->stream->push(kLine);
  transport_->stream->push(kLine);
  made.set_value();
  done.get_future().wait();
  client_.reset();
  EXPECT_EQ(collector.events.size(), 1u);
  EXPECT_THAT(collector.closed, IsEmpty());
}

TEST_F(RestClientTest, TheEndOfTheClientEndsItsWatches) {
  Collector collector;
  auto watch = client_->watch(kPods, {}, collector);
  transport_->stream->push(kLine);
  ASSERT_TRUE(collector.waitForEvents(1));
  client_.reset();
  EXPECT_THAT(collector.closed, IsEmpty());
}

}  // namespace
}  // namespace vkb::kube
