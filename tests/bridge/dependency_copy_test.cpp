#include "bridge/dependency_copy.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "bridge/names.h"

namespace vkb::bridge {
namespace {

using state::NamespaceStrategy;
using ::testing::MatchesRegex;

const DependencyMarks kMarks{"home-1", "t1"};
const state::DependencyKey kMap{DependencyKind::kConfigMap, "there", "cfg"};
const state::DependencyKey kSecret{DependencyKind::kSecret, "there", "pw"};

Json homeSecret() {
  return R"({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
    "metadata": {"name": "pw", "namespace": "team", "uid": "u", "resourceVersion": "5",
      "labels": {"app": "x", "vk-bridge.io/home-cluster": "forged"},
      "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "the data again"},
      "finalizers": ["x/y"], "ownerReferences": [{"uid": "o"}]},
    "immutable": true, "data": {".dockerconfigjson": "e30="}})"_json;
}

TEST(DependencyCopy, HoldsTypeAndDataAndOurMarksAndNothingElse) {
  EXPECT_EQ(copyOf(homeSecret(), kSecret, kMarks),
            R"({"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
    "metadata": {"name": "pw", "namespace": "there",
      "labels": {"vk-bridge.io/home-cluster": "home-1", "vk-bridge.io/node": "t1"},
      "annotations": {"vk-bridge.io/home-object": "team/pw"}},
    "data": {".dockerconfigjson": "e30="}})"_json);
  const Json map = copyOf(R"({"metadata": {"name": "cfg", "namespace": "team"}, "immutable": true,
    "data": {"a": "1"}, "binaryData": {"b": "AA=="}})"_json,
                          kMap, kMarks);
  EXPECT_EQ(map["data"], R"({"a": "1"})"_json);
  EXPECT_EQ(map["binaryData"], R"({"b": "AA=="})"_json);
  EXPECT_FALSE(map.contains("immutable"));
  EXPECT_FALSE(map.contains("type"));
}

TEST(DependencyCopy, KeepsItsNameUnlessThatIsOthersOrNamespacesMeet) {
  state::PodOptions options;
  EXPECT_EQ(copyName(kMarks, options, "team", "cfg"), "cfg");
  options.namespace_strategy = NamespaceStrategy::kPrefix;
  EXPECT_EQ(copyName(kMarks, options, "team", "cfg"), "cfg");
  EXPECT_THAT(copyName(kMarks, options, "team", "kube-root-ca.crt"),
              MatchesRegex("kube-root-ca.crt-[0-9a-f]{8}"));
  options.namespace_strategy = NamespaceStrategy::kSingle;
  const std::string one = copyName(kMarks, options, "team", "cfg");
  EXPECT_THAT(one, MatchesRegex("cfg-[0-9a-f]{8}"));
  EXPECT_NE(one, copyName(kMarks, options, "other", "cfg"));
  EXPECT_NE(one, copyName({"home-2", "t1"}, options, "team", "cfg")) << "two homes, one target";
  const std::string longest = copyName(kMarks, options, "team", std::string(253, 'n'));
  EXPECT_EQ(longest.size(), 253U);
}

TEST(DependencyCopy, IsInStepWhateverOthersWroteBesideIt) {
  const Json wanted = copyOf(homeSecret(), kSecret, kMarks);
  Json there = wanted;
  there["metadata"]["uid"] = "u2";
  there["metadata"]["labels"]["theirs"] = "x";
  EXPECT_TRUE(isInStep(there, wanted));
  for (const char* patch :
       {R"({"data": {"more": "eA=="}})", R"({"data": null})",
        R"({"data": {".dockerconfigjson": ""}})", R"({"binaryData": {"a": "eA=="}})",
        R"({"type": "Opaque"})", R"({"metadata": {"labels": {"vk-bridge.io/node": null}}})",
        R"({"metadata": {"annotations": null}})"}) {
    Json other = there;
    other.merge_patch(Json::parse(patch));
    EXPECT_FALSE(isInStep(other, wanted)) << patch;
    if (mustBeMadeAnew(other, wanted)) continue;
    const Json mended = broughtUp(other, wanted);
    EXPECT_TRUE(isInStep(mended, wanted)) << patch;
    EXPECT_EQ(mended["metadata"]["uid"], "u2");
    EXPECT_EQ(mended["metadata"]["labels"]["theirs"], "x");
  }
}

TEST(DependencyCopy, OnlyATypeOrImmutabilityNeedsAnotherObject) {
  const Json wanted = copyOf(homeSecret(), kSecret, kMarks);
  Json there = wanted;
  EXPECT_FALSE(mustBeMadeAnew(there, wanted));
  there["type"] = "Opaque";
  EXPECT_TRUE(mustBeMadeAnew(there, wanted));
  const Json map = copyOf(Json::object(), kMap, kMarks);
  EXPECT_FALSE(mustBeMadeAnew(Json::object(), map));
  EXPECT_TRUE(mustBeMadeAnew({{"immutable", true}}, map));
}

TEST(DependencyCopy, TellsWhatItIsByItsMarks) {
  Json copy = copyOf(homeSecret(), kSecret, kMarks);
  copy["metadata"]["uid"] = "u2";
  EXPECT_TRUE(isMarked(copy, kMarks));
  EXPECT_FALSE(isMarked(copy, {"home-1", "t2"}));
  EXPECT_FALSE(isMarked(homeSecret(), kMarks));
  const state::DependencyRecord record{kSecret, "team", "pw", "u2"};
  EXPECT_EQ(recordFromMarks(DependencyKind::kSecret, copy), record);
  copy["metadata"].erase("annotations");  // somebody took them off
  EXPECT_EQ(recordFromMarks(DependencyKind::kSecret, copy).home_name, "");
}

TEST(DependencyCopy, ATokenOfTheOldKindIsKnown) {
  EXPECT_TRUE(isLegacyToken(R"({"type": "kubernetes.io/service-account-token"})"_json));
  EXPECT_FALSE(isLegacyToken(homeSecret()));
}

}  // namespace
}  // namespace vkb::bridge
