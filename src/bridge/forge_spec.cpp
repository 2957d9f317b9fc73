#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

constexpr std::array<const char*, 3> kContainerLists{"containers", "initContainers",
                                                     "ephemeralContainers"};

/// Why each is taken off: forge.cpp.
constexpr std::array kDropped{"nodeName",           "nodeSelector",
                              "tolerations",        "schedulerName",
                              "schedulingGates",    "priority",
                              "priorityClassName",  "preemptionPolicy",
                              "overhead",           "readinessGates",
                              "serviceAccountName", "serviceAccount",
                              "enableServiceLinks", "automountServiceAccountToken",
                              "ephemeralContainers"};

template <typename JsonType, typename Visit>
void visitContainers(JsonType& spec, const Visit& visit) {
  if (!spec.is_object()) return;
  for (const char* list : kContainerLists) {
    const auto found = spec.find(list);
    if (found == spec.end() || !found->is_array()) continue;
    for (auto& container : *found) visit(container);
  }
}

/// What `hostname` prints in a pod of this name without spec.hostname; empty where that is not a
/// name that spec.hostname takes (a pod name may have dots).
std::string hostnameFor(std::string name) {
  name = name.substr(0, 63);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name.find('.') == std::string::npos ? name : std::string();
}

void keepHostname(Json& spec, const Json& home_pod, const PodPlace& place) {
  const std::string name = json::str(home_pod, {"metadata", "name"});
  if (place.name == name || !json::str(spec, "hostname").empty()) return;
  if (const std::string hostname = hostnameFor(name); !hostname.empty()) {
    spec["hostname"] = hostname;
  }
}

}  // namespace

std::span<const char* const> containerLists() { return kContainerLists; }

void forEachContainer(Json& spec, const std::function<void(Json& container)>& visit) {
  visitContainers(spec, visit);
}

void forEachContainer(const Json& spec, const std::function<void(const Json& container)>& visit) {
  visitContainers(spec, visit);
}

void dropSpecFields(Json& spec) {
  if (!spec.is_object()) return;
  for (const char* field : kDropped) spec.erase(field);
  const auto affinity = spec.find("affinity");
  if (affinity == spec.end() || !affinity->is_object()) return;
  affinity->erase("nodeAffinity");
  if (affinity->empty()) spec.erase(affinity);
}

void forgeSpec(Json& spec, const Json& home_pod, const ForgeContext& context) {
  dropTokenVolumes(spec);
  dropSpecFields(spec);
  keepHostname(spec, home_pod, context.place);
  if (context.rekey_labels) rekeySpec(spec);
  spec["automountServiceAccountToken"] = false;
  spec["enableServiceLinks"] = false;
}

}  // namespace vkb::bridge
