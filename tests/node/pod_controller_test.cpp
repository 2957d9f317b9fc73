// Making, showing and changing pods. Their ends: pod_controller_ends_test.cpp.
#include "node/pod_controller.h"

#include "pod_controller_fixture.h"

namespace vkb::node {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr const char* kAnnotation = "vk-bridge.io/delegate";

TEST_F(PodControllerTest, APodBoundToTheNodeIsMadeOnceAndItsDelegateWrittenDown) {
  begin();
  const std::string uid = addPod("web");
  EXPECT_EQ(provider_.count("create"), 1);
  const auto record = store_.find(uid);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->state, State::kCreated);
  EXPECT_EQ(record->provider_uid, provider_.pods.at(uid).pod.uid);
  EXPECT_EQ(record->place_name, "web");
  rt_.advance(hours(1));
  EXPECT_EQ(provider_.count("create"), 1);
  EXPECT_EQ(provider_.made, 1);
}

TEST_F(PodControllerTest, APodThatWasJustMadeIsLookedAtAlthoughNothingIsHeardOfIt) {
  begin();
  const std::string uid = addPod("web");
  provider_.pods.at(uid).status = test::FakeProvider::running();
  rt_.advance(seconds(1));
  EXPECT_EQ(phase("web"), "Running");
  const int asked = provider_.status_asked;
  rt_.advance(hours(1));
  EXPECT_EQ(provider_.status_asked, asked) << "once";
}

TEST_F(PodControllerTest, NothingIsDoneBeforeTheProvidersStateIsKnown) {
  informer_->start();
  const std::string uid = addPod("web");
  EXPECT_TRUE(provider_.calls.empty());
  EXPECT_FALSE(store_.find(uid));
  EXPECT_EQ(requests("patch"), 0);
}

TEST_F(PodControllerTest, TheIntentIsDurableBeforeTheProviderIsAsked) {
  bool checked = false;
  provider_.on_create = [&](const PodRecord& asked) {
    const auto durable = store_.find(asked.uid);
    ASSERT_TRUE(durable);
    EXPECT_EQ(durable->state, State::kCreating);
    EXPECT_EQ(durable->place_name, "web");
    EXPECT_GE(durable->attempt_expires,
              rt_.clock.wallNow() + kube::kWriteCallDeadline + kube::kWriteTimeout);
    EXPECT_EQ(*durable, asked);
    checked = true;
  };
  begin();
  addPod("web");
  EXPECT_TRUE(checked);
}

TEST_F(PodControllerTest, AStoreThatFailsMeansThatNothingIsMade) {
  store_.failing = true;
  begin();
  const std::string uid = addPod("web");
  rt_.advance(seconds(5));
  EXPECT_EQ(provider_.count("create"), 0);
  store_.failing = false;
  rt_.advance(minutes(1));
  EXPECT_EQ(provider_.count("create"), 1);
  EXPECT_EQ(state(uid), State::kCreated);
}

TEST_F(PodControllerTest, ALostAnswerIsAskedForAgainAndMakesOneDelegate) {
  begin();
  provider_.lose_next_create = true;
  provider_.on_create = [&](const PodRecord& record) { provider_.hidden.insert(record.uid); };
  const std::string uid = addPod("web");
  EXPECT_EQ(state(uid), State::kCreating);
  EXPECT_EQ(events("Unanswered"), 0) << "a network failure is not the user's business";
  rt_.advance(seconds(1));
  EXPECT_EQ(provider_.count("create"), 2);
  EXPECT_EQ(provider_.made, 1);
  EXPECT_EQ(state(uid), State::kCreated);
  EXPECT_EQ(store_.find(uid)->provider_uid, provider_.pods.at(uid).pod.uid);
}

TEST_F(PodControllerTest, ADelegateThatALostAnswerMadeIsTakenUpWhenTheCacheShowsIt) {
  begin();
  provider_.lose_next_create = true;
  const std::string uid = addPod("web");
  provider_.notify(uid);
  rt_.settle();
  EXPECT_EQ(provider_.count("create"), 1);
  EXPECT_EQ(state(uid), State::kCreated);
  EXPECT_EQ(lastError(uid), "");
}

TEST_F(PodControllerTest, AClearNoMeansThatNothingWasMade) {
  provider_.create_error = {.code = 503, .reason = "Busy", .message = "later"};
  begin();
  const std::string uid = addPod("web");
  EXPECT_EQ(state(uid), State::kWaiting);
  EXPECT_EQ(lastError(uid), "Busy: later");
  removePod("web", 30);
  EXPECT_TRUE(pod("web").is_null()) << "never made: gone at once";
  EXPECT_EQ(provider_.count("get"), 0);
}

TEST_F(PodControllerTest, AClearNoAfterALostAnswerLeavesThatAttemptOpen) {
  begin();
  provider_.lose_next_create = true;
  provider_.on_create = [&](const PodRecord& record) {
    provider_.hidden.insert(record.uid);
    if (provider_.count("create") == 2) {
      provider_.create_error = {
          .code = 403, .reason = "Forbidden", .message = "quota", .retry = Retry::kSlow};
    }
  };
  const std::string uid = addPod("web");
  rt_.advance(seconds(1));
  ASSERT_EQ(provider_.count("create"), 2);
  EXPECT_EQ(state(uid), State::kCreating);
}

TEST_F(PodControllerTest, ARefusalIsShownOnceAndNotTriedAgainUntilThePodChanges) {
  provider_.place_error = {
      .reason = "NamespaceNotAllowed", .message = "allow it", .retry = Retry::kNever};
  begin();
  const std::string uid = addPod("web");
  EXPECT_EQ(state(uid), State::kWaiting);
  EXPECT_EQ(events("NamespaceNotAllowed"), 1);
  EXPECT_EQ(waitingReason("web"), "NamespaceNotAllowed");
  EXPECT_EQ(phase("web"), "Pending");
  EXPECT_EQ(lastError(uid), "NamespaceNotAllowed: allow it");

  provider_.place_error.reset();
  home_.edit(kube::kPods, "default", "web", {{"metadata", {{"annotations", {{"a", "b"}}}}}});
  rt_.advance(hours(1));
  EXPECT_EQ(provider_.count("create"), 0);
  home_.edit(kube::kPods, "default", "web", {{"spec", {{"activeDeadlineSeconds", 60}}}});
  rt_.settle();
  EXPECT_EQ(provider_.count("create"), 1);
  EXPECT_EQ(lastError(uid), "");
}

TEST_F(PodControllerTest, ChangedOptionsOfTheProviderReopenRefusals) {
  provider_.place_error = {.reason = "NamespaceNotAllowed", .message = "m", .retry = Retry::kNever};
  begin();
  addPod("web");
  provider_.place_error.reset();
  controller_->reconsiderRefusals();
  rt_.settle();
  EXPECT_EQ(provider_.count("create"), 1);
}

TEST_F(PodControllerTest, WhatNeedsAPersonIsTriedAgainSlowlyWithOneEvent) {
  provider_.place_error = {.reason = "DependencyMissing", .message = "m", .retry = Retry::kSlow};
  begin();
  const std::string uid = addPod("web");
  EXPECT_EQ(events("DependencyMissing"), 1);
  EXPECT_EQ(waitingReason("web"), "DependencyMissing");
  rt_.advance(seconds(14));
  const auto patches = requests("patch");
  rt_.advance(hours(2));
  EXPECT_EQ(events("DependencyMissing"), 1);
  EXPECT_EQ(requests("patch"), patches) << "the same refusal is told once";
  provider_.place_error.reset();
  rt_.advance(minutes(5));
  EXPECT_EQ(state(uid), State::kCreated);
}

TEST_F(PodControllerTest, AFailureThatPassesIsTriedAgainFastAndOneThatLastsIsAnEvent) {
  provider_.create_error = {.code = 500, .reason = "InternalError", .message = "m"};
  begin();
  const std::string uid = addPod("web");
  rt_.advance(seconds(2));
  EXPECT_GE(provider_.count("create"), 4);
  rt_.advance(seconds(20));
  EXPECT_EQ(events("InternalError"), 0);
  EXPECT_EQ(requests("patch"), 0);
  rt_.advance(hours(2));
  EXPECT_GE(provider_.count("create"), 100);
  EXPECT_EQ(events("InternalError"), 1);
  EXPECT_EQ(waitingReason("web"), "InternalError");
  EXPECT_EQ(requests("patch"), 1);
  provider_.create_error.reset();
  rt_.advance(minutes(1));
  EXPECT_EQ(state(uid), State::kCreated);
}

TEST_F(PodControllerTest, OwnStatusPatchesNeverEndABackoff) {
  // Each answer has other words, so that each is told at home, and the watch brings our own patch
  // back while the turn that failed is still under way.
  int tries = 0;
  provider_.on_create = [&](const PodRecord&) {
    provider_.create_error = {.code = 403,
                              .reason = "Forbidden",
                              .message = "request " + std::to_string(++tries),
                              .retry = Retry::kSlow};
  };
  home_.afterRequest = [&](const test::Request& request) {
    if (request.actor != "bridge" || request.verb != "patch" || tries > 20) return;
    while (rt_.executor.runOne()) {
    }
  };
  begin();
  addPod("web");
  rt_.advance(seconds(14));
  EXPECT_EQ(tries, 1);
}

TEST_F(PodControllerTest, AForeignPodOfThatNameIsARefusalAndStaysUntouched) {
  provider_.foreign.insert("default/web");
  begin();
  const std::string uid = addPod("web");
  rt_.advance(hours(1));
  EXPECT_EQ(events("NameTaken"), 1);
  EXPECT_EQ(waitingReason("web"), "NameTaken");
  EXPECT_TRUE(provider_.calls.empty());
  EXPECT_EQ(state(uid), State::kWaiting);
  removePod("web", 30);
  EXPECT_TRUE(pod("web").is_null());
  EXPECT_EQ(provider_.count("delete"), 0);
}

TEST_F(PodControllerTest, WhatTheDelegateSaysIsShownWithItsAnnotationInOnePatch) {
  begin();
  const std::string uid = addRunning("web");
  EXPECT_EQ(phase("web"), "Running");
  EXPECT_EQ(ready("web"), "True");
  EXPECT_EQ(json::str(pod("web"), {"status", "podIP"}), "10.1.0.1");
  EXPECT_EQ(json::str(pod("web"), {"metadata", "annotations", kAnnotation}),
            "default/web/" + provider_.pods.at(uid).pod.uid);
  EXPECT_EQ(requests("patch"), 1);
  const auto record = store_.find(uid);
  EXPECT_EQ(record->phase, "Running");
  EXPECT_TRUE(record->ready);
  EXPECT_EQ(record->provider_node, "worker-1");
  EXPECT_TRUE(record->lag);
}

TEST_F(PodControllerTest, AStatusThatShowsNothingNewIsNotSent) {
  begin();
  const std::string uid = addRunning("web");
  const auto requests_before = home_.requests.size();
  const int writes_before = store_.writes;
  for (int i = 0; i < 10; ++i) {
    provider_.run(uid);
    rt_.settle();
  }
  rt_.advance(minutes(3));
  EXPECT_EQ(requests("patch"), 1);
  EXPECT_EQ(store_.writes, writes_before);
  EXPECT_LE(home_.requests.size(), requests_before + 1) << "no more than a watch anew";
}

TEST_F(PodControllerTest, ManyChangesBeforeATurnAreOnePatch) {
  begin();
  const std::string uid = addPod("web");
  for (int restarts = 0; restarts < 5; ++restarts) {
    Json status = test::FakeProvider::running();
    status["containerStatuses"][0]["restartCount"] = restarts;
    provider_.setStatus(uid, status);
  }
  rt_.settle();
  EXPECT_EQ(requests("patch"), 1);
  EXPECT_EQ(store_.find(uid)->restarts, 4);
}

TEST_F(PodControllerTest, AnOutsideEditOfTheStatusIsPutRight) {
  begin();
  addRunning("web");
  home_.setPodStatus("default", "web", {{"podIP", "6.6.6.6"}}, "user");
  rt_.settle();
  EXPECT_EQ(json::str(pod("web"), {"status", "podIP"}), "10.1.0.1");
}

TEST_F(PodControllerTest, ATerminalStatusIsFinal) {
  begin();
  const std::string uid = addRunning("job");
  Json status = test::FakeProvider::running();
  status["phase"] = "Succeeded";
  provider_.setStatus(uid, status);
  rt_.settle();
  EXPECT_EQ(phase("job"), "Succeeded");
  EXPECT_EQ(state(uid), State::kTerminal);
  const auto patches = requests("patch");
  provider_.run(uid);
  rt_.settle();
  EXPECT_EQ(phase("job"), "Succeeded");
  EXPECT_EQ(requests("patch"), patches);
}

TEST_F(PodControllerTest, AChangedPodIsUpdatedOnce) {
  begin();
  const std::string uid = addRunning("web");
  home_.edit(kube::kPods, "default", "web", {{"spec", {{"activeDeadlineSeconds", 300}}}});
  rt_.settle();
  EXPECT_EQ(provider_.count("update"), 1);
  rt_.advance(hours(1));
  EXPECT_EQ(provider_.count("update"), 1);
  EXPECT_EQ(store_.find(uid)->inputs_hash, provider_.pods.at(uid).pod.inputs_hash);
}

TEST_F(PodControllerTest, AChangeThatIsNoInputUpdatesNothing) {
  begin();
  addRunning("web");
  home_.edit(kube::kPods, "default", "web", {{"metadata", {{"annotations", {{"a", "b"}}}}}});
  rt_.settle();
  EXPECT_EQ(provider_.count("update"), 0);
}

TEST_F(PodControllerTest, MarksThatWereEditedAwayArePutBack) {
  begin();
  const std::string uid = addRunning("web");
  provider_.pods.at(uid).pod.repair = true;
  provider_.notify(uid);
  rt_.executor.runOne();
  provider_.pods.at(uid).pod.repair = false;
  rt_.settle();
  EXPECT_EQ(provider_.count("update"), 1);
}

TEST_F(PodControllerTest, AnUpdateThatFailsDoesNotHoldBackTheStatus) {
  for (const Retry retry : {Retry::kFast, Retry::kSlow, Retry::kNever}) {
    SCOPED_TRACE(static_cast<int>(retry));
    const std::string name = "web-" + std::to_string(static_cast<int>(retry));
    if (retry == Retry::kFast) begin();
    const std::string uid = addRunning(name);
    provider_.update_error = {
        .code = 422, .reason = "DelegateRefused", .message = name, .retry = retry};
    home_.edit(kube::kPods, "default", name, {{"spec", {{"activeDeadlineSeconds", 300}}}});
    rt_.settle();
    Json status = test::FakeProvider::running();
    status["conditions"][0]["status"] = "False";
    provider_.setStatus(uid, status);
    rt_.settle();
    EXPECT_EQ(ready(name), "False");
    EXPECT_EQ(phase(name), "Running");
    EXPECT_EQ(lastError(uid), "DelegateRefused: " + name) << "the failure stays visible";
    provider_.update_error.reset();
    rt_.advance(minutes(10));
    EXPECT_EQ(lastError(uid).empty(), retry != Retry::kNever);
  }
}

TEST_F(PodControllerTest, ARefusedUpdateIsOneEventAndOneTry) {
  begin();
  const std::string uid = addRunning("web");
  provider_.update_error = {
      .code = 422, .reason = "DelegateRefused", .message = "m", .retry = Retry::kNever};
  home_.edit(kube::kPods, "default", "web", {{"spec", {{"activeDeadlineSeconds", 300}}}});
  rt_.settle();
  for (int restarts = 1; restarts < 4; ++restarts) {
    Json status = test::FakeProvider::running();
    status["containerStatuses"][0]["restartCount"] = restarts;
    provider_.setStatus(uid, status);
    rt_.settle();
  }
  EXPECT_EQ(provider_.count("update"), 1);
  EXPECT_EQ(events("DelegateRefused"), 1);
  EXPECT_EQ(store_.find(uid)->restarts, 3);
}

TEST_F(PodControllerTest, AStatusThatHomeRefusesIsReportedAndTriedAgainSlowly) {
  begin();
  const std::string uid = addPod("web");
  home_.faults().refuse({.code = 422, .reason = "Invalid", .message = "no", .retry = Retry::kNever},
                        1, test::requestsOf("patch", "pods"));
  provider_.run(uid);
  rt_.settle();
  EXPECT_EQ(events("ReflectRefused"), 1);
  EXPECT_EQ(lastError(uid), "ReflectRefused: no");
  rt_.advance(minutes(1));
  EXPECT_EQ(phase("web"), "Running");
  EXPECT_EQ(lastError(uid), "");
}

TEST_F(PodControllerTest, UnreachableTakesReadyAwayOnceAndGivesItBack) {
  begin();
  const std::string uid = addRunning("web");
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  EXPECT_EQ(ready("web"), "False");
  EXPECT_EQ(phase("web"), "Running");
  EXPECT_EQ(requests("patch"), 2);
  EXPECT_FALSE(store_.find(uid)->ready);
  EXPECT_EQ(lastError(uid), "Unreachable: no route");
  provider_.calls.clear();
  provider_.notify(uid);
  rt_.advance(minutes(10));
  EXPECT_EQ(requests("patch"), 2);
  EXPECT_TRUE(provider_.calls.empty());

  controller_->setProviderState(ProviderState::kReady, "");
  rt_.settle();
  EXPECT_EQ(ready("web"), "True");
  EXPECT_EQ(requests("patch"), 3);
  EXPECT_EQ(lastError(uid), "");
}

TEST_F(PodControllerTest, HomeRestoredFromABackupIsToldAnew) {
  begin();
  addRunning("web");
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  const auto backup = home_.snapshot();
  controller_->setProviderState(ProviderState::kReady, "");
  rt_.settle();
  ASSERT_EQ(ready("web"), "True");
  home_.restore(*backup);
  ASSERT_EQ(ready("web"), "False");
  rt_.advance(minutes(1));
  EXPECT_EQ(ready("web"), "True");
}

TEST_F(PodControllerTest, WhoeverContradictsAnUnreachableProviderIsNotAnswered) {
  begin();
  addRunning("web");
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  ASSERT_EQ(ready("web"), "False");
  // Another bridge of this home, say, that does reach the provider.
  home_.setPodStatus("default", "web",
                     {{"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})}},
                     "another bridge");
  rt_.advance(minutes(1));
  EXPECT_EQ(ready("web"), "True");
  EXPECT_EQ(requests("patch"), 2);

  controller_->setProviderState(ProviderState::kReady, "");
  rt_.settle();
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  EXPECT_EQ(ready("web"), "False");
}

TEST_F(PodControllerTest, NewPodsWaitForAnUnreachableProviderAndGoOnWhenItIsBack) {
  begin(ProviderState::kUnreachable);
  addPod("web");
  rt_.advance(hours(1));
  EXPECT_TRUE(provider_.calls.empty());
  controller_->setProviderState(ProviderState::kReady, "");
  rt_.settle();
  EXPECT_EQ(provider_.made, 1);
}

TEST_F(PodControllerTest, ALeavingClusterTakesNoNewPods) {
  begin(ProviderState::kLeaving);
  addPod("web");
  rt_.advance(hours(1));
  EXPECT_EQ(provider_.count("create"), 0);
}

TEST_F(PodControllerTest, AnEarlierDelegateIsTakenUpAfterTheStoreWasLost) {
  begin();
  const std::string uid = addRunning("web");
  store_.lose();
  restart();
  EXPECT_EQ(provider_.count("create"), 1);
  EXPECT_EQ(state(uid), State::kCreated);
  EXPECT_EQ(store_.find(uid)->provider_uid, provider_.pods.at(uid).pod.uid);
  EXPECT_EQ(store_.find(uid)->name, "web");
}

TEST_F(PodControllerTest, AfterARestartNothingIsMadeAgain) {
  begin();
  for (int i = 0; i < 20; ++i) addRunning("web-" + std::to_string(i));
  const auto patches = requests("patch");
  restart();
  rt_.advance(minutes(1));
  EXPECT_EQ(provider_.count("create"), 20);
  EXPECT_EQ(requests("patch"), patches);
  EXPECT_EQ(controller_->counts().pods, 20u);
  EXPECT_EQ(controller_->counts().active, 0u);
}

TEST_F(PodControllerTest, AnUnreadableStoreIsAnErrorAtStart) {
  store_.failing = true;
  EXPECT_FALSE(controller_->start());
}

}  // namespace
}  // namespace vkb::node
