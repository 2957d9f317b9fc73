#include "state/pod_options.h"

#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::state {
namespace {

const char* toString(NamespaceStrategy strategy) {
  switch (strategy) {
    case NamespaceStrategy::kSame:
      return "same";
    case NamespaceStrategy::kPrefix:
      return "prefix";
    case NamespaceStrategy::kSingle:
      return "single";
  }
  return "";
}

const char* toString(ServiceAccounts accounts) {
  switch (accounts) {
    case ServiceAccounts::kNone:
      return "none";
    case ServiceAccounts::kTarget:
      return "target";
    case ServiceAccounts::kHome:
      return "home";
  }
  return "";
}

/// One that is not understood must not become another: a pod would be somebody else.
Result<void> readServiceAccounts(const Json& options, PodOptions& pods) {
  const Json& name = json::at(options, "serviceAccounts");
  if (name.is_null()) return {};
  using enum ServiceAccounts;
  for (const ServiceAccounts each : {kNone, kTarget, kHome}) {
    if (name != toString(each)) continue;
    pods.service_accounts = each;
    pods.home_api = json::str(options, "homeApi");
    if (each == kHome && pods.home_api.empty()) return invalid("homeApi is missing");
    return {};
  }
  return invalid("serviceAccounts is unknown");
}

/// A strategy that is not understood must not become another one: pods would go astray.
Result<void> readStrategy(const Json& options, PodOptions& pods) {
  const Json& name = json::at(options, "namespaceStrategy");
  if (name.is_null()) return {};
  using enum NamespaceStrategy;
  for (const NamespaceStrategy each : {kSame, kPrefix, kSingle}) {
    if (name != toString(each)) continue;
    pods.namespace_strategy = each;
    pods.namespace_text = json::str(options, "namespaceText");
    if (each != kSame && pods.namespace_text.empty()) return invalid("namespaceText is missing");
    return {};
  }
  return invalid("namespaceStrategy is unknown");
}

Result<std::optional<std::vector<std::string>>> readGlobs(const Json& options, const char* field) {
  const Json& list = json::at(options, field);
  if (list.is_null()) return std::optional<std::vector<std::string>>();
  std::vector<std::string> globs;
  for (const Json& entry : json::array(options, {field})) {
    if (!entry.is_string()) return invalid(std::string(field) + " holds more than strings");
    globs.push_back(entry.get<std::string>());
  }
  if (!list.is_array()) return invalid(std::string(field) + " is not a list");
  return std::optional(std::move(globs));
}

}  // namespace

void writePodOptions(const PodOptions& pods, Json& options) {
  options["namespaceStrategy"] = toString(pods.namespace_strategy);
  options["namespaceText"] = pods.namespace_text;
  options["nodeSelector"] = pods.node_selector;
  options["tolerations"] = Json::array();
  for (const Toleration& each : pods.tolerations) {
    options["tolerations"].push_back(
        {{"key", each.key}, {"value", each.value}, {"effect", each.effect}});
  }
  if (pods.allow_node_selector) options["allowNodeSelector"] = *pods.allow_node_selector;
  if (pods.allow_tolerations) options["allowTolerations"] = *pods.allow_tolerations;
  options["hidePodIps"] = pods.hide_pod_ips;
  options["serviceAccounts"] = toString(pods.service_accounts);
  if (!pods.home_api.empty()) options["homeApi"] = pods.home_api;
  options["useExisting"] = pods.use_existing;
}

Result<PodOptions> readPodOptions(const Json& options) {
  PodOptions pods;
  if (auto read = readStrategy(options, pods); !read) return failure(read.error());
  for (const auto& [key, value] : json::object(options, {"nodeSelector"}).items()) {
    if (!value.is_string()) return invalid("nodeSelector holds more than strings");
    pods.node_selector[key] = value.get<std::string>();
  }
  for (const Json& each : json::array(options, {"tolerations"})) {
    pods.tolerations.push_back(
        {json::str(each, "key"), json::str(each, "value"), json::str(each, "effect")});
  }
  auto selector = readGlobs(options, "allowNodeSelector");
  if (!selector) return failure(selector.error());
  pods.allow_node_selector = std::move(*selector);
  auto tolerations = readGlobs(options, "allowTolerations");
  if (!tolerations) return failure(tolerations.error());
  pods.allow_tolerations = std::move(*tolerations);
  pods.hide_pod_ips = json::boolean(options, {"hidePodIps"});
  if (auto read = readServiceAccounts(options, pods); !read) return failure(read.error());
  pods.use_existing = json::boolean(options, {"useExisting"});
  return pods;
}

}  // namespace vkb::state
