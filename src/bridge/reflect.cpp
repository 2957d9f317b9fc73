#include "bridge/reflect.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "bridge/names.h"
#include "bridge/reflect_conditions.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

/// Status fields that are not passed on. Home's API server keeps its own view of the first group
/// and refuses (1.36) or silently stores (1.20) another one; the second speaks of the delegate's
/// spec, generation and claims, which home's pod does not share; the last is set below.
constexpr std::array kNeverSent{"qosClass",
                                "nominatedNodeName",
                                "observedGeneration",
                                "resize",
                                "resources",
                                "allocatedResources",
                                "resourceClaimStatuses",
                                "extendedResourceClaimStatus",
                                "hostIP",
                                "hostIPs",
                                "conditions"};

struct StatusList {
  const char *statuses, *containers;
};
constexpr std::array kStatusLists{StatusList{"containerStatuses", "containers"},
                                  StatusList{"initContainerStatuses", "initContainers"},
                                  StatusList{"ephemeralContainerStatuses", "ephemeralContainers"}};

/// Only containers that home's pod has: a sidecar that was injected in the target is not home's.
void keepHomesContainers(Json& status, const Json& home_pod) {
  for (const auto& [statuses, containers] : kStatusLists) {
    const auto found = status.find(statuses);
    if (found == status.end()) continue;
    Json kept = Json::array();
    if (found->is_array()) {
      for (Json& entry : *found) {
        const std::string name = json::str(entry, "name");
        const Json& homes = json::at(home_pod, {"spec", containers});
        if (!entry.is_object() || json::findBy(homes, "name", name) == nullptr) continue;
        entry.erase("allocatedResourcesStatus");  // devices and claims of the target
        kept.push_back(std::move(entry));
      }
    }
    if (kept.empty()) {
      status.erase(found);
    } else {
      *found = std::move(kept);
    }
  }
}

/// The delegate's node means nothing in home; the address to reach the pod's "kubelet" at is the
/// virtual node's. Without a pod IP there is none either, as with a kubelet.
void setHostIp(Json& status, const Json& home_pod, const Json& delegate,
               const std::string& host_ip) {
  if (host_ip.empty() || json::str(status, "podIP").empty()) return;
  status["hostIP"] = host_ip;
  // A home that is older than hostIPs would drop them, and then never show what was sent.
  const bool known = !json::at(delegate, {"status", "hostIPs"}).is_null() ||
                     !json::at(home_pod, {"status", "hostIPs"}).is_null();
  if (known) status["hostIPs"] = Json::array({{{"ip", host_ip}}});
}

/// A pod that ran does not become Pending again in home's eyes, whatever stands behind it now.
std::string phaseOf(const Json& home_pod, const Json& delegate) {
  const std::string phase = json::str(delegate, {"status", "phase"});
  const std::string shown = json::str(home_pod, {"status", "phase"});
  if (phase.empty()) return shown.empty() ? "Pending" : shown;
  return phase == "Pending" && shown == "Running" ? shown : phase;
}

}  // namespace

Json reflect(const Json& home_pod, const Json& delegate, const ReflectContext& context) {
  Json status = json::object(delegate, {"status"});
  for (const char* field : kNeverSent) status.erase(field);
  status["phase"] = phaseOf(home_pod, delegate);
  keepHomesContainers(status, home_pod);
  setHostIp(status, home_pod, delegate, context.host_ip);
  status["conditions"] = reflectConditions(home_pod, delegate);
  return status;
}

}  // namespace vkb::bridge
