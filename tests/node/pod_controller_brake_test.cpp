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
