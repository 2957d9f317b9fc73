#include "bridge/slim_pod.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bridge/capacity.h"
#include "bridge/references.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

Json container(const std::string& name) {
  return {{"name", name},
          {"image", "app:1"},
          {"command", {"a]", "b}", "\"secret\""}},
          {"resources", {{"requests", {{"cpu", "1"}, {"memory", "1Gi"}}}}},
          {"env", Json::array({{{"name", "A"}, {"value", "x"}}})},
          {"volumeMounts", Json::array({{{"name", "v"}, {"mountPath", "/v"}}})}};
}

Json pod() {
  Json sidecar = container("sidecar");
  sidecar["restartPolicy"] = "Always";
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata",
           {{"name", "a"}, {"namespace", "ns"}, {"uid", "u"}, {"annotations", {{"k", "{\"v\""}}}}},
          {"spec",
           {{"nodeName", "n1"},
            {"overhead", {{"cpu", "100m"}}},
            {"tolerations", Json::array({{{"key", "x"}}})},
            {"volumes", Json::array({{{"name", "v"}, {"emptyDir", Json::object()}}})},
            {"initContainers", Json::array({sidecar})},
            {"containers", Json::array({container("c"), container("d")})}}},
          {"status", {{"phase", "Running"}, {"podIP", "10.0.0.1"}}}};
}

Json slimmed(const Json& whole) { return slimDelegate(*json::makeObject(whole))->parse(); }

TEST(SlimPod, KeepsIdentityMetadataAndStatusOfADelegateWhole) {
  const Json whole = pod();
  const json::ObjectPtr slim = slimDelegate(*json::makeObject(whole));
  EXPECT_EQ(slim->key(), "ns/a");
  EXPECT_EQ(slim->uid, "u");
  EXPECT_EQ(slim->parse()["metadata"], whole["metadata"]);
  EXPECT_EQ(slim->parse()["status"], whole["status"]);
}

TEST(SlimPod, KeepsOfADelegatesSpecWhatIsReadOfIt) {
  const Json spec = slimmed(pod())["spec"];
  const Json kept{{"name", "c"}, {"resources", pod()["spec"]["containers"][0]["resources"]}};
  EXPECT_EQ(spec["containers"][0], kept);
  EXPECT_EQ(spec["containers"].size(), 2u);
  EXPECT_EQ(spec["initContainers"][0]["restartPolicy"], "Always");
  EXPECT_EQ(spec["nodeName"], "n1");
  EXPECT_FALSE(spec.contains("tolerations"));
  EXPECT_FALSE(spec.contains("volumes"));
}

TEST(SlimPod, EveryReferenceToAConfigMapOrSecretStays) {
  Json whole = pod();
  Json& spec = whole["spec"];
  spec["volumes"].push_back({{"name", "s"}, {"secret", {{"secretName", "s1"}}}});
  spec["imagePullSecrets"] = Json::array({{{"name", "p1"}}});
  spec["containers"][1]["envFrom"] = Json::array({{{"configMapRef", {{"name", "c1"}}}}});
  spec["initContainers"][0]["env"].push_back(
      {{"name", "B"}, {"valueFrom", {{"secretKeyRef", {{"name", "s2"}, {"key", "k"}}}}}});
  spec["ephemeralContainers"] = Json::array({spec["containers"][1]});
  EXPECT_EQ(references(slimmed(whole)["spec"]), references(spec));
  EXPECT_EQ(references(spec).size(), 5u);
}

TEST(SlimPod, AForeignPodKeepsWhatItTakesOfTheTarget) {
  const Json whole = pod();
  const json::ObjectPtr slim = slimForeign(*json::makeObject(whole));
  EXPECT_EQ(requestsOf(slim->parse()), requestsOf(whole));
  EXPECT_EQ(slim->uid, "u");
  EXPECT_EQ(json::str(slim->parse(), {"spec", "nodeName"}), "n1");
  EXPECT_EQ(slim->parse().contains("metadata"), false);
}

TEST(SlimPod, AForeignPodThatEndedTakesNothing) {
  Json whole = pod();
  whole["status"]["phase"] = "Succeeded";
  EXPECT_TRUE(requestsOf(slimForeign(*json::makeObject(whole))->parse()).empty());
}

TEST(SlimPod, OddPodsStayReadable) {
  for (const char* text : {R"({})", R"({"spec":null,"status":3})", R"({"spec":{"containers":{}}})",
                           R"({"spec":{"containers":[]}})", R"({"spec":{"containers":[3,"x",{}]}})",
                           R"( { "spec" : { "containers" : [ { "name" : "c" } , { } ] } } )"}) {
    const auto whole = json::makeObject(text);
    ASSERT_TRUE(whole) << text;
    EXPECT_TRUE(slimDelegate(**whole)->parse().is_object()) << text;
    EXPECT_TRUE(slimForeign(**whole)->parse().is_object()) << text;
  }
}

}  // namespace
}  // namespace vkb::bridge
