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

bool passes(const Json& home_pod, const Json& found) {
  const std::string type = json::str(found, "type");
  return !type.empty() && type != "PodScheduled" && type != "Ready" &&
         // A resize of the delegate's resources, not of home's.
         type != "PodResizePending" && type != "PodResizeInProgress" &&
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
Json readyCondition(const Json& home_pod, const Json& delegate) {
  const Json& containers = condition(delegate, "ContainersReady");
  const Json& theirs = condition(delegate, "Ready");
  if (isDisrupted(home_pod, delegate)) {
    Json ready = make("Ready", "False", kDeletedInTarget, kDeletedMessage);
    setDeletionTime(ready, delegate);
    return ready;
  }
  // Both: without gates they only differ where the target's node controller marked a pod on a lost
  // node, and then it is Ready that tells.
  if (!theirs.is_null() && !isTrue(theirs)) return theirs;
  if (!containers.is_null() && !isTrue(containers)) {
    Json ready = containers;
    ready["type"] = "Ready";
    return ready;
  }
  if (containers.is_null()) {
    if (theirs.is_null()) return theirs;
    Json ready = make("Ready", "False", "ContainersNotReady",
                      "the target does not say that the containers are ready");
    takeLater(ready, theirs);
    return ready;
  }
  Json ready = theirs.is_null() ? containers : theirs;
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
    if (passes(home_pod, found)) put(found);
  }
  put(readyCondition(home_pod, delegate));
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
