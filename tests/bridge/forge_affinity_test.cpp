#include <gtest/gtest.h>

#include "bridge/names.h"
#include "forge_pods.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

using state::NamespaceStrategy;

class ForgedAffinity : public testing::Test {
 protected:
  /// The one required anti-affinity term, forged.
  Json term(const char* text) {
    home_["spec"]["affinity"]["podAntiAffinity"] = {{kRequired, Json::array({Json::parse(text)})}};
    return spec()["affinity"]["podAntiAffinity"][kRequired][0];
  }
  Json spec() { return forge(home_, context_)["spec"]; }
  void use(NamespaceStrategy strategy, const char* text) {
    context_.pods.namespace_strategy = strategy;
    context_.pods.namespace_text = text;
    context_.place = choosePlace(home_, context_.pods);
  }

  static constexpr const char* kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
  Json home_ = homePod120();  // of namespace shop
  ForgeContext context_ = contextFor(home_);
};

constexpr const char* kPlain =
    R"({"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}})";
constexpr const char* kNamed = R"({"topologyKey": "zone", "namespaces": ["shop", "billing"],
                                   "labelSelector": {"matchLabels": {"app": "web"}}})";

TEST_F(ForgedAffinity, UnderStrategySameNothingChanges) {
  EXPECT_EQ(term(kPlain), Json::parse(kPlain));
  EXPECT_EQ(term(kNamed), Json::parse(kNamed));
  EXPECT_FALSE(forge(home_, context_)["metadata"]["labels"].contains(kLabelHomeNamespace));
}

TEST_F(ForgedAffinity, UnderStrategyPrefixNamedNamespacesFollow) {
  use(NamespaceStrategy::kPrefix, "berlin");
  EXPECT_EQ(term(kPlain), Json::parse(kPlain));
  EXPECT_EQ(term(kNamed)["namespaces"], R"(["berlin-shop", "berlin-billing"])"_json);
}

TEST_F(ForgedAffinity, UnderStrategySingleHomesNamespacesAreToldApartByALabel) {
  use(NamespaceStrategy::kSingle, "batch");
  EXPECT_EQ(forge(home_, context_)["metadata"]["labels"][kLabelHomeNamespace], "shop");
  EXPECT_EQ(term(kPlain)["labelSelector"], R"({"matchLabels": {"app": "web"}, "matchExpressions": [
    {"key": "vk-bridge.io/home-namespace", "operator": "In", "values": ["shop"]}]})"_json);
  const Json named = term(kNamed);
  EXPECT_EQ(named["namespaces"], R"(["batch"])"_json);
  EXPECT_EQ(json::at(named, {"labelSelector", "matchExpressions"}), R"([
    {"key": "vk-bridge.io/home-namespace", "operator": "In", "values": ["shop", "billing"]}])"_json);
}

TEST_F(ForgedAffinity, TheLabelThatTellsThemApartIsNotRekeyed) {
  use(NamespaceStrategy::kSingle, "batch");
  context_.rekey_labels = true;
  EXPECT_EQ(term(kPlain)["labelSelector"], R"({"matchLabels": {"home.vk-bridge.io/app": "web"},
    "matchExpressions": [{"key": "vk-bridge.io/home-namespace", "operator": "In",
                          "values": ["shop"]}]})"_json);
}

TEST_F(ForgedAffinity, ATermWithoutASelectorGoesOnMatchingNothing) {
  use(NamespaceStrategy::kSingle, "batch");
  EXPECT_EQ(term(R"({"topologyKey": "zone"})"), R"({"topologyKey": "zone"})"_json);
  EXPECT_TRUE(term(R"({"topologyKey": "zone", "labelSelector": {}})")["labelSelector"].contains(
      "matchExpressions"));
}

TEST_F(ForgedAffinity, NamespacesChosenByTheirLabelsAreTheTargets) {
  use(NamespaceStrategy::kSingle, "batch");
  constexpr const char* kByLabel = R"({"topologyKey": "zone", "namespaceSelector": {},
                                       "labelSelector": {"matchLabels": {"app": "web"}}})";
  EXPECT_EQ(term(kByLabel), Json::parse(kByLabel));
}

TEST_F(ForgedAffinity, TopologySpreadCountsHomesNamespaceAlone) {
  home_["spec"]["topologySpreadConstraints"] = R"([{"maxSkew": 1, "topologyKey": "zone",
    "labelSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}])"_json;
  EXPECT_EQ(spec()["topologySpreadConstraints"], home_["spec"]["topologySpreadConstraints"]);
  use(NamespaceStrategy::kSingle, "batch");
  EXPECT_EQ(spec()["topologySpreadConstraints"][0]["labelSelector"]["matchExpressions"],
            R"([{"key": "a", "operator": "Exists"},
                {"key": "vk-bridge.io/home-namespace", "operator": "In", "values": ["shop"]}])"_json);
}

}  // namespace
}  // namespace vkb::bridge
