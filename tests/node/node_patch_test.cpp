#include "node/node_patch.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "json/json.h"
#include "json/strategic_merge.h"

namespace vkb::node {
namespace {

const std::string kBegin = "2026-01-01T00:00:00Z", kLater = "2026-01-01T00:10:00Z";

Json provided() {
  return {
      {"metadata", {{"labels", {{"type", "virtual-kubelet"}, {"vk-bridge.io/cluster", "gpu"}}}}},
      {"spec",
       {{"taints", Json::array({{{"key", "virtual-kubelet.io/provider"},
                                 {"value", "vk-bridge"},
                                 {"effect", "NoSchedule"}}})}}},
      {"status",
       {{"capacity", {{"cpu", "8"}, {"memory", "16Gi"}, {"example.com/gpu", "2"}}},
        {"allocatable", {{"cpu", "8"}, {"memory", "16Gi"}, {"example.com/gpu", "2"}}},
        {"nodeInfo", {{"operatingSystem", "linux"}, {"kubeletVersion", "v1.36.0"}}},
        {"addresses", Json::array({{{"type", "InternalIP"}, {"address", "10.0.0.1"}}})}}}};
}

Json ready() { return nodeConditions(ProviderState::kReady, ""); }

/// As registered by us, with what other writers then added.
Json current() {
  Json node = newNode("gpu", "vk-bridge://target", provided(), ready(), kBegin);
  node["metadata"]["uid"] = "node-uid";
  node["metadata"]["labels"]["team"] = "a";
  node["metadata"]["annotations"]["manual"] = "1";
  node["status"]["conditions"].push_back({{"type", "KernelDeadlock"}, {"status", "False"}});
  node["spec"]["taints"].push_back(
      {{"key", "node.kubernetes.io/unschedulable"}, {"effect", "NoSchedule"}});
  return node;
}

std::optional<Json> patchTo(const Json& wanted, const Json& conditions, bool heartbeat = false) {
  return nodePatch(current(), wanted, conditions, kLater, heartbeat);
}

Json applied(Json node, const Json& patch) {
  EXPECT_TRUE(json::applyStrategicMerge(node, patch));
  return node;
}

const Json& conditionOf(const Json& node, const std::string& type) {
  static const Json kNull;
  const Json* found = json::findBy(json::array(node, {"status", "conditions"}), "type", type);
  return found ? *found : kNull;
}

/// No null for a whole map or list anywhere but for single keys of the resource maps.
void expectNoNullCollections(const Json& patch) {
  for (const char* map : {"metadata", "spec", "status"}) {
    EXPECT_FALSE(patch.contains(map) && patch[map].is_null()) << map;
    for (const auto& [key, value] : json::object(patch, {map}).items()) {
      EXPECT_FALSE(value.is_null()) << map << "." << key;
    }
  }
}

TEST(NewNode, HasTheProvidersNodeOurConditionsAndOneMomentForAllTimes) {
  const Json node = newNode("gpu", "vk-bridge://target", provided(), ready(), kBegin);
  EXPECT_EQ(json::str(node, {"metadata", "name"}), "gpu");
  EXPECT_EQ(json::str(node, {"spec", "providerID"}), "vk-bridge://target");
  EXPECT_EQ(json::at(node, {"spec", "taints"}), json::at(provided(), {"spec", "taints"}));
  EXPECT_EQ(json::at(node, {"metadata", "labels"}), json::at(provided(), {"metadata", "labels"}));
  EXPECT_EQ(json::at(node, {"status", "capacity"}), json::at(provided(), {"status", "capacity"}));
  ASSERT_EQ(json::array(node, {"status", "conditions"}).size(), ready().size());
  for (const auto& condition : json::array(node, {"status", "conditions"})) {
    EXPECT_EQ(json::str(condition, "lastTransitionTime"), kBegin);
    EXPECT_EQ(json::str(condition, "lastHeartbeatTime"), kBegin);
  }
}

TEST(NewNode, AProviderThatKnowsNothingYetStillGivesAValidNode) {
  const Json node = newNode("gpu", "vk-bridge://target", Json::object(), ready(), kBegin);
  EXPECT_TRUE(json::at(node, {"metadata", "labels"}).is_object());
  EXPECT_TRUE(json::at(node, {"spec", "taints"}).is_array());
}

TEST(NodeConditions, SayWhatEachStateMeans) {
  struct Row {
    ProviderState state;
    const char *ready, *reason, *reachable, *mass_loss;
  };
  const Row rows[] = {
      {ProviderState::kReady, "True", "KubeletReady", "True", "False"},
      {ProviderState::kLeaving, "True", "KubeletReady", "True", "False"},
      {ProviderState::kMassLoss, "True", "KubeletReady", "True", "True"},
      {ProviderState::kUnreachable, "False", "TargetUnreachable", "False", "False"},
      {ProviderState::kCredentialsRejected, "False", "CredentialsRejected", "False", "False"},
      {ProviderState::kIdentityChanged, "False", "IdentityChanged", "False", "False"},
      {ProviderState::kClaimedElsewhere, "False", "ClaimedElsewhere", "True", "False"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(toString(row.state));
    const Json node{{"status", {{"conditions", nodeConditions(row.state, "why")}}}};
    EXPECT_EQ(json::str(conditionOf(node, "Ready"), "status"), row.ready);
    EXPECT_EQ(json::str(conditionOf(node, "Ready"), "reason"), row.reason);
    EXPECT_EQ(json::str(conditionOf(node, "TargetReachable"), "status"), row.reachable);
    EXPECT_EQ(json::str(conditionOf(node, "MassLoss"), "status"), row.mass_loss);
    EXPECT_EQ(json::str(conditionOf(node, "NetworkUnavailable"), "status"), "False");
    if (std::string(row.ready) == "False") {
      EXPECT_EQ(json::str(conditionOf(node, "Ready"), "message"), "why");
    }
    std::set<std::string> types;
    for (const auto& entry : node["status"]["conditions"]) types.insert(json::str(entry, "type"));
    EXPECT_EQ(types.size(), node["status"]["conditions"].size()) << "one entry a type";
  }
}

TEST(NodePatch, NothingIsSentWhenAllIsAsWanted) { EXPECT_FALSE(patchTo(provided(), ready())); }

TEST(NodePatch, TimesAloneAreSentOnlyAsAHeartbeat) {
  const auto patch = patchTo(provided(), ready(), true);
  ASSERT_TRUE(patch);
  const Json node = applied(current(), *patch);
  EXPECT_EQ(json::str(conditionOf(node, "Ready"), "lastHeartbeatTime"), kLater);
  EXPECT_EQ(json::str(conditionOf(node, "Ready"), "lastTransitionTime"), kBegin);
}

TEST(NodePatch, CarriesTheUidSoThatItCanHitNoOtherNodeOfThatName) {
  EXPECT_EQ(json::str(*patchTo(provided(), ready(), true), {"metadata", "uid"}), "node-uid");
}

TEST(NodePatch, OnlyAConditionThatChangedGetsANewTransitionTime) {
  const auto patch = patchTo(provided(), nodeConditions(ProviderState::kUnreachable, "no route"));
  ASSERT_TRUE(patch);
  const Json node = applied(current(), *patch);
  EXPECT_EQ(json::str(conditionOf(node, "Ready"), "status"), "False");
  EXPECT_EQ(json::str(conditionOf(node, "Ready"), "lastTransitionTime"), kLater);
  EXPECT_EQ(json::str(conditionOf(node, "TargetReachable"), "lastTransitionTime"), kLater);
  EXPECT_EQ(json::str(conditionOf(node, "MemoryPressure"), "lastTransitionTime"), kBegin);
  EXPECT_EQ(json::str(conditionOf(node, "MemoryPressure"), "lastHeartbeatTime"), kLater);
}

TEST(NodePatch, AnotherMessageIsSentWithoutATransition) {
  Json node = current();
  node =
      applied(node, *patchTo(provided(), nodeConditions(ProviderState::kUnreachable, "no route")));
  const auto patch =
      nodePatch(node, provided(), nodeConditions(ProviderState::kUnreachable, "refused"),
                "2026-01-01T00:20:00Z", false);
  ASSERT_TRUE(patch);
  node = applied(node, *patch);
  EXPECT_EQ(json::str(conditionOf(node, "Ready"), "message"), "refused");
  EXPECT_EQ(json::str(conditionOf(node, "Ready"), "lastTransitionTime"), kLater);
}

TEST(NodePatch, EverythingOfOthersStays) {
  Json wanted = provided();
  wanted["metadata"]["labels"]["zone"] = "z1";
  wanted["status"]["capacity"]["cpu"] = "16";
  wanted["status"]["addresses"][0]["address"] = "10.0.0.2";
  const auto patch = patchTo(wanted, nodeConditions(ProviderState::kUnreachable, "m"));
  ASSERT_TRUE(patch);
  expectNoNullCollections(*patch);
  EXPECT_FALSE(patch->contains("spec")) << "nodes/status takes none";
  const Json node = applied(current(), *patch);
  EXPECT_EQ(json::str(node, {"metadata", "labels", "team"}), "a");
  EXPECT_EQ(json::str(node, {"metadata", "labels", "zone"}), "z1");
  EXPECT_EQ(json::str(node, {"metadata", "annotations", "manual"}), "1");
  EXPECT_EQ(conditionOf(node, "KernelDeadlock"),
            (Json{{"type", "KernelDeadlock"}, {"status", "False"}}));
  EXPECT_EQ(json::at(node, {"spec", "taints"}), json::at(current(), {"spec", "taints"}));
  EXPECT_EQ(json::str(node, {"status", "capacity", "cpu"}), "16");
}

TEST(NodePatch, OurConditionThatSomebodyRemovedIsPutBack) {
  Json node = current();
  node["status"]["conditions"].erase(0);
  const auto patch = nodePatch(node, provided(), ready(), kLater, false);
  ASSERT_TRUE(patch);
  EXPECT_EQ(json::str(conditionOf(applied(node, *patch), "Ready"), "status"), "True");
}

TEST(NodePatch, OurLabelThatSomebodyChangedIsPutBack) {
  Json node = current();
  node["metadata"]["labels"]["type"] = "other";
  node["metadata"]["labels"].erase("vk-bridge.io/cluster");
  const auto patch = nodePatch(node, provided(), ready(), kLater, false);
  ASSERT_TRUE(patch);
  EXPECT_EQ(json::at(*patch, {"metadata", "labels"}), json::at(provided(), {"metadata", "labels"}));
}

TEST(NodePatch, AResourceNoLongerOfferedIsNamedNull) {
  Json wanted = provided();
  wanted["status"]["capacity"].erase("example.com/gpu");
  wanted["status"]["allocatable"].erase("example.com/gpu");
  const auto patch = patchTo(wanted, ready());
  ASSERT_TRUE(patch);
  EXPECT_EQ(json::at(*patch, {"status", "capacity"}), (Json{{"example.com/gpu", nullptr}}));
  EXPECT_EQ(json::at(applied(current(), *patch), {"status", "allocatable"}),
            json::at(wanted, {"status", "allocatable"}));
}

TEST(NodePatch, ALabelOfOursThatIsNoLongerSaidGoesAndOthersStay) {
  Json wanted = provided();
  wanted["metadata"]["labels"].erase("vk-bridge.io/cluster");
  const auto patch = patchTo(wanted, ready());
  ASSERT_TRUE(patch);
  const Json node = applied(current(), *patch);
  EXPECT_EQ(json::at(node, {"metadata", "labels"}),
            (Json{{"type", "virtual-kubelet"}, {"team", "a"}}));
  // Set by somebody else from now on: no longer ours to take away.
  Json later = node;
  later["metadata"]["labels"]["vk-bridge.io/cluster"] = "by hand";
  EXPECT_FALSE(nodePatch(later, wanted, ready(), kLater, false));
}

TEST(NodePatch, AResourceThatAnotherWriterOffersStays) {
  Json node = current();
  node["status"]["capacity"]["example.com/dongle"] = "4";
  node["status"]["allocatable"]["example.com/dongle"] = "4";
  EXPECT_FALSE(nodePatch(node, provided(), ready(), kLater, false));
  Json wanted = provided();
  wanted["status"]["capacity"].erase("example.com/gpu");
  wanted["status"]["allocatable"].erase("example.com/gpu");
  const Json after = applied(node, *nodePatch(node, wanted, ready(), kLater, false));
  EXPECT_EQ(json::str(after, {"status", "capacity", "example.com/dongle"}), "4");
  EXPECT_FALSE(after["status"]["allocatable"].contains("example.com/gpu"));
}

TEST(NodePatch, AnAdoptedNodeWithoutOurMemoryLosesNothing) {
  Json node = current();
  node["metadata"].erase("annotations");
  node["metadata"]["labels"]["of-before"] = "x";
  const auto patch = nodePatch(node, provided(), ready(), kLater, false);
  ASSERT_TRUE(patch) << "it remembers from now on";
  const Json after = applied(node, *patch);
  EXPECT_EQ(after["metadata"]["labels"], node["metadata"]["labels"]);
  EXPECT_EQ(after["status"], node["status"]);
}

TEST(NodePatch, AMemoryThatSomebodySpoiledIsNoCrash) {
  for (const char* text : {"", "x", "[]", "{\"labels\":7}", "{\"labels\":[7,null]}"}) {
    Json node = current();
    node["metadata"]["annotations"]["vk-bridge.io/applied"] = text;
    node["metadata"]["annotations"]["vk-bridge.io/applied-taints"] = text;
    const auto patch = nodePatch(node, provided(), ready(), kLater, false);
    ASSERT_TRUE(patch) << text;
    EXPECT_EQ(applied(node, *patch)["metadata"]["labels"], node["metadata"]["labels"]);
    EXPECT_TRUE(taintPatch(node, provided())) << text;
  }
}

Json taint(const std::string& key, const std::string& value = "",
           const std::string& effect = "NoSchedule") {
  Json result{{"key", key}, {"effect", effect}};
  if (!value.empty()) result["value"] = value;
  return result;
}

Json withTaints(Json taints) {
  Json wanted = provided();
  wanted["spec"]["taints"] = std::move(taints);
  return wanted;
}

Json taintsAfter(const Json& node, const Json& wanted) {
  const auto patch = taintPatch(node, wanted);
  return patch ? applied(node, *patch)["spec"]["taints"] : node["spec"]["taints"];
}

TEST(TaintPatch, NothingIsSentWhenAllIsAsWanted) {
  EXPECT_FALSE(taintPatch(current(), provided()));
  EXPECT_FALSE(taintPatch(current(), Json::object())) << "a provider that knows nothing yet";
}

TEST(TaintPatch, WhatTheProviderSaysAnewIsSetAndWhatItDropsGoes) {
  const Json ours = provided()["spec"]["taints"][0];
  const Json foreign = current()["spec"]["taints"][1];
  EXPECT_EQ(taintsAfter(current(), withTaints(Json::array({ours, taint("gpu", "yes")}))),
            Json::array({ours, foreign, taint("gpu", "yes")}));
  EXPECT_EQ(taintsAfter(current(), withTaints(Json::array())), Json::array({foreign}));
  Json changed = ours;
  changed["value"] = "other";
  EXPECT_EQ(taintsAfter(current(), withTaints(Json::array({changed}))),
            Json::array({foreign, changed}));
}

TEST(TaintPatch, ATaintOfOursThatTheOperatorRemovedOrChangedStaysSo) {
  Json removed = current();
  removed["spec"]["taints"].erase(0);
  EXPECT_FALSE(taintPatch(removed, provided()));
  Json changed = current();
  changed["spec"]["taints"][0]["value"] = "by hand";
  EXPECT_FALSE(taintPatch(changed, provided()));
}

TEST(TaintPatch, CarriesUidAndVersionBecauseTheListIsReplacedWhole) {
  Json node = current();
  node["metadata"]["resourceVersion"] = "7";
  const auto patch = taintPatch(node, withTaints(Json::array()));
  ASSERT_TRUE(patch);
  EXPECT_EQ(json::str(*patch, {"metadata", "resourceVersion"}), "7");
  EXPECT_EQ(json::str(*patch, {"metadata", "uid"}), "node-uid");
}

TEST(TaintPatch, AppliedOnceItIsNotNeededAgain) {
  const Json wanted = withTaints(Json::array({taint("gpu", "yes")}));
  const Json node = applied(current(), *taintPatch(current(), wanted));
  EXPECT_FALSE(taintPatch(node, wanted));
}

TEST(HoldPolicy, AnUnreachableNodeThatIsHeldStaysReadyAndTakesNoNewPods) {
  const auto hold = WhenUnreachable::kHold;
  const Json node{
      {"status", {{"conditions", nodeConditions(ProviderState::kUnreachable, "no route", hold)}}}};
  EXPECT_EQ(json::str(conditionOf(node, "Ready"), "status"), "True");
  EXPECT_EQ(json::str(conditionOf(node, "Ready"), "reason"), "TargetUnreachable");
  EXPECT_NE(json::str(conditionOf(node, "Ready"), "message").find("no route"), std::string::npos);
  EXPECT_EQ(json::str(conditionOf(node, "TargetReachable"), "status"), "False");
  const Json held = withHoldTaint(provided(), ProviderState::kUnreachable, hold);
  EXPECT_EQ(held["spec"]["taints"].size(), 2u);
  EXPECT_EQ(held["spec"]["taints"][1], taint("vk-bridge.io/unreachable"));
}

TEST(HoldPolicy, HoldsNothingInAnyOtherState) {
  const auto hold = WhenUnreachable::kHold;
  for (const auto state :
       {ProviderState::kReady, ProviderState::kClaimedElsewhere, ProviderState::kIdentityChanged,
        ProviderState::kLeaving, ProviderState::kMassLoss}) {
    EXPECT_EQ(nodeConditions(state, "m", hold), nodeConditions(state, "m")) << toString(state);
    EXPECT_EQ(withHoldTaint(provided(), state, hold), provided()) << toString(state);
  }
}

TEST(NodePatch, AProviderThatKnowsNothingYetTakesNothingAway) {
  EXPECT_FALSE(patchTo(Json::object(), ready()));
  Json wanted = provided();
  wanted["status"].erase("capacity");
  wanted["status"].erase("addresses");
  wanted["metadata"].erase("labels");
  EXPECT_FALSE(patchTo(wanted, ready()));
}

TEST(NodePatch, AddressesAreReplacedSoThatTwoOfOneTypeLive) {
  Json two = provided();
  two["status"]["addresses"].push_back({{"type", "InternalIP"}, {"address", "fd00::1"}});
  const Json dual = applied(current(), *patchTo(two, ready()));
  EXPECT_EQ(json::at(dual, {"status", "addresses"}), two["status"]["addresses"]);
  const auto back = nodePatch(dual, provided(), ready(), kLater, false);
  ASSERT_TRUE(back);
  EXPECT_EQ(json::at(applied(dual, *back), {"status", "addresses"}),
            json::at(provided(), {"status", "addresses"}));
}

TEST(NodePatch, AppliedOnceItIsNotNeededAgain) {
  Json wanted = provided();
  wanted["status"]["capacity"] = {{"cpu", "1"}};
  wanted["status"]["nodeInfo"]["kubeletVersion"] = "v1.37.0";
  const Json conditions = nodeConditions(ProviderState::kMassLoss, "m");
  const Json node = applied(current(), *patchTo(wanted, conditions));
  EXPECT_FALSE(nodePatch(node, wanted, conditions, "2026-01-01T00:20:00Z", false));
}

}  // namespace
}  // namespace vkb::node
