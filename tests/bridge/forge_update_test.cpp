#include <gtest/gtest.h>

#include "bridge/names.h"
#include "forge_pods.h"
#include "json/strategic_merge.h"

namespace vkb::bridge {
namespace {

TEST(InputsHash, HasAVersionAndSixteenDigits) {
  const std::string hash = inputsHash(homePod120(), false);
  ASSERT_EQ(hash.size(), 18U);
  EXPECT_EQ(hash.substr(0, 2), "1:");
  EXPECT_EQ(hash.find_first_not_of("0123456789abcdef", 2), std::string::npos);
}

TEST(InputsHash, IsTheSameInEveryRelease) {
  // A change of this value patches every running delegate of every user: raise the version only
  // when that is meant.
  EXPECT_EQ(inputsHash(R"({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [
    {"name": "c", "image": "i"}]}})"_json,
                       false),
            "1:fa60601496a3cf2f");
  Json home = homePod120();
  EXPECT_EQ(inputsHash(home, true), "1:c1b37f214e59b95c");
  home["spec"]["affinity"] = R"({"nodeAffinity": {"a": 1}, "podAffinity": {"b": "\u00e4\""}})"_json;
  home["spec"]["nodeSelector"] = {{"a", "b"}};
  EXPECT_EQ(inputsHash(home, false), "1:abde5dfede81da59");
  home["spec"]["affinity"].erase("podAffinity");
  EXPECT_EQ(inputsHash(home, false), "1:30dc5ecbc1e1513b");
  home["spec"]["affinity"] = Json::object();
  EXPECT_EQ(inputsHash(home, false), "1:30dc5ecbc1e1513b");
  home["spec"] = nullptr;
  EXPECT_EQ(inputsHash(home, false), "1:b188a3a932bc1673");
}

struct HashCase {
  const char *what, *patch;
};

class HashStays : public testing::TestWithParam<HashCase> {};

TEST_P(HashStays, WhenNothingThatGoesOverChanges) {
  Json home = homePod120();
  const std::string before = inputsHash(home, false);
  home.merge_patch(Json::parse(GetParam().patch));
  EXPECT_EQ(inputsHash(home, false), before) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Changes, HashStays,
    testing::Values(
        HashCase{"status", R"({"status": {"phase": "Running", "podIP": "10.0.0.1"}})"},
        HashCase{"resourceVersion", R"({"metadata": {"resourceVersion": "999"}})"},
        HashCase{"managedFields", R"({"metadata": {"managedFields": null}})"},
        HashCase{"deletion", R"({"metadata": {"deletionTimestamp": "2026-11-22T08:29:56Z",
                                              "deletionGracePeriodSeconds": 30}})"},
        HashCase{"generation", R"({"metadata": {"generation": 2}})"},
        HashCase{"our own annotation",
                 R"({"metadata": {"annotations": {"vk-bridge.io/delegate": "shop/web/u"}}})"},
        HashCase{"kubectl apply", R"({"metadata": {"annotations": {
                   "kubectl.kubernetes.io/last-applied-configuration": "{}"}}})"},
        HashCase{"binding", R"({"spec": {"nodeName": "other"}})"},
        HashCase{"tolerations", R"({"spec": {"tolerations": []}})"}));

class HashMoves : public testing::TestWithParam<HashCase> {};

TEST_P(HashMoves, WhenSomethingThatGoesOverChanges) {
  Json home = homePod120();
  const std::string before = inputsHash(home, false);
  home.merge_patch(Json::parse(GetParam().patch));
  EXPECT_NE(inputsHash(home, false), before) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Changes, HashMoves,
    testing::Values(HashCase{"label", R"({"metadata": {"labels": {"app": "web2"}}})"},
                    HashCase{"annotation", R"({"metadata": {"annotations": {"team": "red"}}})"},
                    HashCase{"annotation gone", R"({"metadata": {"annotations": null}})"},
                    HashCase{"image", R"({"spec": {"containers": [{"name": "c", "image": "x"}]}})"},
                    HashCase{"deadline", R"({"spec": {"activeDeadlineSeconds": 5}})"}));

TEST(InputsHash, CoversTheClusterOption) {
  EXPECT_NE(inputsHash(homePod120(), false), inputsHash(homePod120(), true));
}

class UpdatePatch : public testing::Test {
 protected:
  /// What the patch makes of the delegate.
  Json applied() {
    const auto patch = updatePatch(home_, delegate_, context_);
    EXPECT_TRUE(patch);
    Json result = delegate_;
    EXPECT_TRUE(json::applyStrategicMerge(result, patch.value_or(Json::object())));
    return result;
  }

  Json home_ = homePod136();
  ForgeContext context_ = contextFor(home_);
  Json delegate_ = createdFrom(home_, context_);
};

TEST_F(UpdatePatch, IsNothingWhenNothingDiffers) {
  EXPECT_FALSE(updatePatch(home_, delegate_, context_));
  // Nor when the target added things of its own.
  delegate_["metadata"]["labels"]["target/label"] = "x";
  delegate_["metadata"]["annotations"]["cni.example/ip"] = "10.1.1.1";
  delegate_["spec"]["nodeName"] = "node-1";
  delegate_["spec"]["containers"].push_back({{"name", "injected"}, {"image", "mesh:1"}});
  delegate_["spec"]["tolerations"] = R"([{"key": "node.kubernetes.io/not-ready"}])"_json;
  delegate_["status"] = R"({"phase": "Running"})"_json;
  EXPECT_FALSE(updatePatch(home_, delegate_, context_));
}

TEST_F(UpdatePatch, CarriesTheUid) {
  home_["metadata"]["labels"]["a"] = "b";
  EXPECT_EQ((*updatePatch(home_, delegate_, context_))["metadata"]["uid"], "delegate-1");
}

TEST_F(UpdatePatch, AfterItNothingDiffers) {
  home_["metadata"]["labels"] = {{"a", "b"}};
  home_["metadata"]["annotations"] = {{"c", "d"}};
  home_["spec"]["containers"][0]["image"] = "registry.example/app:2";
  home_["spec"]["initContainers"][1]["image"] = "registry.example/side:2";
  home_["spec"]["activeDeadlineSeconds"] = 100;
  delegate_ = applied();
  EXPECT_FALSE(updatePatch(home_, delegate_, context_));
  EXPECT_EQ(delegate_["metadata"]["annotations"][kAnnotationInputsHash], inputsHash(home_, false));
}

TEST_F(UpdatePatch, RemovesWhatHomeRemovedAndLeavesWhatOthersAdded) {
  home_["metadata"]["labels"] = {{"keep", "1"}, {"drop", "1"}};
  home_["metadata"]["annotations"] = {{"gone", "1"}};
  delegate_ = createdFrom(home_, context_);
  delegate_["metadata"]["labels"]["foreign"] = "1";
  delegate_["metadata"]["annotations"]["foreign"] = "1";
  home_["metadata"]["labels"] = {{"keep", "2"}};
  home_["metadata"].erase("annotations");
  const Json metadata = applied()["metadata"];
  EXPECT_EQ(metadata["labels"]["keep"], "2");
  EXPECT_FALSE(metadata["labels"].contains("drop"));
  EXPECT_EQ(metadata["labels"]["foreign"], "1");
  EXPECT_FALSE(metadata["annotations"].contains("gone"));
  EXPECT_EQ(metadata["annotations"]["foreign"], "1");
}

TEST_F(UpdatePatch, PutsOurMarksBack) {
  const Json before = delegate_["metadata"];
  delegate_["metadata"]["labels"] = {{kLabelHomeCluster, "somebody"}};
  delegate_["metadata"].erase("annotations");
  delegate_["metadata"].erase("ownerReferences");
  const Json after = applied()["metadata"];
  EXPECT_EQ(after["labels"], before["labels"]);
  EXPECT_EQ(after["annotations"], before["annotations"]);
  EXPECT_EQ(after["ownerReferences"], before["ownerReferences"]);
}

TEST_F(UpdatePatch, LeavesAPodAloneThatAControllerHasTaken) {
  delegate_["metadata"]["ownerReferences"] =
      R"([{"kind": "ReplicaSet", "uid": "r", "controller": true}])"_json;
  EXPECT_FALSE(updatePatch(home_, delegate_, context_));
}

TEST_F(UpdatePatch, FindsContainersByNameNotByPlace) {
  delegate_["spec"]["containers"].insert(delegate_["spec"]["containers"].begin(),
                                         Json{{"name", "injected"}, {"image", "mesh:1"}});
  home_["spec"]["containers"][0]["image"] = "registry.example/app:2";
  const Json patch = *updatePatch(home_, delegate_, context_);
  EXPECT_EQ(patch["spec"],
            R"({"containers": [{"name": "c", "image": "registry.example/app:2"}]})"_json);
}

TEST_F(UpdatePatch, AnImageThatTheTargetRewroteIsLeftUntilHomeChangesIt) {
  delegate_["spec"]["containers"][0]["image"] = "mirror.target/app:1";
  EXPECT_FALSE(updatePatch(home_, delegate_, context_));
  home_["spec"]["containers"][0]["image"] = "registry.example/app:2";
  EXPECT_EQ(applied()["spec"]["containers"][0]["image"], "registry.example/app:2");
}

TEST_F(UpdatePatch, AContainerThatOnlyOneSideHasIsLeftOut) {
  home_["spec"]["containers"].push_back({{"name", "new"}, {"image", "x"}});
  const Json patch = *updatePatch(home_, delegate_, context_);
  EXPECT_FALSE(patch.contains("spec"));
}

TEST_F(UpdatePatch, ADeadlineIsSetOrBroughtForwardNeverPutOff) {
  home_["spec"]["activeDeadlineSeconds"] = 100;
  EXPECT_EQ(applied()["spec"]["activeDeadlineSeconds"], 100);
  delegate_["spec"]["activeDeadlineSeconds"] = 50;
  EXPECT_FALSE(updatePatch(home_, delegate_, context_)->contains("spec"));
  delegate_["spec"]["activeDeadlineSeconds"] = 200;
  EXPECT_EQ(applied()["spec"]["activeDeadlineSeconds"], 100);
}

TEST_F(UpdatePatch, FieldsThatKubernetesDoesNotLetChangeAreNotSent) {
  home_["spec"]["terminationGracePeriodSeconds"] = 5;
  home_["spec"]["dnsPolicy"] = "None";
  const Json patch = *updatePatch(home_, delegate_, context_);
  EXPECT_FALSE(patch.contains("spec"));
  EXPECT_TRUE(patch["metadata"]["annotations"].contains(kAnnotationInputsHash));
}

TEST_F(UpdatePatch, GarbageInTheForgedKeysIsNoCrashAndDeletesNothing) {
  delegate_["metadata"]["labels"]["foreign"] = "1";
  for (const char* garbage : {"", "{", "[]", R"({"labels": "x"})", R"({"labels": [1, null]})"}) {
    delegate_["metadata"]["annotations"][kAnnotationForgedKeys] = garbage;
    EXPECT_EQ(applied()["metadata"]["labels"]["foreign"], "1") << garbage;
  }
}

struct OwnerCase {
  const char *what, *delegate;
  ProviderPod::Ownership wanted;
};

class OwnershipOf : public testing::TestWithParam<OwnerCase> {};

TEST_P(OwnershipOf, IsOneOfFour) {
  EXPECT_EQ(ownershipOf(Json::parse(GetParam().delegate), "home-1", "uid-1", "delegate-1"),
            GetParam().wanted)
      << GetParam().what;
  if (const auto sent = json::makeObject(std::string_view(GetParam().delegate))) {
    EXPECT_EQ(ownershipOf(**sent, "home-1", "uid-1", "delegate-1"), GetParam().wanted)
        << GetParam().what;
  }
}

using enum ProviderPod::Ownership;
INSTANTIATE_TEST_SUITE_P(
    Delegates, OwnershipOf,
    testing::Values(
        OwnerCase{"nothing", "null", kAbsent}, OwnerCase{"no pod", "{}", kAbsent},
        OwnerCase{"our marks", R"({"metadata": {"uid": "d2", "labels": {
            "vk-bridge.io/home-cluster": "home-1", "vk-bridge.io/home-uid": "uid-1"}}})",
                  kMine},
        OwnerCase{"recorded, marks gone", R"({"metadata": {"uid": "delegate-1"}})", kMine},
        OwnerCase{"recorded, marks forged", R"({"metadata": {"uid": "delegate-1", "labels": {
            "vk-bridge.io/home-cluster": "home-2", "vk-bridge.io/home-uid": "uid-9"}}})",
                  kMine},
        OwnerCase{"another home pod of that name", R"({"metadata": {"uid": "d2", "labels": {
            "vk-bridge.io/home-cluster": "home-1", "vk-bridge.io/home-uid": "uid-0"}}})",
                  kPredecessor},
        OwnerCase{"another home", R"({"metadata": {"uid": "d2", "labels": {
            "vk-bridge.io/home-cluster": "home-2", "vk-bridge.io/home-uid": "uid-1"}}})",
                  kForeign},
        OwnerCase{"half our marks", R"({"metadata": {"uid": "d2", "labels": {
            "vk-bridge.io/home-cluster": "home-1"}}})",
                  kForeign},
        OwnerCase{"marks as annotations", R"({"metadata": {"uid": "d2", "annotations": {
            "vk-bridge.io/home-cluster": "home-1", "vk-bridge.io/home-uid": "uid-1"}}})",
                  kForeign},
        OwnerCase{"a stranger", R"({"metadata": {"uid": "d2", "labels": {"app": "x"}}})",
                  kForeign}));

TEST(OwnershipOf, UnknownIdsMatchNothing) {
  const Json bare = R"({"metadata": {"uid": "d", "labels": {
    "vk-bridge.io/home-cluster": "", "vk-bridge.io/home-uid": ""}}})"_json;
  EXPECT_EQ(ownershipOf(bare, "", "", ""), kForeign);
}

}  // namespace
}  // namespace vkb::bridge
