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

TEST(Admit, ClaimsGoOverWhereTheTargetsOwnServeThem) {
  Json home = homePod136();
  home["spec"]["volumes"] =
      R"([{"name": "data", "persistentVolumeClaim": {"claimName": "c"}}])"_json;
  EXPECT_FALSE(admit(home));
  EXPECT_TRUE(admit(home, true));
  // Nobody makes the claim of this one there.
  home["spec"]["volumes"] = R"([{"name": "tmp", "ephemeral": {"volumeClaimTemplate": {}}}])"_json;
  EXPECT_FALSE(admit(home, true));
}

TEST(Admit, VolumesOfOtherKindsGoOver) {
  Json home = homePod120();
  home["spec"]["volumes"] = R"([{"name": "e", "emptyDir": {}}, {"name": "h", "hostPath": {}},
    {"name": "c", "csi": {"driver": "inline"}}, {"name": "d", "downwardAPI": {"items": []}},
    {"name": "n", "nfs": {"server": "192.0.2.7"}}, null, {"name": "t", "projected": {"sources": [
      {"serviceAccountToken": {"path": "t"}}]}}])"_json;
  EXPECT_TRUE(admit(home));
}

}  // namespace
}  // namespace vkb::bridge
