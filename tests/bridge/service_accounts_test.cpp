#include "bridge/service_accounts.h"

#include <gmock/gmock.h>

#include "forge_pods.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

using state::ServiceAccounts;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::SizeIs;

state::PodOptions optionsFor(ServiceAccounts accounts,
                             const std::string& api = "https://192.0.2.1:6443") {
  state::PodOptions options;
  options.service_accounts = accounts;
  options.home_api = api;
  return options;
}

Json forged(const Json& home, const state::PodOptions& options) {
  ForgeContext context = contextFor(home);
  context.pods = options;
  return forge(home, context)["spec"];
}

std::string variable(const Json& container, const char* name) {
  const Json* const found = json::findBy(json::array(container, {"env"}), "name", name);
  return found == nullptr ? "-" : json::str(*found, "value");
}

TEST(ServiceAccounts, OfNobodyLeaveNoTrace) {
  for (const Json& home : {homePod120(), homePod136()}) {
    const Json spec = forged(home, {});
    EXPECT_FALSE(spec.contains("serviceAccountName"));
    EXPECT_EQ(spec["automountServiceAccountToken"], false);
    EXPECT_EQ(spec.dump().find("token"), std::string::npos) << spec.dump();
    EXPECT_EQ(variable(spec["containers"][0], "KUBERNETES_SERVICE_HOST"), "-");
    EXPECT_TRUE(podTokens(home, {}, {"t1", "sc"}).secret.empty());
  }
}

TEST(ServiceAccounts, OfTheTargetKeepTheirNameAndGetTheirTokenThere) {
  for (Json home : {homePod120(), homePod136()}) {
    home["spec"]["serviceAccountName"] = "default";
    home["spec"]["volumes"].push_back(
        {{"name", "own"}, {"projected", {{"sources", R"([{"serviceAccountToken": {"path": "vault",
                                            "audience": "vault"}}])"_json}}}});
    const Json spec = forged(home, optionsFor(ServiceAccounts::kTarget));
    EXPECT_EQ(spec["serviceAccountName"], "default");
    EXPECT_FALSE(spec.contains("automountServiceAccountToken")) << "the account's own choice";
    EXPECT_EQ(spec.dump().find("kube-api-access"), std::string::npos);
    EXPECT_EQ(spec.dump().find("default-token"), std::string::npos);
    EXPECT_NE(json::findBy(spec["volumes"], "name", "own"), nullptr) << "asked for by the user";
    EXPECT_EQ(variable(spec["containers"][0], "KUBERNETES_SERVICE_HOST"), "-");
  }
  Json home = homePod136();
  home["spec"]["automountServiceAccountToken"] = false;
  EXPECT_EQ(forged(home, optionsFor(ServiceAccounts::kTarget))["automountServiceAccountToken"],
            false);
}

TEST(ServiceAccounts, OfHomeServeTheTokenFromASecretOfThePodsOwn) {
  const Json home = homePod136();
  const auto options = optionsFor(ServiceAccounts::kHome);
  const PodTokens tokens = podTokens(home, options, {"t1", "sc"});
  EXPECT_THAT(tokens.secret, MatchesRegex("sc-token-[0-9a-f]{8}"));
  EXPECT_EQ(tokens.account, "default");
  EXPECT_EQ(tokens.pod, "sc");
  EXPECT_EQ(tokens.uid, "00cb17cf-8939-45a5-9700-91f900c7fb51");
  ASSERT_THAT(tokens.tokens, SizeIs(1));
  EXPECT_EQ(tokens.tokens[0].seconds, 3607);

  const Json spec = forged(home, options);
  EXPECT_FALSE(spec.contains("serviceAccountName"));
  EXPECT_EQ(spec["automountServiceAccountToken"], false);
  const Json* const volume = json::findBy(spec["volumes"], "name", "kube-api-access-g4nk6");
  ASSERT_NE(volume, nullptr);
  const Json& sources = (*volume)["projected"]["sources"];
  EXPECT_EQ(sources[0]["secret"]["name"], tokens.secret);
  EXPECT_EQ(sources[0]["secret"]["items"][0]["key"], tokens.tokens[0].key);
  EXPECT_EQ(sources[0]["secret"]["items"][0]["path"], "token");
  EXPECT_EQ(sources[1], json::array(home, {"spec", "volumes"})[0]["projected"]["sources"][1]);
  EXPECT_EQ(spec["containers"][0]["volumeMounts"], home["spec"]["containers"][0]["volumeMounts"]);
}

TEST(ServiceAccounts, OfHomeServeAPodOfTheOldKindWithANewToken) {
  const Json home = homePod120();
  const auto options = optionsFor(ServiceAccounts::kHome);
  const PodPlace place = choosePlace(home);
  const PodTokens tokens = podTokens(home, options, place);
  ASSERT_THAT(tokens.tokens, SizeIs(1));
  const Json spec = forged(home, options);
  ASSERT_THAT(spec["volumes"], SizeIs(1));
  const Json& sources = spec["volumes"][0]["projected"]["sources"];
  EXPECT_EQ(spec["volumes"][0]["name"], "default-token-gpv7s");
  EXPECT_FALSE(spec["volumes"][0].contains("secret"));
  EXPECT_EQ(sources[0]["secret"]["items"][0]["key"], tokens.tokens[0].key);
  EXPECT_EQ(sources[1]["configMap"]["name"], "kube-root-ca.crt");
  EXPECT_EQ(sources[2]["downwardAPI"]["items"][0]["path"], "namespace");
}

TEST(ServiceAccounts, OfHomeAskOnceForEachAudienceAndLife) {
  Json home = homePod136();
  home["spec"]["volumes"].push_back(R"({"name": "more", "projected": {"sources": [
    {"serviceAccountToken": {"path": "a", "audience": "vault", "expirationSeconds": 600}},
    {"serviceAccountToken": {"path": "b", "audience": "vault", "expirationSeconds": 600}},
    {"serviceAccountToken": {"path": "c", "expirationSeconds": 3607}}]}})"_json);
  const auto options = optionsFor(ServiceAccounts::kHome);
  const PodTokens tokens = podTokens(home, options, {"t1", "sc"});
  ASSERT_THAT(tokens.tokens, SizeIs(2));
  EXPECT_EQ(tokens.tokens[1].audience, "vault");
  EXPECT_EQ(tokens.tokens[1].seconds, 600);
  EXPECT_EQ(parsePodTokens(toText(tokens)).value(), tokens);
  const Json spec = forged(home, options);
  const Json& sources = (*json::findBy(spec["volumes"], "name", "more"))["projected"]["sources"];
  EXPECT_EQ(sources[0]["secret"]["items"][0]["key"], tokens.tokens[1].key);
  EXPECT_EQ(sources[1]["secret"]["items"][0], (Json{{"key", tokens.tokens[1].key}, {"path", "b"}}));
  EXPECT_EQ(sources[2]["secret"]["items"][0]["key"], tokens.tokens[0].key);
}

TEST(ServiceAccounts, OfHomeLeadToItsApiServerByANameOfItsCertificate) {
  Json home = homePod136();
  home["spec"]["hostAliases"] = R"([{"ip": "198.51.100.7", "hostnames": ["db"]}])"_json;
  home["spec"]["containers"][0]["env"] = R"env([
    {"name": "URL", "value": "https://$(KUBERNETES_SERVICE_HOST)"
},
    {"name": "KUBERNETES_SERVICE_PORT", "value": "1"}])env"_json;
  Json spec = forged(home, optionsFor(ServiceAccounts::kHome));
  ASSERT_THAT(spec["hostAliases"], SizeIs(2));
  EXPECT_EQ(spec["hostAliases"][1],
            R"({"ip": "192.0.2.1", "hostnames": ["kubernetes.default",
              "kubernetes.default.svc"]})"_json);
  for (const char* list : {"containers", "initContainers"}) {
    EXPECT_EQ(variable(spec[list][0], "KUBERNETES_SERVICE_HOST"), "kubernetes.default");
    EXPECT_EQ(variable(spec[list][0], "KUBERNETES_SERVICE_PORT_HTTPS"), "6443");
    EXPECT_EQ(variable(spec[list][0], "KUBERNETES_PORT_6443_TCP_ADDR"), "kubernetes.default");
  }
  const Json& env = spec["containers"][0]["env"];
  EXPECT_EQ(env[0]["name"], "KUBERNETES_SERVICE_HOST") << "before what refers to it";
  EXPECT_EQ(variable(spec["containers"][0], "KUBERNETES_SERVICE_PORT"), "1") << "the user's own";

  spec = forged(home, optionsFor(ServiceAccounts::kHome, "https://api.home.example"));
  EXPECT_THAT(spec["hostAliases"], SizeIs(1));
  EXPECT_EQ(variable(spec["containers"][0], "KUBERNETES_SERVICE_HOST"), "api.home.example");
  EXPECT_EQ(variable(spec["containers"][0], "KUBERNETES_SERVICE_PORT_HTTPS"), "443");

  home["spec"]["hostNetwork"] = true;  // the node's hosts file, which has no alias of ours
  spec = forged(home, optionsFor(ServiceAccounts::kHome, "https://[2001:db8::1]:6443"));
  EXPECT_THAT(spec["hostAliases"], SizeIs(1));
  EXPECT_EQ(variable(spec["containers"][0], "KUBERNETES_SERVICE_HOST"), "2001:db8::1");
  EXPECT_EQ(variable(spec["containers"][0], "KUBERNETES_PORT"), "tcp://[2001:db8::1]:6443");
}

TEST(ServiceAccounts, WithoutATokenVolumeNoneIsAskedFor) {
  Json home = homePod136();
  home["spec"]["volumes"] = Json::array();
  EXPECT_TRUE(podTokens(home, optionsFor(ServiceAccounts::kHome), {"t1", "sc"}).secret.empty());
}

TEST(ServiceAccounts, ANoteThatSomebodyEditedIsNotBelieved) {
  for (const char* text : {"", "{}", "[]", R"({"uid": "u", "account": "a", "tokens": []})"}) {
    EXPECT_FALSE(parsePodTokens(text)) << text;
  }
}

}  // namespace
}  // namespace vkb::bridge
