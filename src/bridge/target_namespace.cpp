#include "bridge/target_namespace.h"

#include <nlohmann/json.hpp>

#include "bridge/names.h"
#include "bridge/place.h"
#include "json/json.h"

namespace vkb::bridge {

bool isOurNamespace(const Json& ns, const std::string& home_id) {
  return !home_id.empty() && json::str(ns, {"metadata", "labels", kLabelHomeCluster}) == home_id;
}

Result<void> checkNamespace(const Json& ns, const std::string& name, const std::string& home_id,
                            const std::string& cluster, const state::ClusterOptions& options) {
  if (isOurNamespace(ns, home_id) || matchesAny(options.allow_namespaces, name)) return {};
  // The one that all pods go to was named for them.
  const bool single = options.pods.namespace_strategy == state::NamespaceStrategy::kSingle;
  if (single && options.pods.namespace_text == name) return {};
  return failure({.code = 403,
                  .reason = kReasonNamespaceNotAllowed,
                  .message = "namespace " + name +
                             " exists in the target and was not made by this bridge; to let pods "
                             "go there run: vk-bridge join " +
                             cluster + " --allow-namespace " + name,
                  .retry = Retry::kNever});
}

bool rekeysLabelsIn(const Json& ns, const std::string& home_id,
                    const state::ClusterOptions& options) {
  return !options.keep_labels && !isOurNamespace(ns, home_id);
}

std::string onlyNamespace(const state::ClusterOptions& options) {
  return options.one_namespace ? options.pods.namespace_text : std::string();
}

Json newNamespace(const std::string& name, const std::string& home_id) {
  return {{"apiVersion", "v1"},
          {"kind", "Namespace"},
          {"metadata", {{"name", name}, {"labels", {{kLabelHomeCluster, home_id}}}}}};
}

}  // namespace vkb::bridge
