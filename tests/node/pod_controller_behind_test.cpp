// Home is ahead of what its watch has told.
#include <gmock/gmock.h>

#include "pod_controller_fixture.h"
#include "support/api_errors.h"
#include "vkbridge/errors.h"

namespace vkb::node {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST_F(PodControllerTest, APodThatHomeEndedUnseenKeepsItsEndAndItsContainersStop) {
  begin();
  const std::string uid = addPod("web");
  home_.holdWatches(true);
  home_.setPodStatus("default", "web", {{"phase", "Failed"}}, "controller");
  provider_.run(uid);
  rt_.advance(seconds(1));
  EXPECT_EQ(phase("web"), "Failed");
  EXPECT_EQ(provider_.count("delete"), 1);
}

TEST_F(PodControllerTest, WhileHomesWatchIsBrokenAPodIsMadeOnlyIfHomeStillWantsIt) {
  begin();
  provider_.create_error = Status{.code = 500, .reason = "InternalError", .message = "later"};
  addPod("ended");
  addPod("gone");
  const std::string wanted = addPod("wanted");
  home_.faults().refuse(test::internalError(), test::Fault::kForever, test::requestsOf("list"));
  home_.cutWatches();
  rt_.settle();
  home_.setPodStatus("default", "ended", {{"phase", "Failed"}}, "controller");
  removePod("gone", 0);
  provider_.create_error.reset();
  rt_.advance(minutes(2));
  EXPECT_EQ(provider_.made, 1);
  EXPECT_TRUE(provider_.pods.contains(wanted));
  home_.faults().clear();
  rt_.advance(minutes(2));
  EXPECT_EQ(provider_.made, 1);
  EXPECT_EQ(phase("ended"), "Failed");
}

TEST_F(PodControllerTest, AHomeRestoredToBeforeWhatItsWatchNeverToldIsToldItAgain) {
  begin();
  const std::string ended = addRunning("ended"), gone = addRunning("gone");
  removePod("gone", 30);
  const auto backup = home_.snapshot();
  home_.holdWatches(true);
  provider_.finish(gone);
  Json status = test::FakeProvider::running();
  status["phase"] = "Succeeded";
  provider_.setStatus(ended, status);
  rt_.settle();
  ASSERT_EQ(phase("ended"), "Succeeded");
  ASSERT_TRUE(pod("gone").is_null());
  home_.restore(*backup);
  home_.holdWatches(false);
  ASSERT_EQ(phase("ended"), "Running");
  rt_.advance(minutes(1));
  EXPECT_EQ(phase("ended"), "Succeeded");
  EXPECT_TRUE(pod("gone").is_null());
}

TEST_F(PodControllerTest, AHomeThatWentBackAndForthIsToldWhatItLackedThePodFor) {
  begin();
  const std::string uid = addRunning("web");
  home_.holdWatches(true);
  const auto present = home_.snapshot();
  removePod("web", 0);
  Json status = test::FakeProvider::running();
  status["phase"] = "Succeeded";
  provider_.setStatus(uid, status);
  rt_.settle();
  ASSERT_TRUE(pod("web").is_null());
  home_.restore(*present);  // the cache knows this very version, and no event comes
  home_.holdWatches(false);
  rt_.advance(seconds(5));
  EXPECT_EQ(phase("web"), "Succeeded");
}

TEST_F(PodControllerTest, AHomeThatWentBackAndForthHearsThatItsPodCannotBeReached) {
  begin();
  addRunning("web");
  home_.holdWatches(true);
  const auto present = home_.snapshot();
  removePod("web", 0);
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  home_.restore(*present);
  home_.holdWatches(false);
  ASSERT_EQ(ready("web"), "True");
  rt_.advance(seconds(5));
  EXPECT_EQ(ready("web"), "False");
}

TEST_F(PodControllerTest, AHomeRestoredToBeforeItHeardThatItsPodCannotBeReachedHearsItAgain) {
  begin();
  addRunning("web");
  const auto ready_then = home_.snapshot();
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  ASSERT_EQ(ready("web"), "False");
  home_.restore(*ready_then);
  ASSERT_EQ(ready("web"), "True");
  rt_.advance(seconds(5));
  EXPECT_EQ(ready("web"), "False");
}

TEST_F(PodControllerTest, AHomeThatWentBackBeforeItsWatchToldThatAPodCannotBeReachedHearsItAgain) {
  begin();
  addRunning("web");
  home_.holdWatches(true);
  const auto ready_then = home_.snapshot();
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  ASSERT_EQ(ready("web"), "False");
  home_.restore(*ready_then);
  home_.holdWatches(false);
  rt_.advance(seconds(5));
  EXPECT_EQ(ready("web"), "False");
}

TEST_F(PodControllerTest, WhatAnotherBridgeSaysAfterThatStandsThoughEventsComeTwice) {
  begin();
  addRunning("web");
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  ASSERT_EQ(ready("web"), "False");
  home_.doubleEvents(true);
  const Json reached = {{"type", "Ready"}, {"status", "True"}};
  home_.setPodStatus("default", "web", {{"conditions", Json::array({reached})}}, "other bridge");
  rt_.settle();
  EXPECT_EQ(ready("web"), "True");
}

class APodToBeMadeAnew : public PodControllerTest {
 protected:
  /// Home shows it as it ran, restored to before it was lost; it cannot be made again.
  void SetUp() override {
    remakes_lost_ = true;
    begin();
    uid_ = addRunning("web");
    const auto ran = home_.snapshot();
    provider_.create_error = errors::permanent("its name is taken", "NameTaken");
    provider_.vanish(uid_);
    rt_.settle();
    ASSERT_EQ(state(uid_), State::kWaiting);
    shutDown();
    home_.restore(*ran);
    ASSERT_EQ(ready("web"), "True");
    boot();
  }
  std::string uid_;
};

TEST_F(APodToBeMadeAnew, IsNotReadyInARestoredHomeWhileItCannotBe) {
  begin();
  EXPECT_EQ(ready("web"), "False");
  EXPECT_EQ(phase("web"), "Running");
  EXPECT_THAT(lastError(uid_), testing::HasSubstr("taken"));
}

TEST_F(APodToBeMadeAnew, IsNotReadyInARestoredHomeWhileTheTargetIsNotReached) {
  begin(ProviderState::kUnreachable);
  EXPECT_EQ(ready("web"), "False");
  EXPECT_THAT(lastError(uid_), testing::HasSubstr("why it is so"));
}

TEST_F(PodControllerTest, WhatAPodWaitsForStaysTheNewsOfItWhileTheTargetIsNotReached) {
  provider_.create_error = errors::permanent("its name is taken", "NameTaken");
  begin();
  const std::string uid = addPod("web");
  controller_->setProviderState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  EXPECT_THAT(lastError(uid), testing::HasSubstr("taken"));
}

TEST_F(PodControllerTest, WhatSomebodyWroteFirstIsGoneByAtOnceHoweverMuchFailedBefore) {
  begin();
  const std::string uid = addRunning("web");
  home_.faults().refuse(test::internalError(), 12, test::requestsOf("patch"));
  Json status = test::FakeProvider::running();
  status["phase"] = "Succeeded";
  provider_.setStatus(uid, status);
  while (requests("patch") < 11) rt_.advance(seconds(1));  // the next try is most of a minute away
  home_.holdWatches(true);
  home_.faults().clear();
  removePod("web", 30);
  rt_.settle();
  ASSERT_EQ(provider_.count("delete"), 0);
  provider_.notify(uid);
  controller_->setProviderState(ProviderState::kUnreachable, "no answer");
  controller_->setProviderState(ProviderState::kReady, "");
  rt_.settle();
  EXPECT_EQ(provider_.count("delete"), 1);
}

TEST_F(PodControllerTest, AClearNoIsOneThoughHomesPodWasChangedMeanwhile) {
  provider_.create_error = {
      .code = 409, .reason = "NameTaken", .message = "taken", .retry = Retry::kNever};
  provider_.on_create = [&](const PodRecord&) {
    home_.edit(kube::kPods, "default", "web", {{"metadata", {{"labels", {{"a", "b"}}}}}});
    rt_.settle();
  };
  begin();
  const std::string uid = addPod("web");
  ASSERT_EQ(provider_.count("create"), 1);
  EXPECT_EQ(state(uid), State::kWaiting);
  removePod("web", 30);
  EXPECT_TRUE(pod("web").is_null()) << "never made: gone at once";
}

TEST_F(PodControllerTest, ALostDelegateIsMadeAnewOnlyForAPodThatHomeStillHas) {
  remakes_lost_ = true;
  begin();
  const std::string gone = addRunning("gone"), ended = addRunning("ended"),
                    kept = addRunning("kept");
  home_.holdWatches(true);
  removePod("gone", 0);
  home_.setPodStatus("default", "ended", {{"phase", "Failed"}}, "controller");
  for (const std::string& uid : {gone, ended, kept}) provider_.vanish(uid);
  rt_.advance(seconds(5));
  EXPECT_EQ(provider_.made, 4);
  EXPECT_TRUE(provider_.pods.contains(kept));
}

}  // namespace
}  // namespace vkb::node
