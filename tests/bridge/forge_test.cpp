#include "bridge/forge.h"

#include <gtest/gtest.h>

#include "bridge/names.h"
#include "forge_pods.h"

namespace vkb::bridge {
namespace {

Json forged(const Json& home_pod) { return forge(home_pod, contextFor(home_pod)); }

TEST(Forge, AWholePodOf120) {
  Json delegate = forged(homePod120());
  Json& annotations = delegate["metadata"]["annotations"];
  EXPECT_EQ(Json::parse(annotations[kAnnotationForgedKeys].get<std::string>()),
            R"({"labels": ["app", "app.kubernetes.io/name", "pod-template-hash"],
                "annotations": ["team"], "images": {"c": "registry.example/app:1"},
                "resources": {"c": {"requests": {"cpu": "100m", "memory": "64Mi"}}}})"_json);
  annotations.erase(kAnnotationForgedKeys);
  EXPECT_EQ(annotations[kAnnotationInputsHash], inputsHash(homePod120(), false));
  annotations.erase(kAnnotationInputsHash);
  EXPECT_EQ(delegate, R"({
    "apiVersion": "v1", "kind": "Pod",
    "metadata": {
      "name": "web-5d9c7b7c8-x2x9q", "namespace": "shop",
      "labels": {"app": "web", "app.kubernetes.io/name": "web", "pod-template-hash": "5d9c7b7c8",
        "vk-bridge.io/home-cluster": "home-1", "vk-bridge.io/node": "gpu-eu",
        "vk-bridge.io/home-uid": "1803d213-dbed-4fb9-bf0d-9260911c7b2e"},
      "annotations": {"team": "blue", "vk-bridge.io/home-pod": "shop/web-5d9c7b7c8-x2x9q",
        "vk-bridge.io/home-name": "web-5d9c7b7c8-x2x9q", "vk-bridge.io/home-namespace": "shop",
        "vk-bridge.io/home-service-account": "default"},
      "ownerReferences": [{"apiVersion": "v1", "kind": "Namespace", "name": "shop",
        "uid": "ns-uid-1", "controller": true}]},
    "spec": {
      "containers": [{"name": "c", "image": "registry.example/app:1",
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
        "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent"}],
      "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
      "securityContext": {}, "automountServiceAccountToken": false,
      "enableServiceLinks": false}})"_json);
}

TEST(Forge, AWholePodOf136WithASidecar) {
  const Json spec = forged(homePod136())["spec"];
  EXPECT_EQ(spec, R"({
    "volumes": [{"name": "scratch", "emptyDir": {}}],
    "initContainers": [
      {"name": "init", "image": "registry.example/init:1", "resources": {}},
      {"name": "side", "image": "registry.example/side:1", "restartPolicy": "Always",
        "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}]}],
    "containers": [{"name": "c", "image": "registry.example/app:1",
      "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}],
    "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
    "securityContext": {}, "automountServiceAccountToken": false,
    "enableServiceLinks": false})"_json);
}

TEST(Forge, DoesNotChangeHomesPodAndGivesTheSameTwice) {
  const Json before = homePod136();
  const Json home = before;
  EXPECT_EQ(forged(home), forged(home));
  EXPECT_EQ(home, before);
}

TEST(Forge, WhatCannotBeReadIsNoCrash) {
  for (const Json& odd : {Json(), Json("pod"), Json::object(), R"({"spec": []})"_json,
                          R"({"metadata": {"labels": 5, "annotations": []},
                              "spec": {"volumes": [1, null], "containers": [null, {"env": 3}],
                                       "affinity": "x", "initContainers": {}}})"_json}) {
    for (const bool rekey : {false, true}) {
      ForgeContext context = contextFor(odd);
      context.rekey_labels = rekey;
      EXPECT_EQ(forge(odd, context)["kind"], "Pod");
      EXPECT_FALSE(inputsHash(odd, rekey).empty());
      EXPECT_FALSE(updatePatch(odd, forge(odd, context), context));
    }
    EXPECT_TRUE(admit(odd));
  }
}

TEST(Forge, NothingOfHomesObjectIdentityGoesOver) {
  const Json metadata = forged(homePod120())["metadata"];
  for (const char* field : {"uid", "resourceVersion", "generateName", "finalizers", "managedFields",
                            "creationTimestamp", "deletionTimestamp", "generation", "selfLink"}) {
    EXPECT_FALSE(metadata.contains(field)) << field;
  }
  EXPECT_EQ(metadata["ownerReferences"].size(), 1U);
  EXPECT_FALSE(forged(homePod120()).contains("status"));
}

}  // namespace
}  // namespace vkb::bridge
