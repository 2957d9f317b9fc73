#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vkbridge/json.h"
#include "vkbridge/status.h"

namespace vkb::state {

/// Which namespace of the target a home namespace's pods go to.
enum class NamespaceStrategy {
  kSame,    ///< one of the same name
  kPrefix,  ///< "<text>-<home namespace>"
  kSingle,  ///< all into the one named by the text
};

/// A toleration as a command line says it: key[=value]:Effect.
struct Toleration {
  std::string key, value, effect;  ///< an empty value: whatever the taint's value is

  bool operator==(const Toleration&) const = default;
};

/// Who a delegate is to an API server.
enum class ServiceAccounts {
  kNone,    ///< nobody: no token at all
  kTarget,  ///< the target's account of the same name
  kHome,    ///< home's account, at home's API server
};

/// What an operator chose at `join` about how home pods become delegates and are shown.
struct PodOptions {
  NamespaceStrategy namespace_strategy = NamespaceStrategy::kSame;
  std::string namespace_text{};  ///< prefix, or the single namespace
  /// On every delegate, whatever its pod says.
  std::map<std::string, std::string> node_selector{};
  std::vector<Toleration> tolerations{};
  /// Globs of keys that pods may bring themselves. Nothing: anything in the clusterSelector
  /// annotation, nothing of the pod's own spec, which chose the virtual node.
  std::optional<std::vector<std::string>> allow_node_selector{}, allow_tolerations{};
  bool hide_pod_ips = false;  ///< --pod-ip=hidden
  ServiceAccounts service_accounts = ServiceAccounts::kNone;
  /// URL of home's API server as pods in the target reach it; for kHome.
  std::string home_api{};
  /// ConfigMaps, Secrets and claims that others put into the target serve delegates.
  bool use_existing = false;

  bool operator==(const PodOptions&) const = default;
};

/// Adds them to the options object of cluster.json.
void writePodOptions(const PodOptions& pods, Json& options);
/// Missing ones have their defaults; what cannot be read is an error that names the option.
Result<PodOptions> readPodOptions(const Json& options);

}  // namespace vkb::state
