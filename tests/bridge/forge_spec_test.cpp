#include <gtest/gtest.h>

#include "bridge/forge_parts.h"
#include "forge_pods.h"

namespace vkb::bridge {
namespace {

Json forgedSpec(const Json& home_pod) { return forge(home_pod, contextFor(home_pod))["spec"]; }

struct SpecCase {
  const char *what, *field, *value;
};

class Dropped : public testing::TestWithParam<SpecCase> {};

TEST_P(Dropped, DoesNotGoOver) {
  Json home = homePod120();
  home["spec"][GetParam().field] = Json::parse(GetParam().value);
  EXPECT_FALSE(forgedSpec(home).contains(GetParam().field)) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Fields, Dropped,
    testing::Values(
        SpecCase{"the target's scheduler binds", "nodeName", R"("vn1")"},
        SpecCase{"chose the virtual node", "nodeSelector", R"({"type": "virtual-kubelet"})"},
        SpecCase{"chose the virtual node", "tolerations", R"([{"operator": "Exists"}])"},
        SpecCase{"only node affinity in it", "affinity",
                 R"({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}})"},
        SpecCase{"home's scheduler", "schedulerName", R"("volcano")"},
        SpecCase{"a gang of home's", "workloadRef", R"({"name": "gang"})"},
        SpecCase{"its newer name", "schedulingGroup", R"({"name": "gang"})"},
        SpecCase{"home's gates are done", "schedulingGates", R"([{"name": "quota"}])"},
        SpecCase{"goes with its class", "priority", "1000"},
        SpecCase{"a class of home", "priorityClassName", R"("high")"},
        SpecCase{"goes with priority", "preemptionPolicy", R"("Never")"},
        SpecCase{"the target's RuntimeClass sets it", "overhead", R"({"cpu": "250m"})"},
        SpecCase{"set in home", "readinessGates", R"([{"conditionType": "example.com/lb"}])"},
        SpecCase{"no identity there", "serviceAccountName", R"("builder")"},
        SpecCase{"its old name", "serviceAccount", R"("builder")"},
        SpecCase{"refused in a create", "ephemeralContainers", R"([{"name": "debug"}])"}));

class Passed : public testing::TestWithParam<SpecCase> {};

TEST_P(Passed, GoesOverAsItIs) {
  Json home = homePod120();
  home["spec"][GetParam().field] = Json::parse(GetParam().value);
  EXPECT_EQ(forgedSpec(home)[GetParam().field], home["spec"][GetParam().field]) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Fields, Passed,
    testing::Values(
        SpecCase{"", "terminationGracePeriodSeconds", "60"},
        SpecCase{"", "activeDeadlineSeconds", "600"}, SpecCase{"", "restartPolicy", R"("Never")"},
        SpecCase{"", "hostNetwork", "true"}, SpecCase{"", "hostPID", "true"},
        SpecCase{"a sandbox that was asked for", "runtimeClassName", R"("gvisor")"},
        SpecCase{"", "securityContext", R"({"runAsUser": 1000, "fsGroup": 5})"},
        SpecCase{"", "dnsPolicy", R"("None")"},
        SpecCase{"", "dnsConfig", R"({"nameservers": ["192.0.2.53"]})"},
        SpecCase{"", "hostAliases", R"([{"ip": "192.0.2.1", "hostnames": ["db"]}])"},
        SpecCase{"", "subdomain", R"("web")"}, SpecCase{"", "setHostnameAsFQDN", "true"},
        SpecCase{"", "shareProcessNamespace", "true"},
        SpecCase{"pods spread over the target's nodes too", "affinity",
                 R"({"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}})"},
        SpecCase{"", "topologySpreadConstraints", R"([{"maxSkew": 1, "topologyKey": "zone"}])"},
        SpecCase{"", "os", R"({"name": "linux"})"}, SpecCase{"", "hostUsers", "false"},
        SpecCase{"newer than this program", "resources", R"({"requests": {"cpu": "1"}})"},
        SpecCase{"newer than this program", "fieldOf2030", R"({"deep": [1, {"x": null}]})"},
        SpecCase{"", "volumes",
                 R"([{"name": "e", "emptyDir": {"medium": "Memory"}},
                     {"name": "h", "hostPath": {"path": "/data"}},
                     {"name": "c", "csi": {"driver": "inline.csi.example"}},
                     {"name": "n", "volumeOf2030": {}}])"}));

TEST(ForgeAffinity, OnlyTheNodePartIsTakenOff) {
  Json home = homePod120();
  home["spec"]["affinity"] =
      R"({"nodeAffinity": {"x": 1}, "podAffinity": {"y": 2}, "affinityOf2030": 3})"_json;
  EXPECT_EQ(forgedSpec(home)["affinity"], R"({"podAffinity": {"y": 2}, "affinityOf2030": 3})"_json);
}

TEST(ForgeForced, ServiceLinksAndTokensAreOffWhateverHomeSays) {
  Json home = homePod120();
  home["spec"]["automountServiceAccountToken"] = true;
  EXPECT_EQ(forgedSpec(home)["automountServiceAccountToken"], false);
  EXPECT_EQ(forgedSpec(home)["enableServiceLinks"], false);
}

struct HostnameCase {
  const char *what, *name, *hostname, *place, *wanted;
};

class Hostname : public testing::TestWithParam<HostnameCase> {};

TEST_P(Hostname, IsHomesAlsoUnderAnotherName) {
  Json home = homePod120();
  home["metadata"]["name"] = GetParam().name;
  if (*GetParam().hostname != '\0') home["spec"]["hostname"] = GetParam().hostname;
  ForgeContext context = contextFor(home);
  context.place.name = GetParam().place;
  const Json delegate = forge(home, context);
  EXPECT_EQ(delegate["metadata"]["name"], GetParam().place);
  EXPECT_EQ(delegate["spec"].value("hostname", ""), GetParam().wanted) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Names, Hostname,
    testing::Values(
        HostnameCase{"same name: nothing to say", "web-0", "", "web-0", ""},
        HostnameCase{"given: kept", "web-0", "db", "web-0", "db"},
        HostnameCase{"given: kept under another name too", "web-0", "db", "web-0-12345678", "db"},
        HostnameCase{"another name: home's", "web-0", "", "web-0-12345678", "web-0"},
        HostnameCase{"cut as a kubelet cuts it",
                     "a23456789012345678901234567890123456789012345678901234567890-2-4", "", "x",
                     "a23456789012345678901234567890123456789012345678901234567890-2"},
        HostnameCase{"dots cannot stand in spec.hostname", "web.0", "", "web.0-1", ""}));

TEST(ForgeTokens, ALegacyTokenIsKnownByItsShapeAndItsMount) {
  Json home = homePod120();
  home["spec"]["serviceAccountName"] = "builder";
  const auto injected = [&](const char* volume) {
    return isInjectedTokenVolume(Json::parse(volume), home["spec"]);
  };
  EXPECT_TRUE(injected(R"({"name": "builder-token-abc12",
                           "secret": {"secretName": "builder-token-abc12"}})"));
  EXPECT_FALSE(injected(R"({"name": "t", "secret": {"secretName": "other-token-abc12"}})"));
  EXPECT_FALSE(injected(R"({"name": "t", "secret": {"secretName": "builder-token-abc123"}})"));
  EXPECT_FALSE(injected(R"({"name": "t", "secret": {"secretName": "builder-token-ABC12"}})"));
  EXPECT_FALSE(injected(R"({"name": "t", "emptyDir": {}})"));
  home["spec"]["containers"][0]["volumeMounts"] =
      R"([{"name": "t", "mountPath": "/elsewhere"}])"_json;
  EXPECT_FALSE(injected(R"({"name": "t", "secret": {"secretName": "builder-token-abc12"}})"));
}

TEST(ForgeTokens, TokensInOtherProjectedVolumesAreTakenOutOfThem) {
  Json home = homePod136();
  home["spec"]["volumes"] = R"([
    {"name": "vault", "projected": {"sources": [
      {"serviceAccountToken": {"path": "vault", "audience": "vault"}}]}},
    {"name": "mixed", "projected": {"sources": [
      {"serviceAccountToken": {"path": "t"}}, {"podCertificate": {"signerName": "x"}},
      {"downwardAPI": {"items": []}}]}}])"_json;
  home["spec"]["containers"][0]["volumeMounts"] = R"([
    {"name": "vault", "mountPath": "/vault"}, {"name": "mixed", "mountPath": "/mixed"}])"_json;
  const Json spec = forgedSpec(home);
  EXPECT_EQ(spec["volumes"], R"([{"name": "mixed", "projected": {"sources": [
    {"downwardAPI": {"items": []}}]}}])"_json);
  EXPECT_EQ(spec["containers"][0]["volumeMounts"],
            R"([{"name": "mixed", "mountPath": "/mixed"}])"_json);
}

}  // namespace
}  // namespace vkb::bridge
