#include "node/status_patch.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/protections.h"
#include "json/json.h"

namespace vkb::node {
namespace {

using base::Protection;
using base::protects;

/// Conditions that the node side of a pod writes; the rest are the scheduler's, controllers' and
/// users' (readiness gates). PodScheduled is home's scheduler's.
constexpr std::array<std::string_view, 7> kNodeConditions{
    "Initialized",         "Ready",
    "ContainersReady",     "PodReadyToStartContainers",
    "DisruptionTarget",    "PodResizePending",
    "PodResizeInProgress",
};
/// Fields that go when the provider no longer reports them.
constexpr std::array<std::string_view, 4> kRemovable{"message", "reason", "podIP", "podIPs"};
/// Lists that strategic merge would merge by key, but that are one value to us.
constexpr std::array<std::string_view, 2> kReplacedLists{"podIPs", "hostIPs"};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  for (const auto& each : names) {
    if (each == name) return true;
  }
  return false;
}

bool isNodeCondition(const std::string& type) {
  return contains(kNodeConditions, type) || type.starts_with("vk-bridge.io/");
}

int phaseRank(const std::string& phase) {
  if (isTerminalPhase(phase)) return 2;
  return phase == "Running" || phase == "Unknown" ? 1 : 0;
}

/// null and absent are one and the same to the API: no difference between them counts, and none is
/// sent.
bool isSame(const Json& left, const Json& right) {
  if (left.is_object() && right.is_object()) {
    for (const auto& [key, value] : left.items()) {
      if (!value.is_null() && !isSame(value, json::at(right, key))) return false;
    }
    for (const auto& [key, value] : right.items()) {
      if (!value.is_null() && json::at(left, key).is_null()) return false;
    }
    return true;
  }
  if (left.is_array() && right.is_array()) {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(), isSame);
  }
  return left == right;
}

Json withoutNulls(const Json& value) {
  if (value.is_object()) {
    Json result = Json::object();
    for (const auto& [key, member] : value.items()) {
      if (!member.is_null()) result[key] = withoutNulls(member);
    }
    return result;
  }
  if (value.is_array()) {
    Json result = Json::array();
    for (const auto& member : value) result.push_back(withoutNulls(member));
    return result;
  }
  return value;
}

Json conditionsPatch(const Json& current, const Json& desired) {
  Json patch = Json::array();
  for (const auto& condition : desired) {
    const Json* present = json::findBy(current, "type", json::str(condition, "type"));
    if (present && isSame(*present, condition)) continue;
    Json entry = withoutNulls(condition);
    // Conditions merge field by field: a reason that is no longer given has to be taken away.
    for (const auto& [field, value] : json::object(present ? *present : condition, {}).items()) {
      if (!value.is_null() && !entry.contains(field)) entry[field] = nullptr;
    }
    patch.push_back(std::move(entry));
  }
  for (const auto& condition : current) {
    const std::string type = json::str(condition, "type");
    if (isNodeCondition(type) && !json::findBy(desired, "type", type)) {
      patch.push_back({{"$patch", "delete"}, {"type", type}});
    }
  }
  return patch;
}

/// `phase` is what is wanted of that, whatever `desired` says.
Json statusDifference(const Json& current, const Json& desired, const std::string& phase) {
  Json patch = Json::object();
  if (!phase.empty() && json::str(current, "phase") != phase) patch["phase"] = phase;
  for (const auto& [key, wanted] : desired.items()) {
    if (key == "conditions" || key == "phase" || wanted.is_null()) continue;
    const Json& present = json::at(current, key);
    if (isSame(present, wanted)) continue;
    const Json value = withoutNulls(wanted);
    if (contains(kReplacedLists, key)) {
      Json list = Json::array({{{"$patch", "replace"}}});
      for (const auto& entry : value) list.push_back(entry);
      patch[key] = std::move(list);
    } else if (present.is_object() && value.is_object()) {
      // A map merges key by key: what is gone has to be said.
      patch[key] = value;
      for (const auto& [inner, there] : present.items()) {
        if (!there.is_null() && !value.contains(inner)) patch[key][inner] = nullptr;
      }
    } else {
      patch[key] = value;
    }
  }
  for (const auto& key : kRemovable) {
    if (!json::at(current, key).is_null() && json::at(desired, key).is_null())
      patch[std::string(key)] = nullptr;
  }
  Json conditions =
      conditionsPatch(json::array(current, {"conditions"}), json::array(desired, {"conditions"}));
  if (!conditions.empty()) patch["conditions"] = std::move(conditions);
  return patch;
}

Json* conditionIn(Json& status, const std::string& type) {
  if (!status["conditions"].is_array()) status["conditions"] = Json::array();
  for (auto& condition : status["conditions"]) {
    if (json::str(condition, "type") == type) return &condition;
  }
  return nullptr;
}

void setCondition(Json& status, const std::string& type, const std::string& value,
                  const std::string& reason, const std::string& message, const std::string& now) {
  Json* condition = conditionIn(status, type);
  if (!condition) {
    status["conditions"].push_back({{"type", type}});
    condition = &status["conditions"].back();
  }
  if (json::str(*condition, "status") != value) (*condition)["lastTransitionTime"] = now;
  (*condition)["status"] = value;
  (*condition)["reason"] = reason;
  (*condition)["message"] = message;
}

}  // namespace

bool isTerminalPhase(const std::string& phase) { return phase == "Succeeded" || phase == "Failed"; }

std::optional<Json> podStatusPatch(const Json& home_pod, const Json& desired,
                                   const Json& annotations) {
  const Json& current = json::object(home_pod, {"status"});
  const std::string phase = json::str(current, "phase");
  if (isTerminalPhase(phase) && protects(Protection::kTerminalGuard)) return std::nullopt;

  const Json& wanted = json::object(desired, {});
  const std::string next = json::str(wanted, "phase");
  const bool backwards = phaseRank(next) < phaseRank(phase);
  Json status = statusDifference(current, wanted, backwards ? phase : next);

  Json metadata = Json::object();
  for (const auto& [key, value] : json::object(annotations, {}).items()) {
    if (json::at(home_pod, {"metadata", "annotations", key}) != value) {
      metadata["annotations"][key] = value;
    }
  }
  if (status.empty() && metadata.empty()) return std::nullopt;
  if (protects(Protection::kUidInStatusPatch)) {
    metadata["uid"] = json::str(home_pod, {"metadata", "uid"});
  }
  Json patch{{"metadata", std::move(metadata)}};
  if (!status.empty()) patch["status"] = std::move(status);
  return patch;
}

Json waitingStatus(const Json& home_pod, const Status& why) {
  if (phaseRank(json::str(home_pod, {"status", "phase"})) > 0) return nullptr;
  const auto waiting = [&](const Json& containers) {
    Json statuses = Json::array();
    for (const auto& container : containers) {
      statuses.push_back(
          {{"name", json::str(container, "name")},
           {"image", json::str(container, "image")},
           {"imageID", ""},
           {"ready", false},
           {"started", false},
           {"restartCount", 0},
           {"state", {{"waiting", {{"reason", why.reason}, {"message", why.message}}}}}});
    }
    return statuses;
  };
  Json status = json::object(home_pod, {"status"});
  status["phase"] = "Pending";
  status["containerStatuses"] = waiting(json::array(home_pod, {"spec", "containers"}));
  return status;
}

std::string lostReason(const Json& home_pod) {
  // Kubernetes' own words. Ours, for a deletion that the target gave no reason for, is not one.
  constexpr std::array<std::string_view, 4> kTheirs{
      "PreemptionByScheduler", "DeletionByTaintManager", "DeletionByPodGC", "TerminationByKubelet"};
  const Json* const found =
      json::findBy(json::at(home_pod, {"status", "conditions"}), "type", "DisruptionTarget");
  if (found == nullptr || json::str(*found, "status") != "True") return "DelegateLost";
  const std::string reason = json::str(*found, "reason");
  if (reason == "EvictionByEvictionAPI") return "Evicted";
  return contains(kTheirs, reason) ? reason : "DelegateLost";
}

Json lostStatus(const Json& home_pod, const std::string& reason, const std::string& message,
                const std::string& now) {
  Json status = json::object(home_pod, {"status"});
  status["phase"] = "Failed";
  status["reason"] = reason;
  status["message"] = message;
  for (const char* list :
       {"initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"}) {
    if (!status.contains(list) || !status[list].is_array()) continue;
    for (auto& container : status[list]) {
      if (!json::at(container, {"state", "terminated"}).is_null()) continue;
      Json terminated{{"exitCode", 137},
                      {"reason", reason},
                      {"message", "The container's end was not seen."},
                      {"finishedAt", now}};
      const std::string started = json::str(container, {"state", "running", "startedAt"});
      if (!started.empty()) terminated["startedAt"] = started;
      const std::string id = json::str(container, {"containerID"});
      if (!id.empty()) terminated["containerID"] = id;
      container["state"] = {{"terminated", std::move(terminated)}};
      container["ready"] = false;
      container["started"] = false;
    }
  }
  setCondition(status, "Ready", "False", reason, message, now);
  setCondition(status, "ContainersReady", "False", reason, message, now);
  return status;
}

Json unreachableStatus(const Json& home_pod, const std::string& reason, const std::string& message,
                       const std::string& now) {
  Json status = json::object(home_pod, {"status"});
  Json* ready = conditionIn(status, "Ready");
  if (!ready || json::str(*ready, "status") != "True") return status;
  setCondition(status, "Ready", "False", reason, message, now);
  return status;
}

}  // namespace vkb::node
