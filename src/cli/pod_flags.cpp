#include "cli/pod_flags.h"

#include <algorithm>
#include <array>

#include "kube/server_url.h"

namespace vkb::cli {
namespace {

using state::NamespaceStrategy;

constexpr std::size_t kMaxNamespace = 63;
/// Leaves room for home's own name behind it.
constexpr std::size_t kMaxPrefix = 40;

bool isLabel(const std::string& text, std::size_t limit) {
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= limit && alnum(text.front()) && alnum(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return alnum(c) || c == '-'; });
}

/// A label or taint key: [prefix/]name. The API server checks the rest.
bool isKey(const std::string& text) {
  return !text.empty() && text.front() != '/' && text.back() != '/' &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
         });
}

Result<void> applyStrategy(const std::string& text, const std::string& home_id,
                           state::PodOptions& pods) {
  const auto equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const bool named = equals != std::string::npos;
  std::string given = named ? text.substr(equals + 1) : "";
  const std::string home = home_id.substr(0, 8);
  if (name == "same" && !named) {
    pods.namespace_strategy = NamespaceStrategy::kSame;
    given.clear();
  } else if (name == "prefix") {
    pods.namespace_strategy = NamespaceStrategy::kPrefix;
    if (!named) given = "vkb-" + home;
  } else if (name == "single") {
    pods.namespace_strategy = NamespaceStrategy::kSingle;
    if (!named) given = "vk-bridge-" + home;
  } else {
    return invalid("--namespace-strategy \"" + text +
                   "\" is none of: same, prefix, prefix=TEXT, single, single=NAMESPACE");
  }
  const std::size_t limit = name == "prefix" ? kMaxPrefix : kMaxNamespace;
  if (named && !isLabel(given, limit)) {
    return invalid("--namespace-strategy " + name + "=\"" + given + "\": use at most " +
                   std::to_string(limit) +
                   " lower case letters, digits and '-', with a letter or digit at both ends");
  }
  pods.namespace_text = std::move(given);
  return {};
}

Result<std::map<std::string, std::string>> parseSelector(const std::vector<std::string>& texts) {
  std::map<std::string, std::string> selector;
  for (const std::string& text : texts) {
    if (text.empty()) continue;
    const auto equals = text.find('=');
    const std::string key = text.substr(0, equals);
    if (equals == std::string::npos || !isKey(key)) {
      return invalid("--node-selector \"" + text +
                     "\" is not key=value, as in: --node-selector disk=ssd,zone=eu-1");
    }
    selector[key] = text.substr(equals + 1);
  }
  return selector;
}

Result<std::vector<state::Toleration>> parseTolerations(const std::vector<std::string>& texts) {
  constexpr std::array kEffects{"NoSchedule", "PreferNoSchedule", "NoExecute"};
  std::vector<state::Toleration> tolerations;
  for (const std::string& text : texts) {
    if (text.empty()) continue;
    const auto colon = text.rfind(':');
    const std::string taint = text.substr(0, colon);
    const auto equals = taint.find('=');
    state::Toleration found{.key = taint.substr(0, equals),
                            .value = equals == std::string::npos ? "" : taint.substr(equals + 1),
                            .effect = colon == std::string::npos ? "" : text.substr(colon + 1)};
    const bool known = std::any_of(kEffects.begin(), kEffects.end(),
                                   [&](const char* effect) { return found.effect == effect; });
    if (!known || !isKey(found.key)) {
      return invalid("--toleration \"" + text +
                     "\" is not key[=value]:Effect with one of the effects NoSchedule, "
                     "PreferNoSchedule and NoExecute, as in: --toleration gpu=only:NoSchedule");
    }
    tolerations.push_back(std::move(found));
  }
  return tolerations;
}

state::ServiceAccounts serviceAccountsOf(const std::string& text) {
  if (text == "home") return state::ServiceAccounts::kHome;
  return text == "target" ? state::ServiceAccounts::kTarget : state::ServiceAccounts::kNone;
}

Result<void> applyServiceAccounts(const PodFlags& flags, const std::string& home_server,
                                  state::PodOptions& pods) {
  if (flags.service_accounts) pods.service_accounts = serviceAccountsOf(*flags.service_accounts);
  if (flags.home_api_server) pods.home_api = *flags.home_api_server;
  if (pods.service_accounts != state::ServiceAccounts::kHome) {
    pods.home_api.clear();
    return {};
  }
  if (pods.home_api.empty()) pods.home_api = home_server;
  // Usage is looked at before home is known.
  if (pods.home_api.empty() && !flags.home_api_server) return {};
  return checkHomeApi(pods.home_api);
}

std::vector<std::string> withoutEmpty(std::vector<std::string> texts) {
  std::erase(texts, "");
  return texts;
}

}  // namespace

Result<void> checkHomeApi(const std::string& url) {
  const auto parsed = kube::parseServerUrl(url);
  std::string wrong;
  if (!parsed) {
    wrong = parsed.error().message;
  } else if (parsed->scheme != "https" || !parsed->path.empty() || !parsed->user_info.empty()) {
    wrong = "pods can use only https://HOST[:PORT]";
  } else if (parsed->host == "localhost" || parsed->host == "::1" ||
             parsed->host.starts_with("127.")) {
    wrong = "a pod in another cluster does not reach this machine by that name";
  }
  if (wrong.empty()) return {};
  return invalid(
      "--service-accounts=home needs the address of home's API server as pods in the "
      "target reach it, and \"" +
      url + "\" is none (" + wrong + "); give it with --home-api-server https://HOST:PORT");
}

Result<state::PodOptions> applyPodFlags(const PodFlags& flags, state::PodOptions before,
                                        const std::string& home_id,
                                        const std::string& home_server) {
  state::PodOptions pods = std::move(before);
  if (flags.namespace_strategy) {
    auto applied = applyStrategy(*flags.namespace_strategy, home_id, pods);
    if (!applied) return failure(applied.error());
  }
  if (flags.node_selector) {
    auto selector = parseSelector(*flags.node_selector);
    if (!selector) return failure(selector.error());
    pods.node_selector = std::move(*selector);
  }
  if (flags.tolerations) {
    auto tolerations = parseTolerations(*flags.tolerations);
    if (!tolerations) return failure(tolerations.error());
    pods.tolerations = std::move(*tolerations);
  }
  if (flags.allow_node_selector)
    pods.allow_node_selector = withoutEmpty(*flags.allow_node_selector);
  if (flags.allow_tolerations) pods.allow_tolerations = withoutEmpty(*flags.allow_tolerations);
  if (flags.pod_ip) pods.hide_pod_ips = *flags.pod_ip == "hidden";
  if (flags.existing_objects) pods.use_existing = *flags.existing_objects == "use";
  if (auto applied = applyServiceAccounts(flags, home_server, pods); !applied) {
    return failure(applied.error());
  }
  return pods;
}

}  // namespace vkb::cli
