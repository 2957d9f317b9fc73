#include <gtest/gtest.h>

#include "bridge/names.h"
#include "forge_pods.h"
#include "json/strategic_merge.h"

namespace vkb::bridge {
namespace {

Json cpu(const char* amount) { return {{"requests", {{"cpu", amount}, {"memory", "64Mi"}}}}; }

class Resize : public testing::Test {
 protected:
  std::optional<Json> patch() const { return resizePatch(home_, delegate_, context_); }
  Json& home(int index = 0) { return home_["spec"]["containers"][static_cast<std::size_t>(index)]; }
  Json& there() { return delegate_["spec"]["containers"][0]; }

  Json home_ = homePod136();
  ForgeContext context_ = contextFor(home_);
  Json delegate_ = createdFrom(home_, context_);
};

TEST_F(Resize, IsNothingWhileHomeHasWhatWasForged) { EXPECT_FALSE(patch()); }

TEST_F(Resize, SendsWhatHomeChangedByContainerNameWithTheUid) {
  home()["resources"] = cpu("200m");
  delegate_["spec"]["containers"].insert(delegate_["spec"]["containers"].begin(),
                                         Json{{"name", "injected"}, {"resources", cpu("1")}});
  EXPECT_EQ(*patch(), R"({"metadata": {"uid": "delegate-1"}, "spec": {"containers": [
    {"name": "c", "resources": {"requests": {"cpu": "200m"}}}]}})"_json);
}

TEST_F(Resize, OfASidecarIsSentAsWell) {
  home_["spec"]["initContainers"][1]["resources"] = R"({"limits": {"memory": "1Gi"}})"_json;
  EXPECT_EQ((*patch())["spec"], R"({"initContainers": [
    {"name": "side", "resources": {"limits": {"memory": "1Gi"}}}]})"_json);
}

TEST_F(Resize, WhatTheTargetChangedByItselfStays) {
  there()["resources"]["requests"]["cpu"] = "300m";    // an autoscaler there
  there()["resources"]["limits"] = {{"cpu", "500m"}};  // a LimitRange there
  EXPECT_FALSE(patch());
  home()["resources"]["requests"]["memory"] = "128Mi";
  EXPECT_EQ((*patch())["spec"]["containers"][0]["resources"],
            R"({"requests": {"memory": "128Mi"}})"_json);
}

TEST_F(Resize, WhatTheDelegateHasAlreadyIsNotSent) {
  home()["resources"] = cpu("200m");
  there()["resources"] = cpu("200m");
  EXPECT_FALSE(patch());
}

TEST_F(Resize, WhatHomeTookAwayIsTakenAway) {
  home()["resources"]["requests"].erase("memory");
  EXPECT_EQ((*patch())["spec"]["containers"][0]["resources"],
            R"({"requests": {"memory": null}})"_json);
}

TEST_F(Resize, OtherResourcesCannotBeChangedAndAreNotSent) {
  home()["resources"]["requests"]["example.com/gpu"] = "2";
  EXPECT_FALSE(patch());
}

TEST_F(Resize, WithoutTheNoteOfWhatWasForgedNothingIsGuessed) {
  home()["resources"] = cpu("200m");
  delegate_["metadata"]["annotations"].erase(kAnnotationForgedKeys);
  EXPECT_FALSE(patch());
}

TEST_F(Resize, OnceDoneIsNotedAndNotSentAgain) {
  home()["resources"] = cpu("200m");
  ASSERT_TRUE(json::applyStrategicMerge(delegate_, *patch()));
  ASSERT_TRUE(json::applyStrategicMerge(delegate_, *updatePatch(home_, delegate_, context_)));
  EXPECT_FALSE(patch());
  there()["resources"] = cpu("300m");
  EXPECT_FALSE(patch()) << "now the target's own doing";
}

TEST_F(Resize, ThatTheTargetRefusedIsStillOwedWhileTheRestIsUpdated) {
  home()["resources"] = cpu("200m");
  home_["metadata"]["labels"] = {{"a", "b"}};
  const Json owed = *updatePatch(home_, delegate_, context_, false);
  ASSERT_TRUE(json::applyStrategicMerge(delegate_, owed));
  EXPECT_EQ(delegate_["metadata"]["labels"]["a"], "b");
  EXPECT_NE(delegate_["metadata"]["annotations"][kAnnotationInputsHash], inputsHash(home_, false));
  EXPECT_TRUE(patch());
  EXPECT_FALSE(updatePatch(home_, delegate_, context_, false)) << "no update without a change";
}

class Ephemeral : public Resize {
 protected:
  Json missing() const { return missingEphemeralContainers(home_, delegate_, context_); }
  void debug(const Json& more = Json::object()) {
    Json container = {{"name", "debug"}, {"image", "busybox"}, {"targetContainerName", "c"}};
    container.update(more);
    home_["spec"]["ephemeralContainers"].push_back(container);
  }
};

TEST_F(Ephemeral, ContainersAreAddedAsHomeHasThem) {
  EXPECT_TRUE(missing().empty());
  debug({{"stdin", true}, {"fieldOf2030", 1}});
  EXPECT_EQ(missing(), home_["spec"]["ephemeralContainers"]);
}

TEST_F(Ephemeral, ContainersThatAreThereAreLeftAsTheyAre) {
  debug();
  delegate_["spec"]["ephemeralContainers"] = R"([{"name": "debug", "image": "other"}])"_json;
  EXPECT_TRUE(missing().empty());
}

TEST_F(Ephemeral, ContainersDoNotSeeTokensThatAreNotThere) {
  debug({{"volumeMounts", R"([{"name": "scratch", "mountPath": "/s"},
      {"name": "kube-api-access-g4nk6",
       "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}])"_json}});
  EXPECT_EQ(missing()[0]["volumeMounts"], R"([{"name": "scratch", "mountPath": "/s"}])"_json);
}

TEST_F(Ephemeral, ContainersOfANewPodMakeItOutdatedAtOnce) {
  debug();
  delegate_ = createdFrom(home_, context_);
  EXPECT_FALSE(delegate_["spec"].contains("ephemeralContainers"));
  const auto noted = [&] { return delegate_["metadata"]["annotations"][kAnnotationInputsHash]; };
  EXPECT_NE(noted(), inputsHash(home_, false));
  delegate_["spec"]["ephemeralContainers"] = missing();
  ASSERT_TRUE(json::applyStrategicMerge(delegate_, *updatePatch(home_, delegate_, context_)));
  EXPECT_EQ(noted(), inputsHash(home_, false));
}

}  // namespace
}  // namespace vkb::bridge
