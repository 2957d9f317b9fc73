// The brake against mass loss, as the pod controller uses it.
#include "pod_controller_fixture.h"

namespace vkb::node {
namespace {

using std::chrono::hours;

TEST_F(PodControllerTest, TooManyLossesPullTheBrakeUntilItIsReleased) {
  begin();
  std::vector<std::string> uids;
  for (int i = 0; i < 15; ++i) uids.push_back(addRunning("web-" + std::to_string(i)));
  for (const auto& uid : uids) provider_.vanish(uid);
  rt_.advance(hours(1));
  const auto failed = [&] {
    int result = 0;
    for (const auto& each : home_.podsIn("default")) {
      result += json::str(each->json(), {"status", "phase"}) == "Failed";
    }
    return result;
  };
  EXPECT_EQ(failed(), 10);
  EXPECT_EQ(mass_losses_, 1);
  EXPECT_EQ(controller_->providerState(), ProviderState::kMassLoss);

  addPod("new");
  removePod("web-14", 30);
  EXPECT_EQ(provider_.made, 16) << "new pods are made all the same";
  EXPECT_FALSE(pod("web-14").is_null()) << "a home object goes only with proof that is believed";

  controller_->releaseBrake();
  rt_.settle();
  EXPECT_TRUE(pod("web-14").is_null());
  EXPECT_EQ(failed(), 14);
  EXPECT_EQ(controller_->providerState(), ProviderState::kReady);
}

TEST_F(PodControllerTest, TheBrakeHoldsOrphansToo) {
  begin();
  for (int i = 0; i < 15; ++i) addRunning("web-" + std::to_string(i));
  shutDown();
  for (int i = 0; i < 15; ++i) {
    ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "web-" + std::to_string(i),
                             {.grace_period_seconds = 0}));
  }
  boot();
  begin();
  rt_.advance(hours(1));
  EXPECT_EQ(provider_.count("delete"), 10);
  controller_->releaseBrake();
  rt_.settle();
  EXPECT_EQ(provider_.count("delete"), 15);
}

TEST_F(PodControllerTest, OneOrphanWhoseDeletionIsRetriedDoesNotPullTheBrake) {
  begin();
  addRunning("web");
  provider_.delete_error = {.code = 500,
                            .reason = "InternalError",
                            .message = "m",
                            .retryAfter = std::chrono::milliseconds(1)};
  const std::string uid = home_.findPod("default", "web")->uid();
  removePod("web", 0);
  for (int i = 0; i < 30; ++i) {
    provider_.notify(uid);
    rt_.settle();
  }
  EXPECT_GE(provider_.count("delete"), 30);
  EXPECT_EQ(mass_losses_, 0);
}

TEST_F(PodControllerTest, DeletionsThatTheUserAskedForAndAGetProvedAreNoLosses) {
  begin();
  std::vector<std::string> uids;
  for (int i = 0; i < 50; ++i) uids.push_back(addRunning("web-" + std::to_string(i)));
  for (int i = 0; i < 50; ++i) removePod("web-" + std::to_string(i), 30);
  for (const auto& uid : uids) provider_.vanish(uid);  // the watch was broken: no end was seen
  rt_.settle();
  EXPECT_TRUE(home_.podsIn("default").empty());
  EXPECT_EQ(mass_losses_, 0);
  EXPECT_GE(provider_.count("get"), 50) << "but each is proven";
}

TEST_F(PodControllerTest, FinishedPodsClearedAwayInMassesAreNoLosses) {
  begin();
  for (int i = 0; i < 50; ++i) {
    const std::string uid = addRunning("job-" + std::to_string(i));
    Json done = test::FakeProvider::running();
    done["phase"] = "Succeeded";
    provider_.setStatus(uid, done);
  }
  rt_.settle();
  for (int i = 0; i < 50; ++i) removePod("job-" + std::to_string(i));
  EXPECT_EQ(provider_.count("delete"), 50);
  EXPECT_EQ(mass_losses_, 0);
}

TEST_F(PodControllerTest, AfterALongAbsenceDeletionsBeginAtABoundedRate) {
  begin();
  for (int i = 0; i < 50; ++i) addRunning("web-" + std::to_string(i));
  controller_->deleteCarefully(5);
  for (int i = 0; i < 50; ++i) removePod("web-" + std::to_string(i), 30);
  EXPECT_EQ(provider_.count("delete"), 5);
  rt_.advance(std::chrono::seconds(4));
  EXPECT_GE(provider_.count("delete"), 24);
  EXPECT_LE(provider_.count("delete"), 26);
  rt_.advance(std::chrono::seconds(10));
  EXPECT_EQ(provider_.count("delete"), 50);
  rt_.advance(std::chrono::minutes(1));
  for (int i = 0; i < 50; ++i) addRunning("new-" + std::to_string(i));
  for (int i = 0; i < 50; ++i) removePod("new-" + std::to_string(i), 30);
  EXPECT_EQ(provider_.count("delete"), 100) << "that is over";
}

TEST_F(PodControllerTest, WhatUsersDeleteAfterTheAbsenceGoesAtOnce) {
  begin();
  for (int i = 0; i < 50; ++i) addRunning("web-" + std::to_string(i));
  shutDown();
  boot();
  informer_->start();
  rt_.settle();
  controller_->deleteCarefully(5);
  controller_->setProviderState(ProviderState::kReady, "");
  rt_.settle();
  for (int i = 0; i < 50; ++i) removePod("web-" + std::to_string(i), 30);
  EXPECT_EQ(provider_.count("delete"), 50);
}

TEST_F(PodControllerTest, ADeleteThatIsRefusedForGoodIsAskedForAgainAllTheSame) {
  begin();
  const std::string uid = addRunning("web");
  provider_.delete_error = {
      .code = 422, .reason = "Invalid", .message = "no", .retry = Retry::kNever};
  removePod("web", 30);
  rt_.advance(hours(1));
  EXPECT_GE(provider_.count("delete"), 5);
  provider_.delete_error.reset();
  rt_.advance(std::chrono::minutes(6));
  provider_.finish(uid);
  rt_.settle();
  EXPECT_TRUE(pod("web").is_null());
}

TEST_F(PodControllerTest, OrderlyDeletionsAreNoLosses) {
  begin();
  std::vector<std::string> uids;
  for (int i = 0; i < 50; ++i) uids.push_back(addRunning("web-" + std::to_string(i)));
  for (int i = 0; i < 50; ++i) removePod("web-" + std::to_string(i), 30);
  for (const auto& uid : uids) provider_.finish(uid);
  rt_.settle();
  EXPECT_TRUE(home_.podsIn("default").empty());
  EXPECT_EQ(mass_losses_, 0);
}

}  // namespace
}  // namespace vkb::node
