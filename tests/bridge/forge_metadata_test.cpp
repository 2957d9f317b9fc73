#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <set>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "forge_pods.h"

namespace vkb::bridge {
namespace {

TEST(ForgeLabels, UserSuppliedKeysOfOursAreStripped) {
  Json home = homePod120();
  home["metadata"]["labels"]["vk-bridge.io/home-uid"] = "stolen";
  home["metadata"]["labels"]["vk-bridge.io/extra"] = "x";
  home["metadata"]["labels"]["home.vk-bridge.io/app"] = "x";
  home["metadata"]["annotations"]["vk-bridge.io/home-pod"] = "other/pod";
  home["metadata"]["annotations"]["vk-bridge.io/delegate"] = "shop/x/uid";
  const Json metadata = forge(home, contextFor(home))["metadata"];
  EXPECT_EQ(metadata["labels"][kLabelHomeUid], home["metadata"]["uid"]);
  EXPECT_FALSE(metadata["labels"].contains("vk-bridge.io/extra"));
  EXPECT_FALSE(metadata["labels"].contains("home.vk-bridge.io/app"));
  EXPECT_EQ(metadata["annotations"][kAnnotationHomePod], "shop/web-5d9c7b7c8-x2x9q");
  EXPECT_FALSE(metadata["annotations"].contains(kAnnotationDelegate));
}

struct Rekey {
  std::string from, to;
};

class RekeyedLabel : public testing::TestWithParam<Rekey> {};

TEST_P(RekeyedLabel, IsValidAndSaysWhereItCameFrom) {
  EXPECT_EQ(rekeyLabel(GetParam().from), GetParam().to);
}

const std::string kLong = "example.com/" + std::string(60, 'n');

INSTANTIATE_TEST_SUITE_P(
    Keys, RekeyedLabel,
    testing::Values(Rekey{"app", "home.vk-bridge.io/app"},
                    Rekey{"batch_id", "home.vk-bridge.io/batch_id"},
                    Rekey{"app.kubernetes.io/name", "home.vk-bridge.io/app.kubernetes.io__name"},
                    Rekey{"a/b__c", "home.vk-bridge.io/a__b__c"},
                    Rekey{std::string(63, 'x'), "home.vk-bridge.io/" + std::string(63, 'x')},
                    Rekey{"a__b", "home.vk-bridge.io/a__b-" + hex(fnv1a("a__b"), 8)},
                    Rekey{kLong, "home.vk-bridge.io/example.com__" + std::string(41, 'n') + "-" +
                                     hex(fnv1a(kLong), 8)}));

bool isLabelName(const std::string& name) {
  const auto alnum = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  return !name.empty() && name.size() <= 63 && alnum(name.front()) && alnum(name.back()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return alnum(c) || c == '-' || c == '_' || c == '.'; });
}

TEST(RekeyedLabels, NeverClashAndAreAlwaysValid) {
  std::set<std::string> seen;
  std::vector<std::string> keys{"a__b",  "a/b", "a.b/c", "a.b__c", "a_b/c",
                                "a/b_c", "A",   "a.b.c", "a-b",    "a/b.c"};
  for (int i = 0; i < 200; ++i) keys.push_back(std::string(80, 'p') + "/n" + std::to_string(i));
  for (const std::string& key : keys) {
    const std::string rekeyed = rekeyLabel(key);
    ASSERT_TRUE(rekeyed.starts_with(kHomeLabelPrefix));
    EXPECT_TRUE(isLabelName(rekeyed.substr(std::string(kHomeLabelPrefix).size()))) << rekeyed;
    EXPECT_TRUE(seen.insert(rekeyed).second) << rekeyed;
  }
}

TEST(RekeyedLabels, InASharedNamespaceNoSelectorOfTheTargetMatches) {
  const Json home = homePod120();
  ForgeContext context = contextFor(home);
  context.rekey_labels = true;
  EXPECT_EQ(forge(home, context)["metadata"]["labels"], R"({
    "home.vk-bridge.io/app": "web", "home.vk-bridge.io/app.kubernetes.io__name": "web",
    "home.vk-bridge.io/pod-template-hash": "5d9c7b7c8",
    "vk-bridge.io/home-cluster": "home-1", "vk-bridge.io/node": "gpu-eu",
    "vk-bridge.io/home-uid": "1803d213-dbed-4fb9-bf0d-9260911c7b2e"})"_json);
}

TEST(RekeyedLabels, WhatNamesLabelsInTheSpecFollows) {
  Json home = homePod120();
  Json& spec = home["spec"];
  spec["affinity"] = R"({
    "podAntiAffinity": {
      "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"app": "web"}, "matchExpressions": [
          {"key": "example.com/tier", "operator": "In", "values": ["app"]}]}}]},
    "podAffinity": {
      "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 5, "podAffinityTerm": {
        "topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "db"}},
        "matchLabelKeys": ["pod-template-hash"]}}]}})"_json;
  spec["topologySpreadConstraints"] = R"([{"maxSkew": 1, "topologyKey": "zone",
    "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "web"}},
    "matchLabelKeys": ["pod-template-hash"]}])"_json;
  spec["containers"][0]["env"] = R"([
    {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
    {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}])"_json;
  spec["volumes"].push_back(R"({"name": "info", "downwardAPI": {"items": [
    {"path": "app", "fieldRef": {"fieldPath": "metadata.labels['app']"}}]}})"_json);
  spec["volumes"].push_back(R"({"name": "all", "projected": {"sources": [{"downwardAPI": {"items": [
    {"path": "app", "fieldRef": {"fieldPath": "metadata.labels['app']"}}]}}]}})"_json);

  ForgeContext context = contextFor(home);
  const Json plain = forge(home, context)["spec"];
  EXPECT_EQ(plain["affinity"], spec["affinity"]);
  EXPECT_EQ(plain["topologySpreadConstraints"], spec["topologySpreadConstraints"]);
  EXPECT_EQ(plain["containers"][0]["env"], spec["containers"][0]["env"]);

  context.rekey_labels = true;
  const Json rekeyed = forge(home, context)["spec"];
  const Json& hard =
      rekeyed["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0];
  EXPECT_EQ(hard["topologyKey"], "kubernetes.io/hostname");
  EXPECT_EQ(hard["labelSelector"], R"({"matchLabels": {"home.vk-bridge.io/app": "web"},
    "matchExpressions": [{"key": "home.vk-bridge.io/example.com__tier", "operator": "In",
      "values": ["app"]}]})"_json);
  const Json& soft =
      rekeyed["affinity"]["podAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0]
             ["podAffinityTerm"];
  EXPECT_EQ(soft["labelSelector"]["matchLabels"], R"({"home.vk-bridge.io/app": "db"})"_json);
  EXPECT_EQ(soft["matchLabelKeys"], R"(["home.vk-bridge.io/pod-template-hash"])"_json);
  const Json& spread = rekeyed["topologySpreadConstraints"][0];
  EXPECT_EQ(spread["labelSelector"]["matchLabels"], R"({"home.vk-bridge.io/app": "web"})"_json);
  EXPECT_EQ(spread["matchLabelKeys"], R"(["home.vk-bridge.io/pod-template-hash"])"_json);
  const char* const path = "metadata.labels['home.vk-bridge.io/app']";
  EXPECT_EQ(rekeyed["containers"][0]["env"][0]["valueFrom"]["fieldRef"]["fieldPath"], path);
  EXPECT_EQ(rekeyed["containers"][0]["env"][1], spec["containers"][0]["env"][1]);
  EXPECT_EQ(rekeyed["volumes"][0]["downwardAPI"]["items"][0]["fieldRef"]["fieldPath"], path);
  EXPECT_EQ(rekeyed["volumes"][1]["projected"]["sources"][0]["downwardAPI"]["items"][0]["fieldRef"]
                   ["fieldPath"],
            path);
}

}  // namespace
}  // namespace vkb::bridge
