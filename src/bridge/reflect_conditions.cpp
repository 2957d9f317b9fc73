#include "bridge/reflect_conditions.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "bridge/names.h"
#include "json/json.h"
#include "json/time.h"

namespace vkb::bridge {
namespace {

constexpr const char* kTransition = "lastTransitionTime";
constexpr const char* kContainersNotReady = "ContainersNotReady";
constexpr const char* kDeletedInTarget = "DeletedInTarget";
constexpr const char* kDeletedMessage = "the delegate pod is being deleted in the target cluster";

const Json& condition(const Json& pod, std::string_view type) {
  static const Json none;
  const Json* const found = json::findBy(json::at(pod, {"status", "conditions"}), "type", type);
  return found == nullptr ? none : *found;
}

bool isTrue(const Json& found) { return json::str(found, "status") == "True"; }

bool isGate(const Json& home_pod, const std::string& type) {
  const Json& gates = json::at(home_pod, {"spec", "readinessGates"});
  return json::findBy(gates, "conditionType", type) != nullptr;
}

/// CPU and memory of home's containers are what the delegate is asked to have.
bool hasHomesResources(const Json& home_pod, const Json& delegate) {
  for (const char* list : {"containers", "initContainers"}) {
    for (const Json& container : json::array(home_pod, {"spec", list})) {
      const Json* const there =
          json::findBy(json::at(delegate, {"spec", list}), "name", json::str(container, "name"));
      for (const char* kind : {"requests", "limits"}) {
        for (const char* resource : {"cpu", "memory"}) {
          const json::Path path{"resources", kind, resource};
          const Json& wanted = json::at(container, path);
          // What home leaves open may be filled in there.
          if (!wanted.is_null() && (!there || json::at(*there, path) != wanted)) return false;
        }
      }
    }
  }
  return true;
}

bool passes(const Json& home_pod, const Json& delegate, const Json& found) {
  const std::string type = json::str(found, "type");
  // A resize by somebody in the target is not home's.
  if (type == "PodResizePending" || type == "PodResizeInProgress") {
    return hasHomesResources(home_pod, delegate);
  }
  return !type.empty() && type != "PodScheduled" && type != "Ready" && type != "ContainersReady" &&
         // Ours about this delegate; one that came with it is of another bridge.
         type != kConditionDelegateScheduled && !isGate(home_pod, type);
}

/// lastTransitionTime of RFC 3339 in UTC, as API servers send it, orders as text.
void takeLater(Json& target, const Json& other) {
  const std::string time = json::str(other, kTransition);
  if (time > json::str(target, kTransition)) target[kTransition] = time;
}

/// The moment deletion was asked for: deletionTimestamp lies the grace period after it.
void setDeletionTime(Json& target, const Json& delegate) {
  const std::string text = json::str(delegate, {"metadata", "deletionTimestamp"});
  const auto grace = json::integer(delegate, {"metadata", "deletionGracePeriodSeconds"});
  // A century is more than anybody waits, and less than what a time type holds.
  const std::chrono::seconds wait{std::clamp<std::int64_t>(grace.value_or(0), 0, 3'000'000'000)};
  const auto time = json::parseTime(text);
  target[kTransition] = time ? json::formatTime(*time - wait) : text;
}

/// Going away without home having asked for it. A delegate that has ended keeps what it ended with:
/// a Failed pod must not look like a disruption because its remains are cleared away.
bool isDisrupted(const Json& home_pod, const Json& delegate) {
  const std::string phase = json::str(delegate, {"status", "phase"});
  return !json::at(delegate, {"metadata", "deletionTimestamp"}).is_null() &&
         json::at(home_pod, {"metadata", "deletionTimestamp"}).is_null() && phase != "Succeeded" &&
         phase != "Failed";
}

Json make(const char* type, const char* status, const std::string& reason,
          const std::string& message) {
  return {{"type", type},
          {"status", status},
          {"lastProbeTime", nullptr},
          {"reason", reason},
          {"message", message}};
}

bool isSidecar(const Json& container) { return json::str(container, "restartPolicy") == "Always"; }

/// Containers that readiness depends on and that only the delegate has: injected in the target.
bool hasInjected(const Json& home_pod, const Json& delegate) {
  for (const char* list : {"containers", "initContainers"}) {
    const bool init = std::string_view(list) == "initContainers";
    for (const Json& container : json::array(delegate, {"spec", list})) {
      if (init && !isSidecar(container)) continue;
      const std::string name = json::str(container, "name");
      if (json::findBy(json::at(home_pod, {"spec", list}), "name", name) == nullptr) return true;
    }
  }
  return false;
}

/// Home's containers that readiness depends on and that are not ready, as a kubelet lists them.
std::string unready(const Json& home_pod, const Json& delegate) {
  std::string names;
  const auto look = [&](const char* list, const char* statuses, bool sidecars_only) {
    for (const Json& container : json::array(home_pod, {"spec", list})) {
      if (sidecars_only && !isSidecar(container)) continue;
      const std::string name = json::str(container, "name");
      const Json* const status =
          json::findBy(json::at(delegate, {"status", statuses}), "name", name);
      if (status == nullptr || !json::boolean(*status, {"ready"})) {
        names += (names.empty() ? "" : " ") + name;
      }
    }
  };
  look("initContainers", "initContainerStatuses", true);
  look("containers", "containerStatuses", false);
  return names;
}

/// The delegate's condition ContainersReady, but for what was injected there: of that home knows
/// nothing.
Json containersReady(const Json& home_pod, const Json& delegate) {
  Json found = condition(delegate, "ContainersReady");
  if (json::str(found, "status") != "False" || json::str(found, "reason") != kContainersNotReady ||
      !hasInjected(home_pod, delegate)) {
    return found;
  }
  if (const std::string names = unready(home_pod, delegate); !names.empty()) {
    found["message"] = "containers with unready status: [" + names + "]";
    return found;
  }
  found["status"] = "True";
  found.erase("reason");
  found.erase("message");
  return found;
}

/// Not Ready there only because of what the target added to the pod: containers, readiness gates.
bool isTheirsAlone(const Json& ready) {
  const std::string reason = json::str(ready, "reason");
  return reason == kContainersNotReady || reason == "ReadinessGatesNotReady";
}

/// Home's gates as a kubelet evaluates them, with its words.
void applyGates(Json& ready, const Json& home_pod) {
  std::string missing;
  const auto say = [&](const std::string& type, const char* what) {
    missing += (missing.empty() ? "" : ", ") + std::string("corresponding condition of pod ") +
               "readiness gate \"" + type + "\" " + what;
  };
  Json latest = Json::object();
  for (const Json& gate : json::array(home_pod, {"spec", "readinessGates"})) {
    const std::string type = json::str(gate, "conditionType");
    const Json& found = condition(home_pod, type);
    if (found.is_null()) {
      say(type, "does not exist.");
    } else if (!isTrue(found)) {
      say(type, "does not have status \"True\".");
    }
    takeLater(latest, found);
  }
  takeLater(ready, latest);
  if (missing.empty()) return;
  ready["status"] = "False";
  ready["reason"] = "ReadinessGatesNotReady";
  ready["message"] = missing;
}

/// Null as long as the target says nothing about readiness.
Json readyCondition(const Json& home_pod, const Json& delegate, const Json& containers) {
  const Json& theirs = condition(delegate, "Ready");
  if (isDisrupted(home_pod, delegate)) {
    Json ready = make("Ready", "False", kDeletedInTarget, kDeletedMessage);
    setDeletionTime(ready, delegate);
    return ready;
  }
  // Both: without gates they only differ where the target's node controller marked a pod on a lost
  // node, and then it is Ready that tells.
  const bool ours_are_ready = isTrue(containers) && isTheirsAlone(theirs);
  if (!theirs.is_null() && !isTrue(theirs) && !ours_are_ready) {
    // Its message may name injected containers.
    Json ready = json::str(theirs, "reason") == kContainersNotReady && !containers.is_null()
                     ? containers
                     : theirs;
    ready["type"] = "Ready";
    return ready;
  }
  if (!containers.is_null() && !isTrue(containers)) {
    Json ready = containers;
    ready["type"] = "Ready";
    return ready;
  }
  if (containers.is_null()) {
    if (theirs.is_null()) return theirs;
    Json ready = make("Ready", "False", kContainersNotReady,
                      "the target does not say that the containers are ready");
    takeLater(ready, theirs);
    return ready;
  }
  Json ready = isTrue(theirs) ? theirs : containers;
  ready["type"] = "Ready";
  applyGates(ready, home_pod);
  return ready;
}

Json delegateScheduled(const Json& delegate) {
  const Json& scheduled = condition(delegate, "PodScheduled");
  if (json::str(scheduled, "status") != "False") return {};
  Json result = scheduled;
  result["type"] = kConditionDelegateScheduled;
  return result;
}

}  // namespace

Json reflectConditions(const Json& home_pod, const Json& delegate) {
  Json result = Json::array();
  const auto put = [&](Json found) {
    if (found.is_null()) return;
    found.erase("observedGeneration");  // of the delegate's spec
    result.push_back(std::move(found));
  };
  for (const Json& found : json::array(delegate, {"status", "conditions"})) {
    if (passes(home_pod, delegate, found)) put(found);
  }
  const Json containers = containersReady(home_pod, delegate);
  put(containers);
  put(readyCondition(home_pod, delegate, containers));
  put(delegateScheduled(delegate));
  if (isDisrupted(home_pod, delegate) && !isTrue(condition(delegate, "DisruptionTarget"))) {
    const auto old = std::find_if(result.begin(), result.end(), [](const Json& found) {
      return json::str(found, "type") == "DisruptionTarget";
    });
    if (old != result.end()) result.erase(old);
    Json disrupted = make("DisruptionTarget", "True", kDeletedInTarget, kDeletedMessage);
    setDeletionTime(disrupted, delegate);
    put(std::move(disrupted));
  }
  return result;
}

}  // namespace vkb::bridge
