#include "bridge/service_accounts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "json/json.h"
#include "kube/server_url.h"

namespace vkb::bridge {
namespace {

using state::ServiceAccounts;

/// What admission asks for; the odd number tells its tokens from those that users ask for.
constexpr std::int64_t kDefaultSeconds = 3607;
constexpr const char* kHomeCa = "kube-root-ca.crt";
/// Every API server's certificate has this name, whatever its address.
constexpr const char* kApiName = "kubernetes.default";
constexpr const char* kLeadsHome = "the pod talks to home's API server";
constexpr const char* kApiFullName = "kubernetes.default.svc";

PodTokens::Token tokenOf(const Json& source) {
  const Json& wanted = json::object(source, {"serviceAccountToken"});
  PodTokens::Token token;
  token.audience = json::str(wanted, "audience");
  token.seconds = json::integer(wanted, {"expirationSeconds"}).value_or(kDefaultSeconds);
  token.key = "token-" + hex(fnv1a(token.audience + "/" + std::to_string(token.seconds)), 8);
  return token;
}

bool isTokenSource(const Json& source) {
  return !json::at(source, "serviceAccountToken").is_null();
}

/// The volume of a legacy token secret as admission makes them since 1.21.
Json projectedTokenVolume(const std::string& name) {
  return {{"name", name},
          {"projected",
           {{"sources",
             Json::array(
                 {{{"serviceAccountToken",
                    {{"path", "token"}, {"expirationSeconds", kDefaultSeconds}}}},
                  {{"configMap",
                    {{"name", kHomeCa},
                     {"items", Json::array({{{"key", "ca.crt"}, {"path", "ca.crt"}}})}}}},
                  {{"downwardAPI",
                    {{"items", Json::array({{{"path", "namespace"},
                                             {"fieldRef",
                                              {{"apiVersion", "v1"},
                                               {"fieldPath", "metadata.namespace"}}}}})}}}}})}}}};
}

bool isLegacyTokenVolume(const Json& volume, const Json& spec) {
  return !json::at(volume, "secret").is_null() && isInjectedTokenVolume(volume, spec);
}

Json secretSource(const std::string& secret, const Json& source) {
  return {
      {"secret",
       {{"name", secret},
        {"items", Json::array({{{"key", tokenOf(source).key},
                                {"path", json::str(source, {"serviceAccountToken", "path"})}}})}}}};
}

void serveTokens(Json& spec, const std::string& secret, const Reasons& why) {
  const auto volumes = spec.find("volumes");
  if (volumes == spec.end() || !volumes->is_array()) return;
  for (Json& volume : *volumes) {
    const std::string name = json::str(volume, "name");
    if (isLegacyTokenVolume(volume, spec)) {
      volume = projectedTokenVolume(name);
    }
    if (json::array(volume, {"projected", "sources"}).empty()) continue;
    for (Json& source : volume["projected"]["sources"]) {
      if (!isTokenSource(source)) continue;
      source = secretSource(secret, source);
      why.add({"spec.volumes[", name, "]"},
              "home's token for this pod, which the bridge keeps fresh in a Secret");
    }
  }
}

/// In front: variables of the pod's own may refer to them.
void setVariables(Json& spec, const std::string& host, const std::string& port,
                  const Reasons& why) {
  const std::string url_host = host.find(':') == std::string::npos ? host : "[" + host + "]";
  const std::string url = "tcp://" + url_host + ":" + port;
  const std::string of_port = "KUBERNETES_PORT_" + port + "_TCP";
  // All that a kubelet sets for the Service: what is left out would lead to the target's.
  const std::pair<std::string, std::string> variables[] = {
      {"KUBERNETES_SERVICE_HOST", host},
      {"KUBERNETES_SERVICE_PORT", port},
      {"KUBERNETES_SERVICE_PORT_HTTPS", port},
      {"KUBERNETES_PORT", url},
      {of_port, url},
      {of_port + "_PROTO", "tcp"},
      {of_port + "_PORT", port},
      {of_port + "_ADDR", host},
  };
  for (const char* list : containerLists()) {
    const auto containers = spec.find(list);
    if (containers == spec.end() || !containers->is_array()) continue;
    for (Json& container : *containers) {
      if (!container.is_object()) continue;
      Json env = Json::array();
      const Json& own = json::array(container, {"env"});
      for (const auto& [name, value] : variables) {
        if (json::findBy(own, "name", name) == nullptr) {
          env.push_back({{"name", name}, {"value", value}});
          why.add({"spec.", list, "[", json::str(container, "name"), "].env[", name, "]"},
                  kLeadsHome);
        }
      }
      env.insert(env.end(), own.begin(), own.end());
      container["env"] = std::move(env);
    }
  }
}

void leadToHome(Json& spec, const std::string& home_api, const Reasons& why) {
  const auto url = kube::parseServerUrl(home_api);
  if (!url) return;  // join has checked it
  const bool is_v4 = url->host.find_first_not_of("0123456789.") == std::string::npos;
  const bool is_address = is_v4 || url->host.find(':') != std::string::npos;
  std::string host = url->host;
  // Pods of the node's network have the node's hosts file.
  if (is_address && !json::boolean(spec, {"hostNetwork"})) {
    if (!json::at(spec, "hostAliases").is_array()) spec["hostAliases"] = Json::array();
    spec["hostAliases"].push_back(
        {{"ip", host}, {"hostnames", Json::array({kApiName, kApiFullName})}});
    host = kApiName;
    why.add({"spec.hostAliases"}, kLeadsHome);
  }
  setVariables(spec, host, std::to_string(url->port), why);
}

std::string accountOf(const Json& spec) {
  std::string account = json::str(spec, "serviceAccountName");
  if (account.empty()) account = json::str(spec, "serviceAccount");
  return account.empty() ? "default" : account;
}

std::string tokenSecretName(const PodPlace& place, const std::string& home_uid) {
  constexpr std::size_t kMost = 253 - 15;  // "-token-" and 8 digits
  std::string name = place.name.substr(0, kMost);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name + "-token-" + hex(fnv1a(home_uid), 8);
}

}  // namespace

PodTokens podTokens(const Json& home_pod, const state::PodOptions& options, const PodPlace& place) {
  if (options.service_accounts != ServiceAccounts::kHome) return {};
  const Json& spec = json::object(home_pod, {"spec"});
  PodTokens found;
  const auto add = [&](PodTokens::Token token) {
    if (std::find(found.tokens.begin(), found.tokens.end(), token) == found.tokens.end()) {
      found.tokens.push_back(std::move(token));
    }
  };
  for (const Json& volume : json::array(spec, {"volumes"})) {
    if (isLegacyTokenVolume(volume, spec)) add(tokenOf(Json()));
    for (const Json& source : json::array(volume, {"projected", "sources"})) {
      if (isTokenSource(source)) add(tokenOf(source));
    }
  }
  if (found.tokens.empty()) return {};
  found.uid = json::str(home_pod, {"metadata", "uid"});
  found.pod = json::str(home_pod, {"metadata", "name"});
  found.account = accountOf(spec);
  found.secret = tokenSecretName(place, found.uid);
  return found;
}

std::string toText(const PodTokens& tokens) {
  Json list = Json::array();
  for (const auto& token : tokens.tokens) {
    list.push_back({{"key", token.key}, {"audience", token.audience}, {"seconds", token.seconds}});
  }
  return Json{{"secret", tokens.secret},
              {"pod", tokens.pod},
              {"uid", tokens.uid},
              {"account", tokens.account},
              {"tokens", std::move(list)}}
      .dump();
}

Result<PodTokens> parsePodTokens(const std::string& text) {
  const auto value = json::parse(text);
  if (!value) return failure(value.error());
  PodTokens tokens{.secret = json::str(*value, "secret"),
                   .pod = json::str(*value, "pod"),
                   .uid = json::str(*value, "uid"),
                   .account = json::str(*value, "account"),
                   .tokens = {}};
  for (const Json& token : json::array(*value, {"tokens"})) {
    tokens.tokens.push_back({.key = json::str(token, "key"),
                             .audience = json::str(token, "audience"),
                             .seconds = json::integer(token, {"seconds"}).value_or(0)});
  }
  const bool whole = !tokens.uid.empty() && !tokens.account.empty() && !tokens.tokens.empty();
  if (!whole) return invalid("the note on the tokens of a pod cannot be read");
  return tokens;
}

void forgeServiceAccount(Json& spec, const Json& home_pod, const state::PodOptions& options,
                         const PodPlace& place, const Reasons& why) {
  if (!spec.is_object()) return;
  switch (options.service_accounts) {
    case ServiceAccounts::kTarget:
      dropInjectedTokenVolumes(spec, why);
      return;
    case ServiceAccounts::kHome:
      if (const PodTokens tokens = podTokens(home_pod, options, place); !tokens.secret.empty()) {
        serveTokens(spec, tokens.secret, why);
      }
      leadToHome(spec, options.home_api, why);
      break;
    case ServiceAccounts::kNone:
      break;
  }
  dropTokenVolumes(spec, why);
}

void keepServiceAccount(Json& spec, const Json& home_spec) {
  for (const char* field : {"serviceAccountName", "automountServiceAccountToken"}) {
    const Json& own = json::at(home_spec, field);
    if (!own.is_null()) spec[field] = own;
  }
}

}  // namespace vkb::bridge
