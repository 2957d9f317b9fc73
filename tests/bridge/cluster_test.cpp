#include <gmock/gmock.h>

#include "cluster_fixture.h"
#include "support/api_errors.h"

namespace vkb::bridge {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

TEST_F(ClusterTest, APodRunsInTheTargetAndHomeShowsIt) {
  start();
  EXPECT_EQ(condition(node(), "Ready").substr(0, 4), "True");
  addHomePod("a");
  runtime_.advance(seconds(3));
  EXPECT_EQ(phaseOf(delegate("a")), "Running");
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  EXPECT_EQ(podsReady(homePod("a")), "True");
  EXPECT_EQ(json::str(homePod("a"), {"status", "podIP"}),
            json::str(delegate("a"), {"status", "podIP"}));
  EXPECT_EQ(json::str(homePod("a"), {"status", "hostIP"}), "192.0.2.9");
  EXPECT_EQ(health_.back().state, "Ready");
  EXPECT_EQ(health_.back().nodes_ready, 1);
}

TEST_F(ClusterTest, TheDelegateIsMarkedAndOwnedByItsNamespace) {
  start();
  const auto pod = addHomePod("a");
  runtime_.advance(seconds(3));
  const auto ns = target_.find(kube::kNamespaces, "", "work");
  ASSERT_TRUE(ns);
  EXPECT_EQ(json::str(ns->json(), {"metadata", "labels", kLabelHomeCluster}), home_.clusterId());
  const Json made = delegate("a");
  const Json& labels = json::object(made, {"metadata", "labels"});
  EXPECT_EQ(labels[kLabelHomeUid], pod->uid());
  EXPECT_EQ(labels[kLabelNode], "t1");
  EXPECT_EQ(labels["app"], "web");
  const Json& owner = json::array(made, {"metadata", "ownerReferences"})[0];
  EXPECT_EQ(json::str(owner, "kind"), "Namespace");
  EXPECT_EQ(json::str(owner, "uid"), ns->uid());
  EXPECT_TRUE(json::boolean(owner, {"controller"}));
}

TEST_F(ClusterTest, ADeletedPodLeavesBothClustersOnItsLastEvent) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  kubelet_.holdDeletions(true);
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a", {}));
  runtime_.advance(seconds(2));
  EXPECT_EQ(json::integer(delegate("a"), {"metadata", "deletionGracePeriodSeconds"}), 5);
  EXPECT_FALSE(homePod("a").is_null()) << "home goes after the delegate, not before";
  kubelet_.holdDeletions(false);
  target_.setPodStatus("work", "a", {{"message", "on its way"}});
  const TimePoint before = runtime_.clock.now();
  runtime_.settle();
  EXPECT_TRUE(delegate("a").is_null());
  EXPECT_TRUE(homePod("a").is_null());
  EXPECT_EQ(runtime_.clock.now(), before);
  EXPECT_THAT(records(), IsEmpty());
}

TEST_F(ClusterTest, ANamespaceThatIsNotOursIsRefusedAndNothingIsWrittenInIt) {
  target_.addNamespace("work");
  start();
  const auto since = mark(target_);
  addHomePod("a");
  runtime_.advance(minutes(5));
  EXPECT_TRUE(delegate("a").is_null());
  EXPECT_THAT(writes(target_, since, "pods"), IsEmpty());
  EXPECT_THAT(writes(target_, since, "namespaces"), IsEmpty());
  ASSERT_THAT(events(kReasonNamespaceNotAllowed), SizeIs(1));
  EXPECT_THAT(events(kReasonNamespaceNotAllowed)[0], HasSubstr("--allow-namespace work"));
  EXPECT_EQ(phaseOf(homePod("a")), "Pending");
}

TEST_F(ClusterTest, ARefusalEndsWhenTheForeignNamespaceGoes) {
  target_.addNamespace("work");
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  ASSERT_TRUE(target_.remove("user", kube::kNamespaces, "", "work"));
  runtime_.advance(seconds(3));
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
}

TEST_F(ClusterTest, AllowedNamespacesAreUsedWithReKeyedLabels) {
  target_.addNamespace("work");
  start({.allow_namespaces = {"other", "wo*"}});
  addHomePod("a");
  runtime_.advance(seconds(3));
  const Json made = delegate("a");
  const Json& labels = json::object(made, {"metadata", "labels"});
  EXPECT_FALSE(labels.contains("app")) << "a Service of the target would select it";
  EXPECT_EQ(json::str(labels, "home.vk-bridge.io/app"), "web");
  EXPECT_EQ(podsReady(homePod("a")), "True");
}

TEST_F(ClusterTest, AnotherChoiceAboutLabelsOrAMarkTouchesNoRunningPod) {
  target_.addNamespace("work");
  start({.allow_namespaces = {"work"}});
  addHomePod("a");
  runtime_.advance(seconds(3));
  const auto since = mark(target_);
  restart({.allow_namespaces = {"work"}, .keep_labels = true});
  target_.edit(kube::kNamespaces, "", "work",
               {{"metadata", {{"labels", {{kLabelHomeCluster, home_.clusterId()}}}}}});
  home_.edit(kube::kPods, "work", "a", {{"metadata", {{"finalizers", {"example.com/x"}}}}});
  runtime_.advance(minutes(2));
  EXPECT_THAT(writes(target_, since, "pods"), IsEmpty());
  // What changes in home still goes over, under the keys it has there.
  home_.edit(kube::kPods, "work", "a", {{"metadata", {{"labels", {{"app", "shop"}}}}}});
  runtime_.advance(seconds(3));
  EXPECT_THAT(writes(target_, since, "pods"), ElementsAre("patch pods work/a"));
  EXPECT_EQ(json::str(delegate("a"), {"metadata", "labels", "home.vk-bridge.io/app"}), "shop");
  EXPECT_EQ(json::str(delegate("a"), {"metadata", "labels", "app"}), "");
}

TEST_F(ClusterTest, AForeignPodOfThatNameIsLeftAlone) {
  target_.addNamespace("work", {{kLabelHomeCluster, home_.clusterId()}});
  target_.addPod({{"metadata", {{"name", "a"}, {"namespace", "work"}}}}, "somebody");
  start();
  const std::string uid = uidOf(delegate("a"));
  const auto since = mark(target_);
  addHomePod("a");
  runtime_.advance(minutes(5));
  EXPECT_THAT(writes(target_, since, "pods"), IsEmpty());
  EXPECT_THAT(events(kReasonNameTaken), SizeIs(1));
  // Its home pod going takes nothing along.
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a", {}));
  runtime_.advance(minutes(1));
  EXPECT_TRUE(homePod("a").is_null());
  EXPECT_EQ(uidOf(delegate("a")), uid);
  EXPECT_THAT(writes(target_, since, "pods"), IsEmpty());
}

TEST_F(ClusterTest, AForceDeletedPodsSuccessorWaitsForItsDelegateToGo) {
  start();
  const auto first = addHomePod("a");
  runtime_.advance(seconds(3));
  kubelet_.holdDeletions(true);
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a", {.grace_period_seconds = 0}));
  const auto second = addHomePod("a");
  runtime_.advance(seconds(20));
  EXPECT_EQ(json::str(delegate("a"), {"metadata", "labels", kLabelHomeUid}), first->uid());
  EXPECT_FALSE(json::str(delegate("a"), {"metadata", "deletionTimestamp"}).empty());
  EXPECT_EQ(phaseOf(homePod("a")), "Pending");
  kubelet_.holdDeletions(false);
  target_.setPodStatus("work", "a", {{"message", "on its way"}});
  runtime_.advance(seconds(5));
  EXPECT_EQ(json::str(delegate("a"), {"metadata", "labels", kLabelHomeUid}), second->uid());
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  EXPECT_THAT(records(), SizeIs(1));
}

TEST_F(ClusterTest, LabelsThatWereEditedAwayComeBackAndNoSecondDelegateIsMade) {
  start();
  const auto pod = addHomePod("a");
  runtime_.advance(seconds(3));
  const auto since = mark(target_);
  for (const Json& edited : {Json(nullptr), Json("somebody-elses-uid")}) {
    target_.edit(kube::kPods, "work", "a", {{"metadata", {{"labels", {{kLabelHomeUid, edited}}}}}});
    runtime_.advance(seconds(3));
    EXPECT_EQ(json::str(delegate("a"), {"metadata", "labels", kLabelHomeUid}), pod->uid());
  }
  EXPECT_THAT(writes(target_, since, "pods"),
              ElementsAre("patch pods work/a", "patch pods work/a"));
  // Edited while no bridge looked: the recorded UID says whose it is.
  cluster_.reset();
  target_.edit(kube::kPods, "work", "a", {{"metadata", {{"labels", {{kLabelHomeUid, nullptr}}}}}});
  start();
  EXPECT_EQ(json::str(delegate("a"), {"metadata", "labels", kLabelHomeUid}), pod->uid());
  EXPECT_THAT(target_.podsIn("work"), SizeIs(1));
}

TEST_F(ClusterTest, ACopiedDelegateConfusesNothingAndGoesWithItsHomePod) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  const std::string uid = uidOf(delegate("a"));
  Json copy = delegate("a");
  copy["metadata"] = {{"name", "copy"},
                      {"namespace", "work"},
                      {"labels", copy["metadata"]["labels"]},
                      {"annotations", copy["metadata"]["annotations"]}};
  copy.erase("status");
  target_.addPod(copy);
  runtime_.advance(seconds(5));
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  EXPECT_EQ(records()[0].provider_uid, uid);
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a", {}));
  runtime_.advance(minutes(6));
  EXPECT_TRUE(homePod("a").is_null());
  EXPECT_TRUE(delegate("a").is_null());
  restart();
  runtime_.advance(seconds(20));
  EXPECT_TRUE(delegate("copy").is_null());
  EXPECT_THAT(records(), IsEmpty());
}

TEST_F(ClusterTest, ADelegatePutBackFromABackupGoesOnAndIsDeletedWithItsHomePod) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  cluster_.reset();
  Json back = delegate("a");
  back["metadata"].erase("uid");
  back["metadata"].erase("resourceVersion");
  ASSERT_TRUE(target_.remove("user", kube::kPods, "work", "a", {.grace_period_seconds = 0}));
  back.erase("status");
  target_.addPod(back, "backup");
  start();
  runtime_.advance(minutes(1));
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a", {}));
  runtime_.advance(seconds(5));
  EXPECT_TRUE(delegate("a").is_null());
  EXPECT_TRUE(homePod("a").is_null());
  EXPECT_THAT(records(), IsEmpty());
}

TEST_F(ClusterTest, WhileTheTargetIsCutOffTheNodeAndItsPodsSaySoOnce) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  const auto since = mark(home_);
  cutOff();
  runtime_.advance(minutes(3));
  EXPECT_EQ(condition(node(), "Ready"), "False TargetUnreachable");
  EXPECT_THAT(condition(node(), "TargetReachable"), HasSubstr("False"));
  EXPECT_EQ(podsReady(homePod("a")), "False TargetUnreachable");
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  EXPECT_THAT(writes(home_, since, "pods"), ElementsAre("patch pods/status work/a"));
  EXPECT_EQ(health_.back().state, "Unreachable");
  EXPECT_FALSE(health_.back().message.empty());
  comeBack();
  EXPECT_EQ(condition(node(), "Ready").substr(0, 4), "True");
  EXPECT_THAT(condition(node(), "TargetReachable"), HasSubstr("True"));
  EXPECT_THAT(podsReady(homePod("a")), HasSubstr("True"));
  EXPECT_EQ(health_.back().state, "Ready");
}

TEST_F(ClusterTest, AfterALongOutageTheWatchesGoOnAsSoonAsTheNodeIsReady) {
  start();
  cutOff();
  runtime_.advance(minutes(20));  // by now the watches try once a minute
  target_.setDown(false);
  for (int i = 0; i < 60 && target_.openWatches(kBridge) < 5; ++i) {
    ASSERT_NE(condition(node(), "Ready").substr(0, 4), "True") << "a watch still waits";
    runtime_.advance(seconds(1));
  }
  EXPECT_EQ(target_.openWatches(kBridge), 5u);  // pods, nodes, namespaces, copies
  runtime_.advance(seconds(1));
  EXPECT_EQ(condition(node(), "Ready").substr(0, 4), "True");
}

TEST_F(ClusterTest, OnceTheRightClusterAnswersAgainTheWatchesGoOnAtOnce) {
  start();
  swapTarget();
  runtime_.advance(minutes(20));
  target_.setDown(true);
  runtime_.advance(seconds(1));
  target_.setClusterId(target_id_);
  target_.setDown(false);
  runtime_.advance(seconds(25));  // two pings
  EXPECT_EQ(condition(node(), "Ready").substr(0, 4), "True");
  EXPECT_EQ(target_.openWatches(kBridge), 5u);
}

TEST_F(ClusterTest, OneLostPingIsNoOutage) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  const auto since = mark(home_);
  target_.faults().refuse(test::unreachable(), 2, test::requestsOf("raw"));
  runtime_.advance(minutes(1));
  EXPECT_THAT(writes(home_, since, "pods"), IsEmpty());
  EXPECT_EQ(condition(node(), "Ready").substr(0, 4), "True");
}

TEST_F(ClusterTest, AnotherClusterAtTheAddressIsNotWrittenToAndNothingFailsAtHome) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  // The other cluster has none of our pods, as one that was built anew.
  target_.holdWatches(true);
  ASSERT_TRUE(target_.remove("builder", kube::kPods, "work", "a", {.grace_period_seconds = 0}));
  swapTarget();
  target_.holdWatches(false);
  const auto since = mark(target_);
  addHomePod("b");
  runtime_.advance(minutes(30));
  EXPECT_THAT(writes(target_, since, "pods"), IsEmpty());
  EXPECT_THAT(writes(target_, since, "namespaces"), IsEmpty());
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  EXPECT_EQ(condition(node(), "Ready"), "False IdentityChanged");
  EXPECT_EQ(health_.back().state, "IdentityChanged");
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a", {}));
  runtime_.advance(minutes(1));
  EXPECT_FALSE(homePod("a").is_null()) << "gone from another cluster proves nothing";
}

TEST_F(ClusterTest, AMomentOfAnotherClusterDoesNotStopTheWatchesForMinutes) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(15));
  swapTarget();  // between two pings
  target_.setClusterId(target_id_);
  runtime_.advance(seconds(15));
  EXPECT_EQ(target_.openWatches(kBridge), 5u);
  EXPECT_EQ(condition(node(), "Ready").substr(0, 4), "True");
}

TEST_F(ClusterTest, DelegatesGoneWithTheirNamespaceAreLostByProof) {
  start();
  addHomePod("a");
  addHomePod("b", "t1", {{"metadata", {{"namespace", "other"}}}});
  runtime_.advance(seconds(3));
  // While nobody watches: its delegates are just not in the next list.
  target_.holdWatches(true);
  ASSERT_TRUE(target_.remove("user", kube::kNamespaces, "", "work"));
  runtime_.settle();
  ASSERT_TRUE(delegate("a").is_null());
  target_.compact();
  target_.cutWatches();
  target_.holdWatches(false);
  target_.requests.clear();
  runtime_.advance(seconds(20));
  int proofs = 0;
  for (const auto& request : target_.requests) {
    proofs += request.verb == "get" && request.resource == "pods";
  }
  EXPECT_EQ(proofs, 1);
  EXPECT_EQ(phaseOf(homePod("a")), "Failed");
  EXPECT_EQ(phaseOf(foundPod(home_, "b", "other")->json()), "Running");
  EXPECT_TRUE(delegate("a").is_null()) << "its containers do not start again under this UID";
}

TEST_F(ClusterTest, AnAbsenceThatTheServerDoesNotConfirmFailsNothing) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  target_.faults().refuse(test::internalError(), test::Fault::kForever,
                          test::requestsOf("get", "pods"));
  ASSERT_TRUE(target_.remove("user", kube::kPods, "work", "a", {.grace_period_seconds = 0}));
  runtime_.advance(minutes(2));
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  target_.faults().clear();
  runtime_.advance(minutes(2));
  EXPECT_EQ(phaseOf(homePod("a")), "Failed");
  EXPECT_THAT(events("DelegateLost"), SizeIs(1));
}

TEST_F(ClusterTest, OnHoldAnUnreachableTargetsNodeStaysReadyAndOnlyItsPodsDoNot) {
  addHomePod("a");
  state::ClusterOptions options;
  options.hold_unreachable = true;
  start(options);
  cutOff();
  EXPECT_THAT(condition(node(), "Ready"), HasSubstr("True"));
  EXPECT_THAT(condition(node(), "TargetReachable"), HasSubstr("False"));
  EXPECT_THAT(podsReady(homePod("a")), HasSubstr("False"));
  EXPECT_GT(json::array(node(), {"spec", "taints"}).size(), 1u);
  comeBack();
  EXPECT_THAT(condition(node(), "TargetReachable"), HasSubstr("True"));
  EXPECT_EQ(json::array(node(), {"spec", "taints"}).size(), 1u);
}

TEST_F(ClusterTest, AfterALongAbsenceTheLeaseComesFirstAndDeletionsAtABoundedRate) {
  const auto name = [](int i) { return "p" + std::to_string(i); };
  start();
  for (int i = 0; i < 40; ++i) addHomePod(name(i));
  runtime_.advance(seconds(10));
  cluster_.reset();
  runtime_.advance(minutes(5));
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(home_.remove("user", kube::kPods, "work", name(i), {.grace_period_seconds = 30}));
  }
  const std::size_t home_before = mark(home_), target_before = mark(target_);
  start({}, seconds(2));
  EXPECT_FALSE(writes(home_, home_before, "leases").empty());
  const auto deletions = [&] {
    const auto all = writes(target_, target_before, "pods");
    return std::count_if(all.begin(), all.end(),
                         [](const std::string& write) { return write.starts_with("delete"); });
  };
  EXPECT_GE(deletions(), 5);
  EXPECT_LE(deletions(), 15);
  runtime_.advance(minutes(1));
  EXPECT_EQ(deletions(), 40);
}

class MassLossTest : public ClusterTest {
 protected:
  static std::string name(int i) { return "p" + std::to_string(i); }
  void loseThirty() {
    start();
    for (int i = 0; i < 30; ++i) addHomePod(name(i));
    runtime_.advance(seconds(10));
    for (int i = 0; i < 30; ++i) {
      ASSERT_TRUE(
          target_.remove("wipe", kube::kPods, "work", name(i), {.grace_period_seconds = 0}));
    }
  }
  int failed() const {
    int count = 0;
    for (int i = 0; i < 30; ++i) count += phaseOf(homePod(name(i))) == "Failed";
    return count;
  }
};

TEST_F(MassLossTest, IsHeldBackForFiveMinutesAndSaidSo) {
  loseThirty();
  runtime_.advance(minutes(4));
  EXPECT_EQ(failed(), 10);
  EXPECT_THAT(condition(node(), "MassLoss"), HasSubstr("True"));
  EXPECT_EQ(health_.back().state, "MassLoss");
  runtime_.advance(minutes(2));
  EXPECT_EQ(failed(), 30);
  EXPECT_THAT(condition(node(), "MassLoss"), Not(HasSubstr("True")));
}

TEST_F(MassLossTest, IsBelievedAtOnceWhenAnOperatorConfirmsIt) {
  loseThirty();
  runtime_.advance(seconds(20));
  EXPECT_EQ(failed(), 10);
  cluster_->confirmLosses();
  runtime_.advance(seconds(20));
  EXPECT_EQ(failed(), 30);
  EXPECT_THAT(condition(node(), "MassLoss"), Not(HasSubstr("True")));
}

TEST_F(ClusterTest, AStopLeavesNodeAndPodsAndNothingIsCalledOrWrittenAfterwards) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  addHomePod("b");  // its turn is under way
  runtime_.executor.runOne();
  leave(false);
  cluster_->stop();
  const auto home_since = mark(home_), target_since = mark(target_);
  const std::size_t published = health_.size();
  runtime_.advance(minutes(10));
  EXPECT_EQ(health_.size(), published);
  EXPECT_EQ(left_, 0);
  EXPECT_THAT(writes(target_, target_since, "pods"), IsEmpty());
  EXPECT_THAT(writes(home_, home_since, "pods"), IsEmpty());
  EXPECT_THAT(writes(home_, home_since, "nodes"), IsEmpty());
  EXPECT_FALSE(node().is_null());
  EXPECT_EQ(target_.openWatches(kBridge), 0U);
  EXPECT_EQ(home_.openWatches(kBridge), 2U) << "of HomeObjects, which is not the cluster's";
}

TEST_F(ClusterTest, ARestartDoublesAndTouchesNothing) {
  start();
  for (const char* name : {"a", "b", "c"}) addHomePod(name);
  runtime_.advance(seconds(3));
  const auto home_since = mark(home_), target_since = mark(target_);
  restart();
  runtime_.advance(minutes(1));
  EXPECT_THAT(writes(target_, target_since, "pods"), IsEmpty());
  EXPECT_THAT(writes(home_, home_since, "pods"), IsEmpty());
  EXPECT_THAT(target_.podsIn("work"), SizeIs(3));
}

}  // namespace
}  // namespace vkb::bridge
