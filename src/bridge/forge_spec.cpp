#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "bridge/service_accounts.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

constexpr const char* kHomesScheduling = "it is part of home's scheduling, which is done";
constexpr const char* kNoIdentity = "a delegate has no identity in the target";

struct Dropped {
  const char *field, *reason;
};
constexpr std::array kDropped{
    Dropped{"nodeName", "the target's scheduler chooses the node there"},
    Dropped{"schedulerName", "it names a scheduler of home's"},
    Dropped{"schedulingGates", kHomesScheduling},
    Dropped{"schedulingGroup", kHomesScheduling},
    Dropped{"workloadRef", kHomesScheduling},
    Dropped{"priority", "home computed it from one of its own priority classes"},
    Dropped{"priorityClassName", "it names a priority class of home's"},
    Dropped{"preemptionPolicy", "it came with the priority"},
    Dropped{"overhead", "the target's own RuntimeClass says what it takes there"},
    Dropped{"readinessGates", "their conditions are set and evaluated at home"},
    Dropped{"serviceAccountName", kNoIdentity},
    Dropped{"serviceAccount", kNoIdentity},
    Dropped{"enableServiceLinks", nullptr},            // set below, with its reason
    Dropped{"automountServiceAccountToken", nullptr},  // the same
};

void set(Json& spec, const Json& home_spec, const char* field, const Json& value,
         std::string_view reason, const Reasons& why) {
  spec[field] = value;
  if (json::at(home_spec, field) != value) why.add({"spec.", field}, reason);
}

/// What `hostname` prints in a pod of this name without spec.hostname; empty where that is not a
/// name that spec.hostname takes (a pod name may have dots).
std::string hostnameFor(std::string name) {
  name = name.substr(0, 63);
  while (!name.empty() && (name.back() == '-' || name.back() == '.')) name.pop_back();
  return name.find('.') == std::string::npos ? name : std::string();
}

void keepHostname(Json& spec, const Json& home_pod, const PodPlace& place, const Reasons& why) {
  const std::string name = json::str(home_pod, {"metadata", "name"});
  if (place.name == name || !json::str(spec, "hostname").empty()) return;
  if (const std::string hostname = hostnameFor(name); !hostname.empty()) {
    spec["hostname"] = hostname;
    why.add({"spec.hostname"},
            "the delegate has another name; the pod sees the one it has at home");
  }
}

void dropSpecFields(Json& spec, const Reasons& why) {
  if (!spec.is_object()) return;
  for (const auto& [field, reason] : kDropped) {
    if (spec.erase(field) > 0 && reason != nullptr) why.add({"spec.", field}, reason);
  }
}

}  // namespace

bool isDroppedSpecField(std::string_view field) {
  return std::any_of(kDropped.begin(), kDropped.end(),
                     [field](const Dropped& dropped) { return field == dropped.field; });
}

Json forgedSpec(const Json& home_pod, const ForgeContext& context, const Reasons& why) {
  const Json& home_spec = json::object(home_pod, {"spec"});
  Json spec = home_spec;
  forgeServiceAccount(spec, home_pod, context.pods, context.place, why);
  renameReferences(spec, context.dependencies, why);
  dropSpecFields(spec, why);
  forgeConstraints(spec, home_pod, context, why);
  keepHostname(spec, home_pod, context.place, why);
  if (context.rekey_labels) rekeySpec(spec, why);
  mapNamespaces(spec, home_pod, context, why);
  keepIdentity(spec, why);
  if (context.pods.service_accounts == state::ServiceAccounts::kTarget) {
    keepServiceAccount(spec, home_spec);
  } else {
    set(spec, home_spec, "automountServiceAccountToken", false, kNoIdentity, why);
  }
  set(spec, home_spec, "enableServiceLinks", false, "Services do not cross to the target", why);
  return spec;
}

}  // namespace vkb::bridge
