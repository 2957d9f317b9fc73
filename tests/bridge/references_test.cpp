#include "bridge/references.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace vkb::bridge {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kMap = DependencyKind::kConfigMap;
constexpr auto kSecret = DependencyKind::kSecret;

/// One place that names something; `x` stands for the name.
struct Place {
  const char* spec;
  DependencyKind kind;
  bool optional;
  const char* where;
};

const std::vector<Place>& places() {
  static const std::vector<Place> all{
      {R"({"volumes": [{"name": "v", "configMap": {"name": "x"}}]})", kMap, false, "volume \"v\""},
      {R"({"volumes": [{"name": "v", "configMap": {"name": "x", "optional": true}}]})", kMap, true,
       "volume \"v\""},
      {R"({"volumes": [{"name": "v", "secret": {"secretName": "x"}}]})", kSecret, false,
       "volume \"v\""},
      {R"({"volumes": [{"name": "v", "secret": {"secretName": "x", "optional": true}}]})", kSecret,
       true, "volume \"v\""},
      {R"({"volumes": [{"name": "v", "projected": {"sources": [{"downwardAPI": {}},
          {"configMap": {"name": "x"}}]}}]})",
       kMap, false, "volume \"v\""},
      {R"({"volumes": [{"name": "v", "projected": {"sources": [
          {"secret": {"name": "x", "optional": true}}]}}]})",
       kSecret, true, "volume \"v\""},
      {R"({"volumes": [{"name": "v", "azureFile": {"secretName": "x", "shareName": "s"}}]})",
       kSecret, false, "volume \"v\""},
      {R"({"volumes": [{"name": "v", "csi": {"driver": "d",
          "nodePublishSecretRef": {"name": "x"}}}]})",
       kSecret, false, "volume \"v\""},
      {R"({"volumes": [{"name": "v", "cephfs": {"secretRef": {"name": "x"}}}]})", kSecret, false,
       "volume \"v\""},
      {R"({"volumes": [{"name": "v", "cinder": {"secretRef": {"name": "x"}}}]})", kSecret, false,
       "volume \"v\""},
      {R"({"volumes": [{"name": "v", "flexVolume": {"secretRef": {"name": "x"}}}]})", kSecret,
       false, "volume \"v\""},
      {R"({"volumes": [{"name": "v", "iscsi": {"secretRef": {"name": "x"}}}]})", kSecret, false,
       "volume \"v\""},
      {R"({"volumes": [{"name": "v", "rbd": {"secretRef": {"name": "x"}}}]})", kSecret, false,
       "volume \"v\""},
      {R"({"volumes": [{"name": "v", "scaleIO": {"secretRef": {"name": "x"}}}]})", kSecret, false,
       "volume \"v\""},
      {R"({"volumes": [{"name": "v", "storageos": {"secretRef": {"name": "x"}}}]})", kSecret, false,
       "volume \"v\""},
      {R"({"containers": [{"name": "c", "env": [{"name": "A", "value": "1"},
          {"name": "B", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}]}]})",
       kSecret, false, "variable B of container \"c\""},
      {R"({"containers": [{"name": "c", "env": [{"name": "B", "valueFrom":
          {"configMapKeyRef": {"name": "x", "key": "k", "optional": true}}}]}]})",
       kMap, true, "variable B of container \"c\""},
      {R"({"initContainers": [{"name": "i", "envFrom": [{"prefix": "P_",
          "configMapRef": {"name": "x"}}]}]})",
       kMap, false, "envFrom of container \"i\""},
      {R"({"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "x",
          "optional": true}}]}]})",
       kSecret, true, "envFrom of container \"c\""},
      {R"({"ephemeralContainers": [{"name": "d", "envFrom": [{"secretRef": {"name": "x"}}]}]})",
       kSecret, false, "envFrom of container \"d\""},
      // Kubelets go without a pull secret that is not there.
      {R"({"imagePullSecrets": [{"name": "x"}]})", kSecret, true, "imagePullSecrets"},
  };
  return all;
}

TEST(References, EveryPlaceOfAPodSpecThatNamesAnObjectIsFound) {
  for (const Place& place : places()) {
    EXPECT_THAT(references(Json::parse(place.spec)),
                ElementsAre(Reference{place.kind, "x", place.optional, place.where}))
        << place.spec;
  }
}

TEST(References, EveryPlaceThatIsFoundFollowsANewName) {
  for (const Place& place : places()) {
    Json spec = Json::parse(place.spec);
    renameReferences(spec, {{{place.kind, "x"}, "y"}});
    std::string wanted = Json::parse(place.spec).dump();
    for (auto at = wanted.find("\"x\""); at != std::string::npos; at = wanted.find("\"x\"")) {
      wanted.replace(at, 3, "\"y\"");
    }
    EXPECT_EQ(spec.dump(), wanted) << place.spec;
  }
}

TEST(References, AConfigMapAndASecretOfOneNameAreTwo) {
  Json spec = R"({"volumes": [{"name": "a", "configMap": {"name": "x"}},
    {"name": "b", "secret": {"secretName": "x"}}]})"_json;
  renameReferences(spec, {{{kSecret, "x"}, "y"}, {{kSecret, "a"}, "z"}});
  EXPECT_EQ(spec, R"({"volumes": [{"name": "a", "configMap": {"name": "x"}},
    {"name": "b", "secret": {"secretName": "y"}}]})"_json);
}

TEST(References, WhatIsNoReferenceIsNone) {
  EXPECT_THAT(references(R"({"volumes": [null, 7, {"name": "e", "emptyDir": {}},
      {"name": "s", "secret": {}}, {"name": "r", "rbd": {"monitors": []}},
      {"name": "c", "csi": {"driver": "d"}}, {"name": "p", "projected": {"sources": [null,
        {"serviceAccountToken": {"path": "t"}}]}}, {"name": "q", "projected": null}],
      "containers": [{"name": "c", "env": [{"name": "A"}, {"name": "B", "valueFrom": {"fieldRef":
        {"fieldPath": "metadata.name"}}}], "envFrom": 3}, "x"],
      "imagePullSecrets": [{"name": ""}, {}]})"_json),
              IsEmpty());
  EXPECT_THAT(references(Json()), IsEmpty());
  EXPECT_THAT(references(Json("x")), IsEmpty());
}

}  // namespace
}  // namespace vkb::bridge
