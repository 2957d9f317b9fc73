// What a cluster offers under limits, credentials for one namespace alone, and a name that passes
// to another cluster.

#include <gmock/gmock.h>

#include "bridge/claim.h"
#include "bridge/provider_id.h"
#include "cluster_fixture.h"

namespace vkb::bridge {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::string allocatable(const Json& node, const char* resource) {
  return json::str(node, {"status", "allocatable", resource});
}

class Limits : public ClusterTest {};

TEST_F(Limits, CapWhatTheTargetsNodesHaveFree) {
  state::ClusterOptions options;
  options.limits = {{"cpu", "1"}, {"memory", "100Ti"}, {"example.com/fpga", "4"}};
  start(options);
  EXPECT_EQ(allocatable(node(), "cpu"), "1");
  EXPECT_NE(allocatable(node(), "memory"), "100Ti");
  EXPECT_NE(allocatable(node(), "memory"), "");
  EXPECT_EQ(allocatable(node(), "example.com/fpga"), "") << "no node offers it";
  EXPECT_EQ(json::at(node(), {"status", "capacity"}), json::at(node(), {"status", "allocatable"}));
}

TEST_F(Limits, FollowNodesThatGoBelowThem) {
  state::ClusterOptions options;
  options.limits = {{"cpu", "2"}};
  start(options);
  EXPECT_EQ(allocatable(node(), "cpu"), "2");
  ASSERT_TRUE(target_.client("admin")->patch(kube::kNodes, "", "worker-1", kube::PatchType::kMerge,
                                             {{"spec", {{"unschedulable", true}}}}));
  runtime_.advance(seconds(5));
  EXPECT_EQ(allocatable(node(), "cpu"), "0") << "cordoned";
}

/// As with a Role in namespace `team` of the target, and nothing else there.
class OneNamespace : public ClusterTest {
 protected:
  OneNamespace() {
    target_.addNamespace("team");
    identity_namespace_ = "team";
    target_id_ = uidOf(target_.find(kube::kNamespaces, "", "team")->json());
    target_.faults().refuse(
        {.code = 403, .reason = "Forbidden", .message = "only team", .retry = Retry::kSlow},
        test::Fault::kForever, [](const test::Request& request) {
          const bool own = request.resource == "namespaces" && request.verb == "get";
          return request.actor == kBridge && request.verb != "raw" &&
                 !(own && request.name == "team") && request.ns != "team";
        });
    options_.pods.namespace_strategy = state::NamespaceStrategy::kSingle;
    options_.pods.namespace_text = options_.claim_namespace = "team";
    options_.limits = {{"cpu", "8"}, {"memory", "16Gi"}};
    options_.one_namespace = true;
  }
  /// Requests to the target that its rules refused, but for what is asked and may be refused.
  std::vector<std::string> outside() const {
    std::vector<std::string> result;
    for (const test::Request& request : target_.requests) {
      const bool own =
          request.resource == "namespaces" && request.verb == "get" && request.name == "team";
      if (request.actor != kBridge || request.verb == "raw" || request.ns == "team" || own) {
        continue;
      }
      result.push_back(request.verb + " " + request.resource + " " + request.ns + "/" +
                       request.name);
    }
    return result;
  }

  /// With all that is in it.
  void removeNamespace() {
    EXPECT_TRUE(target_.remove("admin", kube::kNamespaces, "", "team"));
    runtime_.advance(minutes(1));
    EXPECT_FALSE(target_.find(kube::kNamespaces, "", "team"));
  }

  state::ClusterOptions options_;
};

TEST_F(OneNamespace, PodsRunAndEndAndNothingElseIsLookedAt) {
  home_.addNamespace("work");
  home_.add(kube::kConfigMaps,
            {{"metadata", {{"name", "cfg"}, {"namespace", "work"}}}, {"data", {{"k", "v"}}}});
  start(options_);
  EXPECT_EQ(condition(node(), "Ready"), "True KubeletReady");
  addHomePod("a", "t1",
             {{"spec", {{"volumes", {{{"name", "v"}, {"configMap", {{"name", "cfg"}}}}}}}}});
  runtime_.advance(seconds(10));
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  ASSERT_THAT(target_.podsIn("team"), SizeIs(1));
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a"));
  runtime_.advance(minutes(2));
  EXPECT_TRUE(homePod("a").is_null());
  EXPECT_THAT(target_.podsIn("team"), IsEmpty());
  EXPECT_THAT(outside(), IsEmpty());
}

TEST_F(OneNamespace, TheNodeOffersTheLimitsAndAsManyPodsAsAKubeletTakes) {
  start(options_);
  EXPECT_EQ(json::at(node(), {"status", "allocatable"}),
            R"({"cpu": "8", "memory": "16Gi", "pods": "110"})"_json);
  options_.limits["pods"] = "7";
  restart(options_);
  EXPECT_EQ(allocatable(node(), "pods"), "7");
}

TEST_F(OneNamespace, ARestartFindsItsPodsAgain) {
  start(options_);
  addHomePod("a");
  runtime_.advance(seconds(10));
  const auto before = target_.podsIn("team");
  ASSERT_THAT(before, SizeIs(1));
  const auto since = mark(target_);
  restart(options_);
  runtime_.advance(minutes(1));
  EXPECT_THAT(writes(target_, since, "pods"), IsEmpty());
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  EXPECT_THAT(outside(), IsEmpty());
}

TEST_F(OneNamespace, IsLeftWithNothingOfOursInIt) {
  start(options_);
  EXPECT_TRUE(target_.find(kube::kLeases, "team", claimName(home_.clusterId(), "t1")));
  leave(false);
  runtime_.advance(seconds(10));
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(node().is_null());
  EXPECT_FALSE(target_.find(kube::kLeases, "team", claimName(home_.clusterId(), "t1")));
  EXPECT_THAT(outside(), IsEmpty());
}

TEST_F(OneNamespace, OneThatWentWhileTheBridgeWasDownStopsEverythingAndIsNoLossOfPods) {
  start(options_);
  addHomePod("a");
  runtime_.advance(seconds(10));
  cluster_.reset();
  removeNamespace();
  start(options_, minutes(1));
  EXPECT_EQ(phaseOf(homePod("a")), "Running") << "nothing proves that its delegate is gone";
  EXPECT_EQ(condition(node(), "Ready"), "False TargetUnreachable");
}

TEST_F(OneNamespace, OneThatWasMadeAnewIsAnotherTarget) {
  start(options_);
  addHomePod("a");
  runtime_.advance(seconds(10));
  cluster_.reset();
  removeNamespace();
  target_.addNamespace("team");
  const auto since = mark(target_);
  start(options_, minutes(1));
  EXPECT_EQ(condition(node(), "Ready"), "False IdentityChanged");
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  EXPECT_THAT(writes(target_, since, "pods"), IsEmpty());
}

/// Another cluster stands behind the name, and the operator said so.
class DifferentCluster : public ClusterTest {
 protected:
  void replaceTarget(state::ClusterOptions options = {}) {
    cluster_.reset();
    for (const auto& pod : target_.podsIn("work")) {
      ASSERT_TRUE(target_.remove("admin", kube::kPods, "work",
                                 json::str(pod->json(), {"metadata", "name"}),
                                 {.grace_period_seconds = 0}));
    }
    former_target_ids_ = {target_id_};
    target_.setClusterId("another-cluster");
    target_id_ = target_.clusterId();
    start(std::move(options));
  }
};

TEST_F(DifferentCluster, ItsNodeIsMadeAnewAndThePodsOfTheFormerOneAreLost) {
  start();
  const std::string former_node = uidOf(node());
  addHomePod("a");
  runtime_.advance(seconds(10));
  ASSERT_EQ(phaseOf(homePod("a")), "Running");
  replaceTarget();
  runtime_.advance(seconds(10));
  EXPECT_NE(uidOf(node()), former_node);
  EXPECT_EQ(json::str(node(), {"spec", "providerID"}), providerIdOf("another-cluster"));
  EXPECT_EQ(condition(node(), "Ready"), "True KubeletReady");
  EXPECT_EQ(phaseOf(homePod("a")), "Failed");
  EXPECT_EQ(json::str(homePod("a"), {"status", "reason"}), "DelegateLost");
  addHomePod("b");
  runtime_.advance(seconds(10));
  EXPECT_EQ(phaseOf(homePod("b")), "Running");
}

TEST_F(DifferentCluster, PodsThatMayBeMadeAnewAre) {
  state::ClusterOptions options;
  options.recreate_lost = true;
  start(options);
  addHomePod("a");
  runtime_.advance(seconds(10));
  const std::string former = uidOf(delegate("a"));
  replaceTarget(options);
  runtime_.advance(seconds(20));
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  EXPECT_NE(uidOf(delegate("a")), former);
}

TEST_F(DifferentCluster, WithoutTheWordNothingIsTouched) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(10));
  const Json former_node = node();
  replaceTarget();
  former_target_ids_.clear();
  cluster_.reset();
  EXPECT_TRUE(home_.remove("admin", kube::kNodes, "", "t1"));
  home_.addNode("t1", {{"spec", {{"providerID", former_node["spec"]["providerID"]}}}});
  const std::string uid = uidOf(node());
  start();
  runtime_.advance(seconds(30));
  EXPECT_EQ(uidOf(node()), uid) << "a node that is not this cluster's is left alone";
}

}  // namespace
}  // namespace vkb::bridge
