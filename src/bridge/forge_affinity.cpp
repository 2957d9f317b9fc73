#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

using state::NamespaceStrategy;

constexpr const char* kMapped = "home's namespaces have these names in the target";
constexpr const char* kRestricted =
    "pods of several home namespaces share the target's; this asks for home's";

/// Without a selector a term matches no pods, and must go on doing so.
bool restrictTo(Json& term, const Json& home_namespaces) {
  if (!json::at(term, "labelSelector").is_object()) return false;
  Json& expressions = term["labelSelector"]["matchExpressions"];
  if (!expressions.is_array()) expressions = Json::array();
  expressions.push_back(
      {{"key", kLabelHomeNamespace}, {"operator", "In"}, {"values", home_namespaces}});
  return true;
}

}  // namespace

void mapNamespaces(Json& spec, const Json& home_pod, const ForgeContext& context,
                   const Reasons& why) {
  if (context.pods.namespace_strategy == NamespaceStrategy::kSame) return;
  const bool shared = context.pods.namespace_strategy == NamespaceStrategy::kSingle;
  const Json own = Json::array({json::str(home_pod, {"metadata", "namespace"})});
  forEachPodAffinityTerm(spec, [&](const std::string& path, Json& term) {
    const Json named = json::array(term, {"namespaces"});
    const Json& by_label = json::at(term, "namespaceSelector");
    if (!named.empty()) {
      // Several may have become one.
      Json mapped = Json::array();
      for (const Json& each : named) {
        if (!each.is_string()) continue;
        const Json there = targetNamespace(context.pods, each.get<std::string>());
        if (std::find(mapped.begin(), mapped.end(), there) == mapped.end()) mapped.push_back(there);
      }
      term["namespaces"] = std::move(mapped);
      why.add({path}, kMapped);
    }
    // Labels of namespaces are the target's; what they select there is not known here.
    if (!shared || !by_label.is_null()) return;
    if (restrictTo(term, named.empty() ? own : named)) why.add({path}, kRestricted);
  });
  if (!shared) return;
  forEachIn(spec, "topologySpreadConstraints", [&](Json& constraint) {
    if (restrictTo(constraint, own)) why.add({"spec.topologySpreadConstraints"}, kRestricted);
  });
}

}  // namespace vkb::bridge
