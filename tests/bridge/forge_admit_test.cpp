#include <gtest/gtest.h>

#include "bridge/names.h"
#include "forge_pods.h"

namespace vkb::bridge {
namespace {

TEST(Admit, OrdinaryPodsGoOver) {
  EXPECT_TRUE(admit(homePod120()));
  EXPECT_TRUE(admit(homePod136()));
}

struct AdmitCase {
  const char *what, *patch, *reason, *says;
};

class Refused : public testing::TestWithParam<AdmitCase> {};

TEST_P(Refused, ForGood) {
  Json home = homePod136();
  home.merge_patch(Json::parse(GetParam().patch));
  const auto admitted = admit(home);
  ASSERT_FALSE(admitted) << GetParam().what;
  EXPECT_EQ(admitted.error().reason, GetParam().reason);
  EXPECT_EQ(admitted.error().retry, Retry::kNever);
  EXPECT_NE(admitted.error().message.find(GetParam().says), std::string::npos)
      << admitted.error().message;
}

INSTANTIATE_TEST_SUITE_P(
    Pods, Refused,
    testing::Values(AdmitCase{"DaemonSet", R"({"metadata": {"ownerReferences": [
            {"kind": "DaemonSet", "name": "logs", "controller": true}]}})",
                              kReasonNotOffloaded, "DaemonSet"},
                    AdmitCase{"mirror pod", R"({"metadata": {"annotations": {
            "kubernetes.io/config.mirror": "abc"}}})",
                              kReasonNotOffloaded, "static pod"},
                    AdmitCase{"kube-system", R"({"metadata": {"namespace": "kube-system"}})",
                              kReasonNotOffloaded, "kube-system"},
                    AdmitCase{"resource claims",
                              R"({"spec": {"resourceClaims": [{"name": "gpu"}]}})",
                              kReasonNotOffloaded, "resource claims"},
                    AdmitCase{"PVC", R"({"spec": {"volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "c"}}]}})",
                              kReasonVolumesNotOffloaded, "\"data\""},
                    AdmitCase{"ephemeral volume", R"({"spec": {"volumes": [
            {"name": "tmp", "ephemeral": {"volumeClaimTemplate": {}}}]}})",
                              kReasonVolumesNotOffloaded, "\"tmp\""}));

TEST(Admit, ADaemonSetPodGoesWhereItsAnnotationAsksForIt) {
  Json home = homePod120();
  home["metadata"]["ownerReferences"] = R"([{"kind": "DaemonSet", "controller": true}])"_json;
  EXPECT_FALSE(admit(home));
  home["metadata"]["annotations"]["vk-bridge.io/offload-daemonset"] = "true";
  EXPECT_TRUE(admit(home));
}

TEST(Admit, ADaemonSetThatIsNotTheControllerIsNoReason) {
  Json home = homePod120();
  home["metadata"]["ownerReferences"] = R"([{"kind": "DaemonSet", "name": "x"}])"_json;
  EXPECT_TRUE(admit(home));
}

struct WaitCase {
  const char *patch, *kind, *name, *where;
};

class Waits : public testing::TestWithParam<WaitCase> {};

TEST_P(Waits, AndSaysForWhat) {
  Json home = homePod136();
  home.merge_patch(Json::parse(GetParam().patch));
  const auto admitted = admit(home);
  ASSERT_FALSE(admitted) << GetParam().patch;
  EXPECT_EQ(admitted.error().reason, kReasonDependencyMissing);
  EXPECT_EQ(admitted.error().retry, Retry::kSlow);
  const std::string& message = admitted.error().message;
  EXPECT_NE(message.find(std::string(GetParam().kind) + " \"" + GetParam().name + "\""),
            std::string::npos)
      << message;
  EXPECT_NE(message.find(GetParam().where), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    References, Waits,
    testing::Values(
        WaitCase{R"({"spec": {"volumes": [{"name": "v", "configMap": {"name": "cfg"}}]}})",
                 "ConfigMap", "cfg", "volume \"v\""},
        WaitCase{R"({"spec": {"volumes": [{"name": "v", "secret": {"secretName": "pw",
                    "optional": true}}]}})",
                 "Secret", "pw", "volume \"v\""},
        WaitCase{R"({"spec": {"volumes": [{"name": "v", "projected": {"sources": [
                    {"downwardAPI": {}}, {"secret": {"name": "pw"}}]}}]}})",
                 "Secret", "pw", "volume \"v\""},
        WaitCase{R"({"spec": {"volumes": [{"name": "v", "projected": {"sources": [
                    {"configMap": {"name": "kube-root-ca.crt"}}]}}]}})",
                 "ConfigMap", "kube-root-ca.crt", "volume \"v\""},
        WaitCase{R"({"spec": {"volumes": [{"name": "v", "csi": {"driver": "d",
                    "nodePublishSecretRef": {"name": "pw"}}}]}})",
                 "Secret", "pw", "volume \"v\""},
        WaitCase{
            R"({"spec": {"volumes": [{"name": "v", "cephfs": {"secretRef": {"name": "pw"}}}]}})",
            "Secret", "pw", "volume \"v\""},
        WaitCase{R"({"spec": {"volumes": [{"name": "v", "azureFile": {"secretName": "pw"}}]}})",
                 "Secret", "pw", "volume \"v\""},
        WaitCase{R"({"spec": {"containers": [{"name": "c", "env": [{"name": "A", "value": "1"},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "pw", "key": "k"}}}]}]}})",
                 "Secret", "pw", "variable B of container \"c\""},
        WaitCase{R"({"spec": {"initContainers": [{"name": "i", "env": [
                    {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "cfg"}}}]}]}})",
                 "ConfigMap", "cfg", "container \"i\""},
        WaitCase{R"({"spec": {"containers": [{"name": "c",
                    "envFrom": [{"prefix": "X_", "configMapRef": {"name": "cfg"}}]}]}})",
                 "ConfigMap", "cfg", "envFrom of container \"c\""},
        WaitCase{R"({"spec": {"containers": [{"name": "c",
                    "envFrom": [{"secretRef": {"name": "pw"}}]}]}})",
                 "Secret", "pw", "envFrom"},
        WaitCase{R"({"spec": {"imagePullSecrets": [{"name": "registry"}]}})", "Secret", "registry",
                 "imagePullSecrets"}));

TEST(Admit, VolumesWithoutReferencesGoOver) {
  Json home = homePod120();
  home["spec"]["volumes"] = R"([{"name": "e", "emptyDir": {}}, {"name": "h", "hostPath": {}},
    {"name": "c", "csi": {"driver": "inline"}}, {"name": "d", "downwardAPI": {"items": []}},
    {"name": "n", "nfs": {"server": "192.0.2.7"}}, null, {"name": "t", "projected": {"sources": [
      {"serviceAccountToken": {"path": "t"}}]}}])"_json;
  home["spec"]["ephemeralContainers"] = R"([{"name": "debug", "envFrom": [
    {"secretRef": {"name": "pw"}}]}])"_json;
  EXPECT_TRUE(admit(home));
}

}  // namespace
}  // namespace vkb::bridge
