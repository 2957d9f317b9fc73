#include "node/node_controller.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "kube/informer.h"
#include "kube/lease.h"
#include "support/fake_cluster.h"

namespace vkb::node {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class FakeNodeProvider final : public NodeProvider {
 public:
  Result<void> ping() override {
    ++pings;
    if (on_ping) on_ping();
    if (up) return {};
    return failure({.reason = reasons::kUnreachable, .message = "no route"});
  }
  Json node() override {
    return {{"metadata", {{"labels", {{"type", "virtual-kubelet"}}}}},
            {"spec", {{"taints", taints}}},
            {"status",
             {{"capacity", {{"cpu", cpu}, {"pods", "110"}}},
              {"allocatable", {{"cpu", cpu}, {"pods", "110"}}}}}};
  }
  void notifyNode(std::function<void()> callback) override { changed = std::move(callback); }
  void setCpu(const std::string& value) {
    cpu = value;
    changed();
  }

  bool up = true;
  std::function<void()> on_ping;
  int pings = 0;
  std::string cpu = "8";
  Json taints = Json::array(
      {{{"key", "virtual-kubelet.io/provider"}, {"value", "vk-bridge"}, {"effect", "NoSchedule"}}});
  std::function<void()> changed;
};

class NodeControllerTest : public ::testing::Test {
 protected:
  ~NodeControllerTest() override {
    if (controller_) controller_->stop();
  }
  void start() {
    controller_ = std::make_unique<NodeController>(
        NodeController::Deps{rt_.runtime(), *client_, provider_, logger_, metrics_, shared_},
        NodeController::Options{.node = "gpu",
                                .provider_id = "vk-bridge://target",
                                .when_unreachable = policy_,
                                .on_reachable = [this](bool reachable, const Status& why) {
                                  verdicts_.emplace_back(reachable, why.message);
                                }});
    controller_->start();
    rt_.settle();
  }
  void startReady() {
    start();
    controller_->setState(ProviderState::kReady, "");
    rt_.advance(seconds(3));
    ASSERT_FALSE(node().is_null());
  }
  Json node() const {
    const auto found = home_.find(kube::kNodes, "", "gpu");
    return found ? found->json() : Json();
  }
  Json lease() const {
    const auto found = home_.find(kube::kLeases, "kube-node-lease", "gpu");
    return found ? found->json() : Json();
  }
  std::string leaseOwner() const {
    const Json shown = lease();
    const Json& owners = json::array(shown, {"metadata", "ownerReferences"});
    return owners.empty() ? "" : json::str(owners[0], "uid");
  }
  std::string conditionStatus(const std::string& type) const {
    const Json shown = node();
    const Json* entry = json::findBy(json::array(shown, {"status", "conditions"}), "type", type);
    return entry ? json::str(*entry, "status") : "";
  }
  std::string taints() const {
    const Json shown = node();
    std::string keys;
    for (const auto& taint : json::array(shown, {"spec", "taints"})) {
      keys += json::str(taint, "key") + " ";
    }
    return keys;
  }
  /// A node of ours, and its lease, that nobody has renewed for `absence`.
  void leaveBehind(Duration absence) {
    addForeignNode("vk-bridge://target");
    ASSERT_TRUE(kube::NodeLease(rt_.clock, *client_, "gpu").renew("uid"));
    rt_.advance(absence);
  }
  std::ptrdiff_t requests(const std::string& verb, const std::string& resource) const {
    return std::count_if(home_.requests.begin(), home_.requests.end(), [&](const auto& request) {
      return request.actor == "bridge" && request.verb == verb && request.resource == resource;
    });
  }
  void addForeignNode(const std::string& provider_id) {
    home_.addNode("gpu", {{"spec", {{"providerID", provider_id}}},
                          {"metadata", {{"labels", {{"team", "a"}}}}}});
  }

  test::FakeRuntime rt_;
  test::FakeCluster home_{rt_};
  std::unique_ptr<kube::Client> client_ = home_.client("bridge");
  FakeNodeProvider provider_;
  base::NullLogger logger_;
  base::Metrics metrics_;
  WhenUnreachable policy_ = WhenUnreachable::kNotReady;
  kube::ObjectCache* shared_ = nullptr;
  std::vector<std::pair<bool, std::string>> verdicts_;
  std::unique_ptr<NodeController> controller_;
};

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

TEST_F(NodeControllerTest, ANodeOfOursIsAdoptedAsItIs) {
  addForeignNode("vk-bridge://target");
  const std::string uid = json::str(node(), {"metadata", "uid"});
  start();
  rt_.settle();
  EXPECT_EQ(requests("patch", "nodes"), 0) << "no verdict yet, nothing is claimed";
  EXPECT_EQ(leaseOwner(), uid) << "but its lease goes on";
  controller_->setState(ProviderState::kReady, "");
  rt_.settle();
  EXPECT_EQ(requests("create", "nodes"), 0);
  EXPECT_EQ(requests("patch", "nodes"), 2) << "its status, and its taints";
  EXPECT_EQ(json::str(node(), {"metadata", "uid"}), uid);
  EXPECT_EQ(json::str(node(), {"metadata", "labels", "team"}), "a");
  EXPECT_EQ(json::str(node(), {"status", "capacity", "cpu"}), "8");
}

TEST_F(NodeControllerTest, ANodeThatIsNotOursIsLeftAloneAndReported) {
  addForeignNode("aws://i-123");
  const Json before = node();
  start();
  controller_->setState(ProviderState::kReady, "");
  rt_.advance(minutes(30));
  EXPECT_EQ(node(), before);
  EXPECT_TRUE(lease().is_null());
  EXPECT_NE(controller_->registrationError().find("left alone"), std::string::npos);
  controller_->stop();
  EXPECT_TRUE(controller_->removeNode());
  EXPECT_EQ(node(), before);
}

TEST_F(NodeControllerTest, ATakenNameIsUsedAsSoonAsItIsFree) {
  addForeignNode("aws://i-123");
  start();
  controller_->setState(ProviderState::kReady, "");
  rt_.settle();
  ASSERT_TRUE(home_.remove("user", kube::kNodes, "", "gpu"));
  rt_.settle();
  EXPECT_EQ(json::str(node(), {"spec", "providerID"}), "vk-bridge://target");
  EXPECT_EQ(controller_->registrationError(), "");
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
