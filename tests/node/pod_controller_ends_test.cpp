// How pods end: deletion by proof, orphans, losses, and what a restart remembers.
#include "pod_controller_fixture.h"

namespace vkb::node {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kAnnotation = "vk-bridge.io/delegate";

TEST_F(PodControllerTest, ADeletionIsPassedOnWithItsGraceAndHomeGoesWithTheSeenEnd) {
  begin();
  const std::string uid = addRunning("web");
  removePod("web", 60);
  EXPECT_EQ(provider_.graces, (std::vector<std::optional<std::int64_t>>{60}));
  EXPECT_FALSE(pod("web").is_null()) << "its delegate is still there";
  rt_.advance(seconds(3));
  provider_.finish(uid);
  rt_.settle();
  EXPECT_TRUE(pod("web").is_null()) << "at once, not a grace period later";
  EXPECT_EQ(provider_.calls, (std::vector<std::string>{"create", "delete", "forget"}));
  EXPECT_EQ(requests("delete"), 1);
  EXPECT_EQ(requests("get"), 0);
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(PodControllerTest, StatusesFlowWhileThePodIsBeingDeleted) {
  begin();
  const std::string uid = addRunning("web");
  removePod("web", 60);
  Json status = test::FakeProvider::running();
  status["conditions"][0]["status"] = "False";
  provider_.setStatus(uid, status);
  rt_.settle();
  EXPECT_EQ(ready("web"), "False");
  EXPECT_EQ(provider_.count("delete"), 1);
}

TEST_F(PodControllerTest, TheLastWordsAreToldBeforeHomeGoes) {
  begin();
  const std::string uid = addRunning("web", {{"metadata", {{"finalizers", {"example.com/f"}}}}});
  removePod("web", 60);
  Json status = test::FakeProvider::running();
  status["phase"] = "Failed";
  status["containerStatuses"][0]["state"] = {{"terminated", {{"exitCode", 3}}}};
  provider_.pods.at(uid).status = status;
  provider_.finish(uid);
  rt_.settle();
  EXPECT_EQ(phase("web"), "Failed");
  const Json shown = pod("web");
  const Json* container =
      json::findBy(json::array(shown, {"status", "containerStatuses"}), "name", "c");
  ASSERT_TRUE(container);
  EXPECT_EQ(json::integer(*container, {"state", "terminated", "exitCode"}), 3);
  EXPECT_EQ(requests("delete"), 1) << "a finalizer is home's own business";
  EXPECT_EQ(provider_.count("get"), 0);
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(PodControllerTest, AReleasedPodThatAFinalizerKeepsIsNotRememberedAgain) {
  begin();
  const std::string uid = addRunning("web", {{"metadata", {{"finalizers", {"example.com/f"}}}}});
  removePod("web", 60);
  provider_.finish(uid);
  rt_.settle();
  home_.edit(kube::kPods, "default", "web", {{"metadata", {{"labels", {{"a", "b"}}}}}});
  rt_.settle();
  EXPECT_EQ(store_.size(), 0u);
  home_.edit(kube::kPods, "default", "web", {{"metadata", {{"finalizers", nullptr}}}});
  rt_.settle();
  EXPECT_TRUE(pod("web").is_null());
  EXPECT_EQ(store_.size(), 0u);
  EXPECT_EQ(provider_.count("get"), 0);
}

TEST_F(PodControllerTest, LastWordsThatHomeRefusesKeepNoPodThatIsGone) {
  begin();
  const std::string uid = addRunning("web");
  removePod("web", 60);
  home_.faults().refuse({.code = 422, .reason = "Invalid", .message = "no", .retry = Retry::kNever},
                        test::Fault::kForever, test::requestsOf("patch", "pods"));
  provider_.pods.at(uid).status["phase"] = "Succeeded";
  provider_.finish(uid);
  rt_.settle();
  EXPECT_TRUE(pod("web").is_null());
}

TEST_F(PodControllerTest, AShorterGraceIsPassedOnAndALongerOneIsNot) {
  begin();
  const std::string uid = addRunning("web");
  removePod("web", 60);
  removePod("web", 5);
  EXPECT_EQ(provider_.graces, (std::vector<std::optional<std::int64_t>>{60, 5}));
}

TEST_F(PodControllerTest, AnEndThatNobodySawIsProvenBeforeHomeGoes) {
  begin();
  const std::string uid = addRunning("web");
  removePod("web", 60);
  provider_.hidden.insert(uid);
  provider_.notify(uid);
  rt_.advance(seconds(10));
  EXPECT_GE(provider_.count("get"), 1);
  EXPECT_FALSE(pod("web").is_null()) << "the cache does not show it, the truth does";
  provider_.vanish(uid);
  rt_.advance(seconds(2));
  EXPECT_TRUE(pod("web").is_null());
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(PodControllerTest, WithoutAnAnswerNothingIsProven) {
  begin();
  const std::string uid = addRunning("web");
  const std::string lost = addRunning("lost");
  provider_.get_error = {.reason = reasons::kUnreachable, .message = "no route"};
  removePod("web", 60);
  provider_.vanish(uid);
  provider_.vanish(lost);
  rt_.advance(minutes(10));
  EXPECT_FALSE(pod("web").is_null());
  EXPECT_EQ(phase("lost"), "Running");
  provider_.get_error.reset();
  rt_.advance(minutes(1));
  EXPECT_TRUE(pod("web").is_null());
  EXPECT_EQ(phase("lost"), "Failed");
}

TEST_F(PodControllerTest, ADeleteThatFailsIsTriedAgainUntilItIsTaken) {
  begin();
  const std::string uid = addRunning("web");
  provider_.delete_error = {.code = 500, .reason = "InternalError", .message = "m"};
  removePod("web", 60);
  rt_.advance(hours(1));
  EXPECT_GE(provider_.count("delete"), 20);
  EXPECT_FALSE(pod("web").is_null());
  EXPECT_EQ(lastError(uid), "InternalError: m");
  provider_.delete_error.reset();
  rt_.advance(minutes(1));
  provider_.finish(uid);
  rt_.settle();
  EXPECT_TRUE(pod("web").is_null());
}

TEST_F(PodControllerTest, ADeleteThatTheProviderForgotIsAskedForAgain) {
  begin();
  const std::string uid = addRunning("web");
  provider_.forgets_deletes = true;
  removePod("web", 60);
  EXPECT_EQ(provider_.count("delete"), 1);
  rt_.advance(seconds(31));
  EXPECT_EQ(provider_.count("delete"), 2);
}

TEST_F(PodControllerTest,
       APodForceDeletedAtHomeLeavesAnOrphanThatIsDeletedAfterProofWithItsOwnGrace) {
  begin();
  const std::string uid = addRunning("web");
  removePod("web", 0);
  EXPECT_EQ(requests("get"), 1) << "home was asked whether the pod is gone";
  EXPECT_EQ(provider_.graces, (std::vector<std::optional<std::int64_t>>{std::nullopt}));
  EXPECT_EQ(state(uid), State::kDeleting);
  provider_.finish(uid);
  rt_.settle();
  EXPECT_EQ(store_.size(), 0u);
  EXPECT_EQ(provider_.count("get"), 0);
}

TEST_F(PodControllerTest, APodDeletedWhileTheBridgeWasDownLosesItsDelegateAfterRestart) {
  begin();
  const std::string uid = addRunning("web");
  shutDown();
  ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "web", {.grace_period_seconds = 0}));
  boot();
  begin();
  EXPECT_EQ(provider_.count("delete"), 1);
  provider_.finish(uid);
  rt_.settle();
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(PodControllerTest, AnOrphanOfALostStoreGoesToo) {
  begin();
  const std::string uid = addRunning("web");
  shutDown();
  store_.lose();
  ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "web", {.grace_period_seconds = 0}));
  boot();
  begin();
  EXPECT_EQ(provider_.count("delete"), 1);
  EXPECT_EQ(state(uid), State::kDeleting);
  EXPECT_EQ(store_.find(uid)->name, "web");
}

TEST_F(PodControllerTest, NothingEndsBecauseTheHomeCacheDoesNotShowAPod) {
  begin();
  const std::string running = addRunning("running"), gone = addRunning("gone");
  shutDown();
  provider_.vanish(gone);
  boot();
  controller_->setProviderState(ProviderState::kReady, "");  // home has not been listed yet
  rt_.advance(seconds(30));
  EXPECT_EQ(provider_.count("delete"), 0);
  EXPECT_TRUE(store_.find(running));
  EXPECT_TRUE(store_.find(gone)) << "forgotten, its containers would start again";
  informer_->start();
  rt_.advance(seconds(2));
  EXPECT_EQ(phase("gone"), "Failed");
  EXPECT_EQ(phase("running"), "Running");
  EXPECT_EQ(provider_.made, 2);
}

TEST_F(PodControllerTest, ADelegateThatIsGoneFailsItsPodAfterProofAndIsNeverMadeAgain) {
  begin();
  const std::string uid = addRunning("web");
  provider_.hidden.insert(uid);
  provider_.notify(uid);
  rt_.advance(seconds(5));
  EXPECT_EQ(phase("web"), "Running") << "a cache that does not show it decides nothing";
  EXPECT_EQ(events("DelegateLost"), 0);

  provider_.vanish(uid);
  rt_.advance(seconds(2));
  EXPECT_EQ(phase("web"), "Failed");
  EXPECT_EQ(json::str(pod("web"), {"status", "reason"}), "DelegateLost");
  EXPECT_EQ(ready("web"), "False");
  EXPECT_EQ(events("DelegateLost"), 1);
  EXPECT_EQ(state(uid), State::kTerminal);
  rt_.advance(hours(1));
  restart();
  EXPECT_EQ(provider_.made, 1);

  removePod("web", 30);
  EXPECT_TRUE(pod("web").is_null());
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(PodControllerTest, HomeRestoredToBeforeALossIsToldOfItAgain) {
  begin();
  const std::string uid = addRunning("web");
  const auto backup = home_.snapshot();
  provider_.finish(uid);
  rt_.settle();
  ASSERT_EQ(phase("web"), "Failed");
  home_.restore(*backup);
  ASSERT_EQ(phase("web"), "Running");
  rt_.advance(minutes(1));
  EXPECT_EQ(phase("web"), "Failed");
  EXPECT_EQ(provider_.made, 1);
}

TEST_F(PodControllerTest, ADelegateThatEndedByItselfBeforeItWentIsNoLoss) {
  begin();
  const std::string uid = addRunning("job");
  provider_.pods.at(uid).status["phase"] = "Succeeded";
  provider_.finish(uid);
  rt_.settle();
  EXPECT_EQ(phase("job"), "Succeeded");
  EXPECT_EQ(events("DelegateLost"), 0);
  EXPECT_EQ(state(uid), State::kTerminal);
  EXPECT_EQ(store_.find(uid)->phase, "Succeeded");
}

TEST_F(PodControllerTest, APodFailedAtHomeStopsItsContainers) {
  begin();
  const std::string uid = addRunning("web");
  home_.setPodStatus("default", "web", {{"phase", "Failed"}}, "user");
  rt_.settle();
  EXPECT_EQ(provider_.count("delete"), 1);
  provider_.finish(uid);
  rt_.settle();
  EXPECT_EQ(phase("web"), "Failed");
  EXPECT_EQ(provider_.made, 1);
}

TEST_F(PodControllerTest, ATerminalPodThatWasNeverServedIsLeftAlone) {
  addPod("done");
  home_.setPodStatus("default", "done", {{"phase", "Succeeded"}});
  begin();
  rt_.advance(hours(1));
  EXPECT_TRUE(provider_.calls.empty());
  EXPECT_EQ(requests("patch"), 0);
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(PodControllerTest, ADaemonSetsPodIsLeftAloneAndGoesAtOnce) {
  provider_.place_error = {
      .reason = "NotOffloaded", .message = "DaemonSet pods stay at home", .retry = Retry::kNever};
  begin();
  const std::string uid = addPod("agent");
  rt_.advance(hours(1));
  EXPECT_EQ(events("NotOffloaded"), 1);
  EXPECT_EQ(requests("patch"), 0) << "its controller judges it by its status";
  EXPECT_EQ(lastError(uid), "NotOffloaded: DaemonSet pods stay at home");
  removePod("agent", 30);
  EXPECT_TRUE(pod("agent").is_null());
  EXPECT_EQ(provider_.count("create") + provider_.count("get") + provider_.count("delete"), 0);
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(PodControllerTest, ARefusedPodGoesAtOnceThoughTheProviderIsUnreachable) {
  provider_.place_error = {.reason = "NotOffloaded", .message = "m", .retry = Retry::kNever};
  begin();
  addPod("agent");
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  removePod("agent", 30);
  EXPECT_TRUE(pod("agent").is_null());
}

TEST_F(PodControllerTest, APodDeletedWhileItsProviderIsUnreachableWaitsForProof) {
  begin();
  const std::string uid = addRunning("web");
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  removePod("web", 30);
  rt_.advance(hours(1));
  EXPECT_FALSE(pod("web").is_null());
  EXPECT_EQ(provider_.count("delete"), 0);
  controller_->setProviderState(ProviderState::kReady, "");
  rt_.settle();
  provider_.finish(uid);
  rt_.settle();
  EXPECT_TRUE(pod("web").is_null());
}

TEST_F(PodControllerTest, ADeletionAfterALostStoreStillWaitsForAnUnreachableProvider) {
  begin();
  const std::string uid = addPod("web");
  provider_.setStatus(uid, {{"phase", "Pending"}, {"message", "pulling"}});
  rt_.settle();
  shutDown();
  store_.lose();
  boot();
  begin(ProviderState::kUnreachable);
  provider_.hidden.insert(uid);
  removePod("web", 30);
  EXPECT_FALSE(pod("web").is_null()) << "its annotation says that a delegate may be there";
}

TEST_F(PodControllerTest, AnAttemptThatMayStillTakeEffectIsWaitedForThenProven) {
  begin();
  provider_.lose_next_create = true;
  provider_.on_create = [&](const PodRecord& record) { provider_.hidden.insert(record.uid); };
  const std::string uid = addPod("web");
  provider_.pods.clear();  // it has not taken effect yet
  removePod("web", 30);
  rt_.advance(seconds(29));
  EXPECT_FALSE(pod("web").is_null());
  EXPECT_EQ(provider_.count("get"), 0);
  rt_.advance(minutes(1));
  EXPECT_EQ(provider_.count("get"), 1);
  EXPECT_TRUE(pod("web").is_null());
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(PodControllerTest, ALateCreateWithoutItsHomePodIsCleanedUp) {
  begin();
  provider_.lose_next_create = true;
  provider_.on_create = [&](const PodRecord& record) { provider_.hidden.insert(record.uid); };
  const std::string uid = addPod("web");
  removePod("web", 0);
  EXPECT_TRUE(store_.find(uid)) << "the attempt may still take effect";
  provider_.hidden.clear();
  provider_.notify(uid);
  rt_.settle();
  EXPECT_EQ(provider_.count("delete"), 0) << "its name must not be free for another late create";
  rt_.advance(minutes(1));
  EXPECT_EQ(provider_.count("delete"), 1);
  provider_.finish(uid);
  rt_.settle();
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(PodControllerTest, StatusesFlowWhileADeletionWaitsForAnUnansweredAttempt) {
  begin();
  provider_.lose_next_create = true;
  const std::string uid = addPod("web");
  removePod("web", 300);
  provider_.run(uid);
  rt_.settle();
  EXPECT_EQ(phase("web"), "Running");
  EXPECT_EQ(provider_.count("delete"), 0);
  rt_.advance(minutes(1));
  EXPECT_EQ(provider_.count("delete"), 1);
}

TEST_F(PodControllerTest, ARecreatedPodWithTheSameNameGetsItsOwnDelegateWhenTheFormerIsGone) {
  begin();
  const std::string former = addRunning("web-0");
  removePod("web-0", 0);
  const std::string uid = addPod("web-0");
  rt_.advance(minutes(5));
  EXPECT_EQ(provider_.made, 1) << "the name is taken by its predecessor";
  EXPECT_EQ(phase("web-0"), "Pending");
  provider_.finish(former);
  rt_.settle();
  EXPECT_EQ(provider_.made, 2) << "woken by the end of the predecessor, not by a timer";
  EXPECT_EQ(provider_.pods.at(uid).pod.uid, "delegate-2");
  EXPECT_FALSE(store_.find(former));
}

TEST_F(PodControllerTest, ANamesakeNeverGetsTheStatusOfItsPredecessor) {
  begin();
  const std::string former = addRunning("web");
  home_.holdWatches(true);
  ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "web", {.grace_period_seconds = 0}));
  addPod("web");
  Json status = test::FakeProvider::running();
  status["phase"] = "Failed";
  provider_.setStatus(former, status);
  rt_.settle();
  EXPECT_EQ(phase("web"), "Pending");
  EXPECT_GE(requests("patch"), 2) << "it was sent, and its UID kept it from the wrong pod";
}

TEST_F(PodControllerTest, AfterALostStoreAPodThatRanIsLostAndNotStartedAgain) {
  begin();
  const std::string uid = addRunning("web");
  shutDown();
  store_.lose();
  provider_.vanish(uid);
  boot();
  begin();
  EXPECT_EQ(provider_.made, 1);
  EXPECT_EQ(phase("web"), "Failed");
  EXPECT_EQ(json::str(pod("web"), {"status", "reason"}), "DelegateLost");
}

TEST_F(PodControllerTest, AnAnnotationAloneKeepsNoPodFromBeingMade) {
  begin();
  addPod("copy", {{"metadata", {{"annotations", {{kAnnotation, "default/other/some-uid"}}}}}});
  EXPECT_EQ(provider_.made, 1);
}

TEST_F(PodControllerTest, GivingUpFailsAndRemovesEveryHomePodAndListsWhatMayStillRun) {
  begin();
  addRunning("web", {{"metadata", {{"finalizers", {"example.com/f"}}}}});
  addRunning("api");
  provider_.place_error = {.reason = "NotOffloaded", .message = "m", .retry = Retry::kNever};
  addPod("agent");
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  const auto may_run = controller_->abandonAll();
  ASSERT_TRUE(may_run);
  EXPECT_EQ(may_run->size(), 2u);
  EXPECT_EQ(phase("web"), "Failed") << "a finalizer keeps the object, so that it can be read";
  EXPECT_EQ(json::str(pod("web"), {"status", "reason"}), "TargetForgotten");
  EXPECT_TRUE(pod("api").is_null());
  EXPECT_TRUE(pod("agent").is_null());
  EXPECT_EQ(store_.size(), 0u);
  EXPECT_EQ(provider_.count("delete"), 0);
}

TEST_F(PodControllerTest, AStoppedControllerStartsNothing) {
  begin();
  controller_->stop();
  addPod("web");
  rt_.advance(hours(1));
  EXPECT_TRUE(provider_.calls.empty());
}

TEST_F(PodControllerTest, ASweepFindsAnOrphanThatNoEventToldOf) {
  begin();
  const std::string uid = addRunning("web");
  const auto orphan = provider_.pods.at(uid);
  removePod("web", 0);
  provider_.finish(uid);
  rt_.advance(std::chrono::minutes(1));
  ASSERT_TRUE(pod("web").is_null());
  const int deletions = provider_.count("delete");
  provider_.pods[uid] = orphan;
  const std::string served = addRunning("other");
  rt_.advance(std::chrono::minutes(1));
  ASSERT_EQ(provider_.count("delete"), deletions);

  controller_->sweep();
  rt_.advance(std::chrono::minutes(1));
  EXPECT_EQ(provider_.count("delete"), deletions + 1);
  EXPECT_TRUE(provider_.pods.contains(served));
}

TEST_F(PodControllerTest, WhatHomeEndedAndNobodySeesIsAskedForBeforeItCountsAsOver) {
  begin();
  const std::string hidden = addRunning("hidden"), gone = addRunning("gone");
  provider_.hidden.insert(hidden);
  provider_.pods.erase(gone);
  for (const char* name : {"hidden", "gone"}) {
    home_.setPodStatus("default", name, {{"phase", "Failed"}}, "controller");
  }
  rt_.settle();
  EXPECT_EQ(controller_->record(gone)->state, PodRecord::State::kTerminal);
  provider_.hidden.clear();  // the question made it known
  rt_.advance(seconds(2));
  EXPECT_EQ(provider_.count("delete"), 1);
}

}  // namespace
}  // namespace vkb::node
