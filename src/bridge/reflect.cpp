#include "bridge/reflect.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
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

/// Home's users count restarts by this number: a delegate that was made anew goes on from where the
/// lost one was, and nothing makes it fewer.
void countRestarts(Json& entry, const Json& delegate, const Json* shown) {
  const std::int64_t there = json::integer(entry, {"restartCount"}).value_or(0);
  const std::int64_t counted = there + restartsBefore(delegate, json::str(entry, "name"));
  const auto before = shown ? json::integer(*shown, {"restartCount"}) : std::nullopt;
  if (const auto now = std::max(counted, before.value_or(0)); now != there) {
    entry["restartCount"] = now;
  }
}

/// Only containers that home's pod has: a sidecar that was injected in the target is not home's.
void keepHomesContainers(Json& status, const Json& home_pod, const Json& delegate) {
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
        countRestarts(entry, delegate,
                      json::findBy(json::at(home_pod, {"status", statuses}), "name", name));
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

/// An API server that does not know the field drops it, and would be told for ever. The scheduler
/// writes it where it is known.
bool knowsObservedGeneration(const Json& home_pod) {
  if (!json::at(home_pod, {"status", "observedGeneration"}).is_null()) return true;
  const Json& conditions = json::array(home_pod, {"status", "conditions"});
  return std::any_of(conditions.begin(), conditions.end(), [](const Json& found) {
    return !json::at(found, "observedGeneration").is_null();
  });
}

/// The generation of home's pod whose spec runs: that of now, once the delegate was brought up to
/// date and the kubelet there has taken note. Until then home keeps what it was told before.
void setObservedGeneration(Json& status, const Json& home_pod, const Json& delegate,
                           const std::string& inputs_hash) {
  const auto generation = json::integer(home_pod, {"metadata", "generation"});
  if (!generation || *generation < 0 || !knowsObservedGeneration(home_pod)) return;
  const bool up_to_date =
      !inputs_hash.empty() &&
      json::str(delegate, {"metadata", "annotations", kAnnotationInputsHash}) == inputs_hash;
  const auto seen = json::integer(delegate, {"status", "observedGeneration"});
  const auto wanted = json::integer(delegate, {"metadata", "generation"});
  const bool noted =
      !json::str(status, "startTime").empty() && (!seen || !wanted || *seen >= *wanted);
  if (up_to_date && noted) status["observedGeneration"] = *generation;
}

void hidePodIps(Json& status) {
  status.erase("podIP");
  status.erase("podIPs");
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
  keepHomesContainers(status, home_pod, delegate);
  setHostIp(status, home_pod, delegate, context.host_ip);
  if (context.hide_pod_ips) hidePodIps(status);
  setObservedGeneration(status, home_pod, delegate, context.inputs_hash);
  status["conditions"] = reflectConditions(home_pod, delegate);
  return status;
}

}  // namespace vkb::bridge
