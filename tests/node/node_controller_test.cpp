#include "node_controller_fixture.h"

namespace vkb::node {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST_F(NodeControllerTest, ANodeIsRegisteredWithTheFirstVerdictAndNotBefore) {
  start();
  rt_.advance(seconds(30));
  EXPECT_TRUE(node().is_null());
  EXPECT_TRUE(lease().is_null()) << "a lease would promise a node";
  controller_->setState(ProviderState::kReady, "");
  rt_.settle();
  EXPECT_EQ(json::str(node(), {"spec", "providerID"}), "vk-bridge://target");
  EXPECT_EQ(json::str(node(), {"status", "capacity", "cpu"}), "8");
  EXPECT_EQ(json::str(node(), {"metadata", "labels", "type"}), "virtual-kubelet");
  EXPECT_EQ(conditionStatus("Ready"), "True");
  EXPECT_EQ(controller_->registrationError(), "");
}

TEST_F(NodeControllerTest, AnUnreachableTargetsNodeIsRegisteredAsNotReady) {
  start();
  controller_->setState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  EXPECT_EQ(conditionStatus("Ready"), "False");
  EXPECT_EQ(conditionStatus("TargetReachable"), "False");
}

TEST_F(NodeControllerTest, RegistrationIsTriedUntilItSucceeds) {
  home_.faults().refuse({.code = 500, .reason = "InternalError", .message = "etcd"}, 10,
                        test::requestsOf("create", "nodes"));
  start();
  controller_->setState(ProviderState::kReady, "");
  rt_.settle();
  EXPECT_EQ(controller_->registrationError(), "etcd");
  rt_.advance(minutes(3));
  EXPECT_FALSE(node().is_null());
  EXPECT_EQ(controller_->registrationError(), "");
}

TEST_F(NodeControllerTest, AForbiddenRegistrationIsReportedAndTriedAgain) {
  home_.faults().refuse(
      {.code = 422, .reason = "Invalid", .message = "a webhook says no", .retry = Retry::kNever}, 1,
      test::requestsOf("create", "nodes"));
  start();
  controller_->setState(ProviderState::kReady, "");
  rt_.settle();
  EXPECT_EQ(controller_->registrationError(), "a webhook says no");
  rt_.advance(minutes(1));
  EXPECT_FALSE(node().is_null());
}

TEST_F(NodeControllerTest, ADeletedNodeIsRegisteredAgainAndItsLeaseGetsTheNewOwner) {
  startReady();
  const std::string former = json::str(node(), {"metadata", "uid"});
  ASSERT_TRUE(home_.remove("user", kube::kNodes, "", "gpu"));
  rt_.advance(seconds(3));
  const std::string uid = json::str(node(), {"metadata", "uid"});
  EXPECT_FALSE(uid.empty());
  EXPECT_NE(uid, former);
  EXPECT_EQ(leaseOwner(), uid);
  rt_.advance(minutes(1));
  EXPECT_FALSE(lease().is_null()) << "the former owner's end takes nothing of the new node's";
}

TEST_F(NodeControllerTest, ADeletedNodeStaysAwayWhileItsClusterLeaves) {
  startReady();
  controller_->setState(ProviderState::kLeaving, "");
  rt_.advance(seconds(3));
  EXPECT_FALSE(node().is_null());
  ASSERT_TRUE(home_.remove("user", kube::kNodes, "", "gpu"));
  rt_.advance(minutes(10));
  EXPECT_TRUE(node().is_null());
}

TEST_F(NodeControllerTest, TheLeaseIsRenewedEveryTenSeconds) {
  startReady();
  const auto before = requests("update", "leases");
  std::string last = json::str(lease(), {"spec", "renewTime"});
  for (int i = 0; i < 10; ++i) {
    rt_.advance(seconds(10));
    const std::string now = json::str(lease(), {"spec", "renewTime"});
    EXPECT_GT(now, last);
    last = now;
  }
  EXPECT_EQ(requests("update", "leases") - before, 10);
  EXPECT_EQ(json::str(lease(), {"spec", "holderIdentity"}), "gpu");
  EXPECT_EQ(json::integer(lease(), {"spec", "leaseDurationSeconds"}), 40);
}

TEST_F(NodeControllerTest, TheLeaseGoesOnWhileTheTargetIsUnreachable) {
  startReady();
  provider_.up = false;
  controller_->setState(ProviderState::kUnreachable, "no route");
  const std::string before = json::str(lease(), {"spec", "renewTime"});
  rt_.advance(minutes(1));
  EXPECT_GT(json::str(lease(), {"spec", "renewTime"}), before) << "the bridge lives";
}

TEST_F(NodeControllerTest, AFailedRenewalIsTriedAgainLongBeforeTheLeaseRunsOut) {
  startReady();
  home_.faults().refuse({.code = 500, .reason = "InternalError", .message = "m"}, 5,
                        test::requestsOf("update", "leases"));
  const std::string before = json::str(lease(), {"spec", "renewTime"});
  rt_.advance(seconds(25));
  EXPECT_GT(json::str(lease(), {"spec", "renewTime"}), before);
}

TEST_F(NodeControllerTest, TheFirstAnswerIsAVerdictAtOnce) {
  start();
  EXPECT_EQ(verdicts_, (std::vector<std::pair<bool, std::string>>{{true, ""}}));
}

TEST_F(NodeControllerTest, ThreeFailuresAreDownTwoSuccessesUp) {
  start();
  verdicts_.clear();
  provider_.up = false;
  rt_.advance(seconds(20));
  EXPECT_TRUE(verdicts_.empty()) << "two failures";
  rt_.advance(seconds(10));
  EXPECT_EQ(verdicts_, (std::vector<std::pair<bool, std::string>>{{false, "no route"}}));
  provider_.up = true;
  rt_.advance(seconds(10));
  EXPECT_EQ(verdicts_.size(), 1u) << "one success";
  rt_.advance(seconds(10));
  EXPECT_EQ(verdicts_.back(), (std::pair<bool, std::string>{true, ""}));
  EXPECT_EQ(verdicts_.size(), 2u);
}

TEST_F(NodeControllerTest, AFlappingTargetChangesNothing) {
  start();
  verdicts_.clear();
  for (int i = 0; i < 10; ++i) {
    provider_.up = false;
    rt_.advance(seconds(20));
    provider_.up = true;
    rt_.advance(seconds(10));
  }
  EXPECT_TRUE(verdicts_.empty());
}

TEST_F(NodeControllerTest, ATargetThatNeverAnsweredIsDownAfterThreeFailuresAndUpWithTwo) {
  provider_.up = false;
  start();
  rt_.advance(seconds(19));
  EXPECT_TRUE(verdicts_.empty());
  rt_.advance(seconds(1));
  ASSERT_EQ(verdicts_.size(), 1u);
  EXPECT_FALSE(verdicts_[0].first);
  provider_.up = true;
  rt_.advance(seconds(20));
  ASSERT_EQ(verdicts_.size(), 2u);
  EXPECT_TRUE(verdicts_[1].first);
}

TEST_F(NodeControllerTest, WhatAnotherBridgeServesFromTheStartIsPingedAllTheSame) {
  addForeignNode("vk-bridge://target");
  const auto other = home_.client("other");
  kube::NodeLease his(rt_.clock, *other, "gpu");
  ASSERT_TRUE(his.renew(json::str(node(), {"metadata", "uid"})));
  home_.setDown("bridge", true);
  start();
  controller_->setState(ProviderState::kClaimedElsewhere, "b serves it");
  home_.setDown("bridge", false);
  for (int i = 0; i < 3; ++i) {
    rt_.advance(std::chrono::seconds(10));
    ASSERT_TRUE(his.renew(json::str(node(), {"metadata", "uid"})));
  }
  EXPECT_GT(provider_.pings, 1);
}

TEST_F(NodeControllerTest, PingsComeEveryTenSecondsAndNeverPileUp) {
  startReady();
  const int before = provider_.pings;
  for (int i = 0; i < 50; ++i) provider_.setCpu(std::to_string(i));
  rt_.advance(minutes(2));
  EXPECT_EQ(provider_.pings - before, 12);
}

TEST_F(NodeControllerTest, ChangesOfCapacityAreCoalescedToOnePatchInTwoSeconds) {
  startReady();
  const auto before = requests("patch", "nodes");
  for (int i = 0; i < 100; ++i) {
    provider_.setCpu(std::to_string(100 + i));
    rt_.advance(std::chrono::milliseconds(100));
  }
  EXPECT_LE(requests("patch", "nodes") - before, 6);
  rt_.advance(seconds(2));
  EXPECT_EQ(json::str(node(), {"status", "capacity", "cpu"}), "199") << "the last one counts";
}

TEST_F(NodeControllerTest, WhereNothingComesOfChangesTheyAreLookedAtOnceInTwoSeconds) {
  startReady();
  const int before = provider_.asked;
  for (int i = 0; i < 100; ++i) {
    provider_.changed();
    rt_.advance(std::chrono::milliseconds(100));
  }
  EXPECT_LE(provider_.asked - before, 6);
  EXPECT_GE(provider_.asked - before, 5);
}

TEST_F(NodeControllerTest, AStateAndADeletedNodeDoNotWaitForTheNextLookAtCapacity) {
  startReady();
  provider_.changed();
  rt_.settle();
  controller_->setState(ProviderState::kUnreachable, "no route");
  rt_.settle();
  EXPECT_EQ(conditionStatus("Ready"), "False");
  rt_.advance(seconds(5));
  provider_.changed();
  rt_.settle();
  ASSERT_TRUE(home_.remove("user", kube::kNodes, "", "gpu"));
  rt_.settle();
  EXPECT_FALSE(node().is_null());
}

TEST_F(NodeControllerTest, WhatIsLearntRightAfterRegistrationIsShownAtOnce) {
  start();
  controller_->setState(ProviderState::kReady, "");
  rt_.settle();
  ASSERT_FALSE(node().is_null());
  provider_.setCpu("9");
  rt_.settle();
  EXPECT_EQ(json::str(node(), {"status", "capacity", "cpu"}), "9");
}

TEST_F(NodeControllerTest, ANodeThatSomebodyDeletesOverAndOverIsMadeOnceInTwoSeconds) {
  startReady();
  const auto before = requests("create", "nodes");
  for (int i = 0; i < 50; ++i) {
    if (!node().is_null()) {
      ASSERT_TRUE(home_.remove("vandal", kube::kNodes, "", "gpu"));
    }
    rt_.advance(std::chrono::milliseconds(200));
  }
  EXPECT_LE(requests("create", "nodes") - before, 6);
  rt_.advance(seconds(3));
  EXPECT_FALSE(node().is_null());
}

TEST_F(NodeControllerTest, AHomeRestoredToBeforeOurLastWriteIsToldItAgain) {
  startReady();
  const auto backup = home_.snapshot();
  controller_->setState(ProviderState::kIdentityChanged, "another cluster answers");
  rt_.advance(std::chrono::seconds(3));
  ASSERT_EQ(conditionStatus("Ready"), "False");
  home_.restore(*backup);
  ASSERT_EQ(conditionStatus("Ready"), "True");
  rt_.advance(std::chrono::seconds(3));
  EXPECT_EQ(conditionStatus("Ready"), "False");
}

TEST_F(NodeControllerTest, ANodeThatIsAsItShouldBeIsPatchedForItsHeartbeatAlone) {
  startReady();
  const auto before = requests("patch", "nodes");
  for (int i = 0; i < 20; ++i) provider_.changed();
  rt_.advance(minutes(4));
  EXPECT_EQ(requests("patch", "nodes"), before);
  rt_.advance(minutes(7));
  EXPECT_GE(requests("patch", "nodes"), before + 1);
  EXPECT_LE(requests("patch", "nodes"), before + 3);
}

TEST_F(NodeControllerTest, AStateIsShownWithItsReasonWithinTwoSeconds) {
  startReady();
  provider_.setCpu("9");
  rt_.settle();
  controller_->setState(ProviderState::kUnreachable, "no route");
  rt_.advance(seconds(2));
  EXPECT_EQ(conditionStatus("Ready"), "False");
  controller_->setState(ProviderState::kMassLoss, "too many");
  rt_.advance(seconds(2));
  EXPECT_EQ(conditionStatus("Ready"), "True");
  EXPECT_EQ(conditionStatus("MassLoss"), "True");
}

TEST_F(NodeControllerTest, WhatOthersWroteOnTheNodeStays) {
  startReady();
  home_.edit(kube::kNodes, "", "gpu",
             {{"metadata", {{"labels", {{"team", "a"}}}, {"annotations", {{"note", "x"}}}}},
              {"spec", {{"unschedulable", true}}}});
  provider_.setCpu("16");
  rt_.advance(seconds(3));
  EXPECT_EQ(json::str(node(), {"status", "capacity", "cpu"}), "16");
  EXPECT_EQ(json::str(node(), {"metadata", "labels", "team"}), "a");
  EXPECT_EQ(json::str(node(), {"metadata", "annotations", "note"}), "x");
  EXPECT_TRUE(json::boolean(node(), {"spec", "unschedulable"}));
}

TEST_F(NodeControllerTest, AfterAnAbsenceTheLeaseIsRenewedBeforeAnyVerdict) {
  leaveBehind(minutes(5));
  bool renewed_first = false;
  const std::string before = json::str(lease(), {"spec", "renewTime"});
  provider_.on_ping = [&] { renewed_first = json::str(lease(), {"spec", "renewTime"}) > before; };
  start();
  EXPECT_EQ(verdicts_.size(), 1u);
  EXPECT_TRUE(renewed_first);
  EXPECT_EQ(controller_->absence(), Duration(minutes(5)));
}

TEST_F(NodeControllerTest, ALeaseThatCannotBeRenewedDelaysTheVerdictButDoesNotPreventIt) {
  leaveBehind(minutes(5));
  home_.faults().refuse({.code = 403, .reason = "Forbidden", .message = "no"}, 5,
                        test::requestsOf("update", "leases"));
  start();
  EXPECT_EQ(verdicts_.size(), 1u);
  EXPECT_EQ(controller_->absence(), Duration(minutes(5)));
}

TEST_F(NodeControllerTest, ANodeThatNeverLivedWasNeverAbsent) {
  startReady();
  EXPECT_EQ(verdicts_.size(), 1u);
  rt_.advance(minutes(5));
  EXPECT_FALSE(controller_->absence());
}

TEST_F(NodeControllerTest, AHeldNodeStaysReadyTakesNoNewPodsAndIsFreedWhenTheTargetIsBack) {
  policy_ = WhenUnreachable::kHold;
  startReady();
  controller_->setState(ProviderState::kUnreachable, "no route");
  rt_.advance(seconds(3));
  EXPECT_EQ(conditionStatus("Ready"), "True");
  EXPECT_EQ(conditionStatus("TargetReachable"), "False");
  EXPECT_EQ(taints(), "virtual-kubelet.io/provider vk-bridge.io/unreachable ");
  controller_->setState(ProviderState::kReady, "");
  rt_.advance(seconds(3));
  EXPECT_EQ(conditionStatus("TargetReachable"), "True");
  EXPECT_EQ(taints(), "virtual-kubelet.io/provider ");
}

TEST_F(NodeControllerTest, TaintsFollowTheProviderAndStayAsTheOperatorPutsThem) {
  startReady();
  provider_.taints.push_back({{"key", "gpu"}, {"effect", "NoSchedule"}});
  provider_.changed();
  rt_.advance(seconds(3));
  EXPECT_EQ(taints(), "virtual-kubelet.io/provider gpu ");
  home_.edit(kube::kNodes, "", "gpu",
             {{"spec", {{"taints", Json::array({{{"key", "mine"}, {"effect", "NoExecute"}}})}}}});
  provider_.setCpu("16");
  rt_.advance(seconds(3));
  EXPECT_EQ(taints(), "mine ");
}

TEST_F(NodeControllerTest, ANodeWhoseTaintsMayNotBeChangedLivesAllTheSame) {
  addForeignNode("vk-bridge://target");
  home_.faults().refuse({.code = 403, .reason = "Forbidden", .message = "not you"},
                        test::Fault::kForever, [](const test::Request& request) {
                          return request.verb == "patch" && request.resource == "nodes" &&
                                 request.subresource.empty();
                        });
  startReady();
  rt_.advance(minutes(1));
  EXPECT_EQ(conditionStatus("Ready"), "True");
  EXPECT_FALSE(lease().is_null());
  EXPECT_EQ(controller_->registrationError(), "not you");
}

TEST_F(NodeControllerTest, ASharedWatchTellsOfADeletedNodeToo) {
  kube::Informer nodes(rt_.runtime(), *client_, logger_,
                       {.resource = kube::kNodes, .list = {}, .name = "all"});
  shared_ = &nodes;
  startReady();
  nodes.start();
  rt_.settle();
  const auto watches = requests("watch", "nodes");
  ASSERT_TRUE(home_.remove("user", kube::kNodes, "", "gpu"));
  rt_.advance(seconds(3));
  EXPECT_FALSE(node().is_null());
  EXPECT_EQ(watches, 1) << "no watch of its own";
  controller_->stop();
}

TEST_F(NodeControllerTest, RemovingTheNodeTakesOursAndIsDoneWhenThereIsNone) {
  startReady();
  controller_->stop();
  EXPECT_TRUE(controller_->removeNode());
  EXPECT_TRUE(node().is_null());
  EXPECT_TRUE(controller_->removeNode());
}

TEST_F(NodeControllerTest, AStoppedControllerWritesNothing) {
  startReady();
  controller_->stop();
  const auto before = home_.requests.size();
  provider_.setCpu("99");
  controller_->setState(ProviderState::kUnreachable, "m");
  rt_.advance(minutes(10));
  EXPECT_EQ(home_.requests.size(), before);
  EXPECT_EQ(rt_.executor.timers(), 0u);
}

}  // namespace
}  // namespace vkb::node
