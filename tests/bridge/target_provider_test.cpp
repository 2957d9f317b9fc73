#include "bridge/target_provider.h"

#include <gmock/gmock.h>

#include "support/api_errors.h"
#include "two_clusters.h"

namespace vkb::bridge {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Ownership = ProviderPod::Ownership;

/// The provider alone between a home pod that is only a document and a whole target.
class TargetProviderTest : public TwoClusters {
 protected:
  ~TargetProviderTest() override { provider_.reset(); }

  void start(state::ClusterOptions options = {}) {
    provider_.reset();
    provider_ = std::make_unique<TargetProvider>(
        TargetProvider::Deps{.runtime = runtime_.runtime(),
                             .home = *home_client_,
                             .home_objects = home_objects_,
                             .target = *client_,
                             .dependencies = *database_,
                             .logger = logger_,
                             .metrics = metrics_},
        TargetProvider::Options{.home_id = "home-1",
                                .node = "t1",
                                .host_ip = "192.0.2.9",
                                .cluster = std::move(options),
                                .on_refusals_outdated = [this] { ++outdated_; }});
    provider_->notifyNode([this] { ++node_changes_; });
    ASSERT_TRUE(provider_->start({}, [this] { ++synced_; }));
    runtime_.advance(seconds(1));
  }
  static Json pod(const std::string& uid = "h1", const std::string& name = "a") {
    return {{"metadata",
             {{"name", name}, {"namespace", "work"}, {"uid", uid}, {"labels", {{"app", "web"}}}}},
            {"spec",
             {{"nodeName", "t1"}, {"containers", Json::array({{{"name", "c"}, {"image", "i"}}})}}}};
  }
  static PodRecord record(const std::string& uid = "h1", const std::string& provider_uid = "") {
    PodRecord result;
    result.uid = uid;
    result.ns = result.place_ns = "work";
    result.name = result.place_name = "a";
    result.node = "t1";
    result.provider_uid = provider_uid;
    return result;
  }
  Result<ProviderPod> create(const std::string& uid = "h1") {
    auto made = provider_->createPod(pod(uid), record(uid));
    runtime_.advance(seconds(1));
    return made;
  }
  std::string ownerOf(const Json& object) const {
    const Json& owners = json::array(object, {"metadata", "ownerReferences"});
    return owners.empty() ? "" : json::str(owners[0], "uid");
  }
  std::string namespaceUid() const { return target_.find(kube::kNamespaces, "", "work")->uid(); }
  /// The namespace cache hears nothing any more, and knows it.
  void breakNamespaceWatch() {
    for (const char* verb : {"list", "watch"}) {
      target_.faults().refuse(test::internalError(), test::Fault::kForever,
                              test::requestsOf(verb, "namespaces"));
    }
    target_.cutWatches();
    runtime_.advance(seconds(5));
  }

  std::unique_ptr<kube::Client> home_client_ = home_.client(kBridge);
  HomeObjects home_objects_{runtime_.runtime(), home_.client(kBridge), logger_};
  std::unique_ptr<kube::Client> client_ = target_.client(kBridge);
  int synced_ = 0, outdated_ = 0, node_changes_ = 0;
  std::unique_ptr<TargetProvider> provider_;
};

TEST_F(TargetProviderTest, ItIsSyncedOnceWhenAllCachesHaveTheirFirstList) {
  target_.faults().refuse(test::internalError(), 2, test::requestsOf("list", "namespaces"));
  start();
  runtime_.advance(seconds(10));
  target_.cutWatches();
  runtime_.advance(seconds(10));
  EXPECT_EQ(synced_, 1);
}

TEST_F(TargetProviderTest, AMissingNamespaceIsMadeWithOurMarkAndOwnsTheDelegate) {
  start();
  ASSERT_TRUE(provider_->placePod(pod()));
  ASSERT_TRUE(create());
  EXPECT_EQ(json::str(target_.find(kube::kNamespaces, "", "work")->json(),
                      {"metadata", "labels", kLabelHomeCluster}),
            "home-1");
  EXPECT_EQ(ownerOf(delegate("a")), namespaceUid());
}

TEST_F(TargetProviderTest, ANamespaceOfOthersIsRefusedUnlessAGlobAllowsIt) {
  target_.addNamespace("work");
  start();
  const auto refused = provider_->placePod(pod());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, kReasonNamespaceNotAllowed);
  EXPECT_EQ(refused.error().retry, Retry::kNever);
  start({.allow_namespaces = {"w?rk"}});
  EXPECT_TRUE(provider_->placePod(pod()));
  start({.allow_namespaces = {"wor"}});
  EXPECT_FALSE(provider_->placePod(pod())) << "a glob is for the whole name";
}

TEST_F(TargetProviderTest, ANamespaceThatSomebodyMadeAMomentAgoIsJudgedAsItIs) {
  for (const bool allowed : {false, true}) {
    state::ClusterOptions options;
    if (allowed) options.allow_namespaces = {"work"};
    start(options);
    target_.holdWatches(true);  // the cache does not hear of it
    target_.addNamespace("work");
    const auto made = provider_->createPod(pod(), record());
    target_.holdWatches(false);
    ASSERT_EQ(made.has_value(), allowed);
    if (!allowed) {
      EXPECT_EQ(made.error().reason, kReasonNamespaceNotAllowed);
      EXPECT_TRUE(delegate("a").is_null());
      ASSERT_TRUE(target_.remove("user", kube::kNamespaces, "", "work"));
      runtime_.settle();
    } else {
      EXPECT_FALSE(delegate("a")["metadata"]["labels"].contains("app"))
          << "the target's Services would select it";
      EXPECT_EQ(ownerOf(delegate("a")), namespaceUid());
    }
  }
}

TEST_F(TargetProviderTest, ANamespaceMadeAnewWhileTheCacheWasBlindOwnsTheDelegateByItsNewUid) {
  target_.addNamespace("work", {{kLabelHomeCluster, "home-1"}});
  start();
  const std::string old_uid = namespaceUid();
  breakNamespaceWatch();
  ASSERT_TRUE(target_.remove("user", kube::kNamespaces, "", "work"));
  runtime_.settle();
  target_.addNamespace("work", {{kLabelHomeCluster, "home-1"}});
  ASSERT_NE(namespaceUid(), old_uid);
  ASSERT_TRUE(create());
  target_.collectGarbage();
  runtime_.settle();
  EXPECT_FALSE(delegate("a").is_null()) << "owned by a dead namespace it is garbage";
  EXPECT_EQ(ownerOf(delegate("a")), namespaceUid());
}

TEST_F(TargetProviderTest, ANamespaceDeletedWhileTheCacheWasBlindIsMadeAgain) {
  target_.addNamespace("work", {{kLabelHomeCluster, "home-1"}});
  start();
  breakNamespaceWatch();
  ASSERT_TRUE(target_.remove("user", kube::kNamespaces, "", "work"));
  runtime_.settle();
  ASSERT_TRUE(create());
  EXPECT_EQ(ownerOf(delegate("a")), namespaceUid());
}

TEST_F(TargetProviderTest, WithAGoodCacheAPodCostsOneRequest) {
  target_.addNamespace("work", {{kLabelHomeCluster, "home-1"}});
  start();
  target_.requests.clear();
  ASSERT_TRUE(provider_->createPod(pod(), record()));
  ASSERT_THAT(target_.requests, SizeIs(1));
  EXPECT_EQ(target_.requests[0].verb, "create");
}

TEST_F(TargetProviderTest, APodWaitsForANamespaceThatIsBeingDeleted) {
  target_.addNamespace("work", {{kLabelHomeCluster, "home-1"}});
  target_.addPod(
      {{"metadata", {{"name", "x"}, {"namespace", "work"}, {"finalizers", {"example.com/x"}}}}});
  start();
  ASSERT_TRUE(target_.remove("user", kube::kNamespaces, "", "work"));
  runtime_.advance(seconds(1));
  const auto made = create();
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().reason, "NamespaceTerminating");
  EXPECT_EQ(made.error().retry, Retry::kFast);
  EXPECT_EQ(outdated_, 0);
  target_.edit(kube::kPods, "work", "x", {{"metadata", {{"finalizers", nullptr}}}});
  runtime_.advance(seconds(1));
  EXPECT_EQ(outdated_, 1) << "whoever waits for it is told";
  EXPECT_TRUE(create());
}

TEST_F(TargetProviderTest, TheHashOfARunningPodStaysWhateverBecomesOfItsNamespacesMark) {
  target_.addNamespace("work");
  start({.allow_namespaces = {"work"}});
  const auto made = create();
  ASSERT_TRUE(made);
  EXPECT_EQ(provider_->inputsHash(pod()), made->inputs_hash);

  const std::string of_new_pods = provider_->inputsHash(pod("h2", "b"));
  target_.edit(kube::kNamespaces, "", "work",
               {{"metadata", {{"labels", {{kLabelHomeCluster, "home-1"}}}}}});
  runtime_.advance(seconds(1));
  EXPECT_EQ(provider_->inputsHash(pod()), made->inputs_hash);
  EXPECT_NE(provider_->inputsHash(pod("h2", "b")), of_new_pods);
  start({.allow_namespaces = {"work"}, .keep_labels = true});
  EXPECT_EQ(provider_->inputsHash(pod()), made->inputs_hash);
}

TEST_F(TargetProviderTest, CreatingAgainAfterALostAnswerGivesTheSamePod) {
  start();
  target_.faults().loseAnswers(1, test::requestsOf("create", "pods"));
  const auto lost = provider_->createPod(pod(), record());
  ASSERT_FALSE(lost);
  EXPECT_TRUE(lost.error().isUnanswered());
  const auto again = create();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->uid, uidOf(delegate("a")));
  EXPECT_THAT(writes(target_, 0, "pods"), ElementsAre("create pods work/a"));
}

TEST_F(TargetProviderTest, ANameIsTakenByAForeignPodAndHeldByAPredecessor) {
  start();
  ASSERT_TRUE(create("h0"));
  const auto behind = create("h1");
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().reason, "PredecessorExists");
  EXPECT_EQ(behind.error().retry, Retry::kFast);
  const Json home_pod = pod("h1");
  EXPECT_EQ(provider_->peekPod(&home_pod, "h1", nullptr).ownership, Ownership::kPredecessor);
  EXPECT_EQ(provider_->peekPod(&home_pod, "h1", nullptr).home_uid, "h0");

  ASSERT_TRUE(target_.remove("user", kube::kPods, "work", "a", {.grace_period_seconds = 0}));
  target_.addPod({{"metadata", {{"name", "a"}, {"namespace", "work"}}}});
  const auto taken = create("h1");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().reason, kReasonNameTaken);
  EXPECT_EQ(taken.error().retry, Retry::kNever);
}

TEST_F(TargetProviderTest, ADeletionHitsExactlyTheRecordedPod) {
  start();
  const auto made = create();
  ASSERT_TRUE(made);
  ASSERT_TRUE(target_.remove("user", kube::kPods, "work", "a", {.grace_period_seconds = 0}));
  target_.addPod({{"metadata", {{"name", "a"}, {"namespace", "work"}}}});
  const auto since = mark(target_);
  EXPECT_TRUE(provider_->deletePod(record("h1", made->uid), std::nullopt));
  EXPECT_THAT(writes(target_, since, "pods"), IsEmpty());
  EXPECT_FALSE(provider_->deletePod(record("h7"), std::nullopt)) << "never without a UID";
  EXPECT_FALSE(delegate("a").is_null());
}

TEST_F(TargetProviderTest, ThatADeletionWeAskedForBeginsIsToldNobodyItsEndIs) {
  start();
  const auto made = create();
  std::vector<std::string> told;
  provider_->notifyPods([&](const std::string& uid) { told.push_back(uid); });
  kubelet_.holdDeletions(true);
  ASSERT_TRUE(provider_->deletePod(record("h1", made->uid), 30));
  runtime_.settle();
  const PodRecord known = record("h1", made->uid);
  EXPECT_TRUE(provider_->peekPod(nullptr, "h1", &known).deleting);
  EXPECT_THAT(told, IsEmpty());
  ASSERT_TRUE(target_.remove("kubelet", kube::kPods, "work", "a", {.grace_period_seconds = 0}));
  runtime_.settle();
  EXPECT_TRUE(provider_->peekPod(nullptr, "h1", &known).gone_seen);
  EXPECT_EQ(told.back(), "h1");
}

TEST_F(TargetProviderTest, AProofReadsTheServerNotTheCache) {
  start();
  const auto made = create();
  target_.holdWatches(true);
  ASSERT_TRUE(target_.remove("user", kube::kPods, "work", "a", {.grace_period_seconds = 0}));
  const PodRecord known = record("h1", made->uid);
  EXPECT_EQ(provider_->peekPod(nullptr, "h1", &known).ownership, Ownership::kMine);
  EXPECT_EQ(provider_->getPod(known)->ownership, Ownership::kAbsent);
}

TEST_F(TargetProviderTest, APingTakesTheFirstPathThatTheServerHasAndWeMayRead) {
  start();
  EXPECT_TRUE(provider_->ping());
  const auto asked = [&](const std::string& path) {
    int count = 0;
    for (const auto& request : target_.requests) count += request.resource == path;
    return count;
  };
  const auto refuse = [&](const char* path, const Status& status) {
    target_.faults().refuse(status, test::Fault::kForever, test::requestsOf("raw", path));
  };
  EXPECT_EQ(asked("/readyz"), 1);
  EXPECT_EQ(asked("/version"), 1);
  EXPECT_FALSE(provider_->version().empty());
  EXPECT_TRUE(provider_->ping());
  EXPECT_EQ(asked("/version"), 1) << "one request a ping";

  refuse("/readyz", {.code = 403, .reason = "Forbidden", .message = "no"});
  EXPECT_TRUE(provider_->ping());
  EXPECT_EQ(asked("/healthz"), 1);
  EXPECT_EQ(asked("/version"), 1);
  refuse("/healthz", {.code = 404, .reason = "NotFound", .message = "no"});
  EXPECT_TRUE(provider_->ping());
  EXPECT_EQ(asked("/version"), 2);
  refuse("/version", {.code = 401, .reason = "Unauthorized", .message = "no"});
  EXPECT_FALSE(provider_->ping());
}

TEST_F(TargetProviderTest, AServerThatSaysItIsNotReadyIsNotAskedElsewhere) {
  start();
  target_.faults().refuse(test::internalError(), 1, test::requestsOf("raw", "/readyz"));
  target_.requests.clear();
  EXPECT_FALSE(provider_->ping());
  EXPECT_THAT(target_.requests, SizeIs(1));
  target_.faults().refuse({.code = 401, .reason = "Unauthorized", .message = "no"}, 1,
                          test::requestsOf("raw", "/readyz"));
  EXPECT_FALSE(provider_->ping());
}

TEST_F(TargetProviderTest, TheNodeOffersWhatReadyNodesHaveLessWhatOthersTake) {
  target_.addNode("worker-2");
  target_.addNode("cordoned", {{"spec", {{"unschedulable", true}}}});
  const auto theirs = [](const std::string& name, const std::string& node) {
    return Json{
        {"metadata", {{"name", name}, {"namespace", "theirs"}}},
        {"spec",
         {{"nodeName", node},
          {"containers", Json::array({{{"name", "c"},
                                       {"image", "i"},
                                       {"resources", {{"requests", {{"cpu", "500m"}}}}}}})}}}};
  };
  target_.addPod(theirs("x", "worker-2"));
  target_.addPod(theirs("on-a-node-that-does-not-count", "cordoned"));
  start();
  ASSERT_TRUE(create());
  const Json node = provider_->node();
  EXPECT_EQ(json::str(node, {"status", "allocatable", "cpu"}), "7500m");
  EXPECT_EQ(json::str(node, {"status", "capacity", "pods"}), "219") << "ours take nothing away";
  EXPECT_EQ(json::str(node, {"metadata", "labels", "kubernetes.io/hostname"}), "t1");
  EXPECT_EQ(provider_->nodes().total, 3);
  const int before = node_changes_;
  target_.setPodStatus("theirs", "x", {{"phase", "Succeeded"}});
  runtime_.advance(seconds(1));
  EXPECT_GT(node_changes_, before);
  EXPECT_EQ(json::str(provider_->node(), {"status", "allocatable", "cpu"}), "8");
}

TEST_F(TargetProviderTest, AStopDuringTheFirstListsIsTheEndOfIt) {
  provider_ = std::make_unique<TargetProvider>(
      TargetProvider::Deps{.runtime = runtime_.runtime(),
                           .home = *home_client_,
                           .home_objects = home_objects_,
                           .target = *client_,
                           .dependencies = *database_,
                           .logger = logger_,
                           .metrics = metrics_},
      TargetProvider::Options{.home_id = "home-1", .node = "t1", .host_ip = "", .cluster = {}});
  ASSERT_TRUE(provider_->start({}, [this] { ++synced_; }));
  runtime_.executor.runOne();
  provider_->stop();
  provider_.reset();
  client_.reset();
  runtime_.advance(seconds(60));
  EXPECT_EQ(synced_, 0);
  EXPECT_EQ(target_.openWatches(kBridge), 0U);
}

}  // namespace
}  // namespace vkb::bridge
