// Whose node is it? Which one the controller takes for its own, leaves alone, or makes anew.

#include "node_controller_fixture.h"

namespace vkb::node {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

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

TEST_F(NodeControllerTest, TheNodeOfAClusterThatStoodBehindTheNameBeforeIsMadeAnew) {
  former_ = {"vk-bridge://before"};
  addForeignNode("vk-bridge://before");
  const std::string uid = json::str(node(), {"metadata", "uid"});
  start();
  rt_.advance(seconds(30));
  EXPECT_EQ(json::str(node(), {"metadata", "uid"}), uid) << "no verdict yet";
  EXPECT_EQ(controller_->registrationError(), "");
  controller_->setState(ProviderState::kReady, "");
  rt_.settle();
  EXPECT_EQ(json::str(node(), {"spec", "providerID"}), "vk-bridge://target");
  EXPECT_NE(json::str(node(), {"metadata", "uid"}), uid);
  EXPECT_EQ(leaseOwner(), json::str(node(), {"metadata", "uid"}));
}

TEST_F(NodeControllerTest, TheNodeOfAnEarlierClusterGoesWithOursAndStaysWhileAnotherServesIt) {
  former_ = {"vk-bridge://before"};
  addForeignNode("vk-bridge://before");
  start();
  controller_->setState(ProviderState::kClaimedElsewhere, "");
  rt_.advance(minutes(5));
  EXPECT_EQ(json::str(node(), {"spec", "providerID"}), "vk-bridge://before");
  controller_->setState(ProviderState::kLeaving, "");
  rt_.settle();
  EXPECT_EQ(json::str(node(), {"spec", "providerID"}), "vk-bridge://before");
  controller_->stop();
  EXPECT_TRUE(controller_->removeNode());
  EXPECT_TRUE(node().is_null());
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

}  // namespace
}  // namespace vkb::node
