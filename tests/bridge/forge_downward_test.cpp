#include <gtest/gtest.h>

#include "bridge/names.h"
#include "forge_pods.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

Json fieldRef(const std::string& path) {
  return {{"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", path}}}};
}

Json variable(const std::string& path) { return {{"name", "V"}, {"valueFrom", fieldRef(path)}}; }

/// What a kubelet gives a delegate for a field path of its own.
std::string resolved(const Json& delegate, const std::string& path) {
  for (const auto& [before, map] :
       {std::pair{"metadata.annotations['", "annotations"}, {"metadata.labels['", "labels"}}) {
    const std::string start = before;
    if (!path.starts_with(start)) continue;
    const std::string key = path.substr(start.size(), path.size() - start.size() - 2);
    return json::str(delegate, {"metadata", map, key});
  }
  return path == "metadata.name" ? json::str(delegate, {"metadata", "name"}) : "of the target";
}

struct IdentityCase {
  const char *path, *value;
};

class Identity : public testing::TestWithParam<IdentityCase> {
 protected:
  Identity() {
    home_["metadata"]["name"] = "web-0";
    home_["spec"]["serviceAccountName"] = "builder";
    context_ = contextFor(home_);
    context_.place = {"elsewhere", "web-0-12345678"};
  }
  Json home_ = homePod136();
  ForgeContext context_;
};

TEST_P(Identity, OfEveryKindOfContainerIsHomes) {
  for (const char* list : {"containers", "initContainers"}) {
    for (Json& container : home_["spec"][list]) {
      container["env"] = Json::array({variable(GetParam().path)});
    }
  }
  for (const bool rekey : {false, true}) {
    context_.rekey_labels = rekey;
    const Json delegate = forge(home_, context_);
    int seen = 0;
    for (const char* list : {"containers", "initContainers"}) {
      for (const Json& container : delegate["spec"][list]) {
        const std::string path =
            json::str(container["env"][0], {"valueFrom", "fieldRef", "fieldPath"});
        EXPECT_EQ(resolved(delegate, path), GetParam().value) << path;
        EXPECT_EQ(container["env"][0]["valueFrom"]["fieldRef"]["apiVersion"], "v1");
        ++seen;
      }
    }
    EXPECT_EQ(seen, 3);
  }
}

TEST_P(Identity, OfAnEphemeralContainerIsHomesAsWell) {
  home_["spec"]["ephemeralContainers"] =
      Json::array({{{"name", "debug"}, {"env", Json::array({variable(GetParam().path)})}}});
  const Json delegate = createdFrom(home_, context_);
  const Json missing = missingEphemeralContainers(home_, delegate, context_);
  ASSERT_EQ(missing.size(), 1U);
  EXPECT_EQ(
      resolved(delegate, json::str(missing[0]["env"][0], {"valueFrom", "fieldRef", "fieldPath"})),
      GetParam().value);
}

INSTANTIATE_TEST_SUITE_P(Fields, Identity,
                         testing::Values(IdentityCase{"metadata.name", "web-0"},
                                         IdentityCase{"metadata.namespace", "t1"},
                                         IdentityCase{"metadata.uid",
                                                      "00cb17cf-8939-45a5-9700-91f900c7fb51"},
                                         IdentityCase{"spec.nodeName", "gpu-eu"},
                                         IdentityCase{"spec.serviceAccountName", "builder"}));

TEST(Downward, VolumesOfBothKindsGiveHomesIdentity) {
  Json home = homePod136();
  const Json items =
      Json::array({{{"path", "name"}, {"fieldRef", {{"fieldPath", "metadata.name"}}}},
                   {{"path", "uid"}, {"fieldRef", {{"fieldPath", "metadata.uid"}}}}});
  home["spec"]["volumes"] = Json::array(
      {{{"name", "plain"}, {"downwardAPI", {{"items", items}}}},
       {{"name", "projected"},
        {"projected", {{"sources", Json::array({{{"downwardAPI", {{"items", items}}}}})}}}}});
  ForgeContext context = contextFor(home);
  context.place.name = "other";
  const Json delegate = forge(home, context);
  const Json& volumes = delegate["spec"]["volumes"];
  for (const Json& there : {volumes[0]["downwardAPI"]["items"],
                            volumes[1]["projected"]["sources"][0]["downwardAPI"]["items"]}) {
    EXPECT_EQ(resolved(delegate, there[0]["fieldRef"]["fieldPath"]), "sc");
    EXPECT_EQ(resolved(delegate, there[1]["fieldRef"]["fieldPath"]), home["metadata"]["uid"]);
    EXPECT_EQ(there[0]["path"], "name");
  }
}

TEST(Downward, WhatIsTheTargetsToSayIsLeftToIt) {
  Json home = homePod120();
  Json env = Json::array({R"({"name": "CPU", "valueFrom": {"resourceFieldRef": {
                               "resource": "limits.cpu"}}})"_json,
                          R"({"name": "PLAIN", "value": "metadata.name"})"_json});
  for (const char* path :
       {"status.podIP", "status.podIPs", "status.hostIP", "metadata.labels['app']",
        "metadata.annotations['team']", "fieldOf2030"}) {
    env.push_back(variable(path));
  }
  home["spec"]["containers"][0]["env"] = env;
  EXPECT_EQ(forge(home, contextFor(home))["spec"]["containers"][0]["env"], env);
}

TEST(Downward, APodWithoutAnAccountHasTheDefaultOne) {
  Json home = homePod120();
  home["spec"].erase("serviceAccountName");
  home["spec"].erase("serviceAccount");
  EXPECT_EQ(forge(home, contextFor(home))["metadata"]["annotations"][kAnnotationHomeServiceAccount],
            "default");
}

}  // namespace
}  // namespace vkb::bridge
