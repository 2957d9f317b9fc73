#include "node/node_patch.h"

#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::node {
namespace {

Json condition(const char* type, bool value, const std::string& reason,
               const std::string& message) {
  return {{"type", type},
          {"status", value ? "True" : "False"},
          {"reason", reason},
          {"message", message}};
}

/// Resource maps merge key by key: what is no longer offered has to be named.
Json mapPatch(const Json& current, const Json& desired) {
  Json patch = Json::object();
  for (const auto& [key, value] : desired.items()) {
    if (json::at(current, key) != value) patch[key] = value;
  }
  return patch;
}

Json resourcePatch(const Json& current, const Json& desired) {
  Json patch = mapPatch(current, desired);
  for (const auto& [key, value] : current.items()) {
    if (!desired.contains(key)) patch[key] = nullptr;
  }
  return patch;
}

Json conditionsPatch(const Json& current, const Json& desired, const std::string& now,
                     bool heartbeat) {
  Json patch = Json::array();
  bool changed = heartbeat;
  for (Json entry : desired) {
    const Json* present = json::findBy(current, "type", json::str(entry, "type"));
    const bool same_status = present && json::str(*present, "status") == json::str(entry, "status");
    entry["lastTransitionTime"] = same_status ? json::str(*present, "lastTransitionTime") : now;
    entry["lastHeartbeatTime"] = now;
    if (!same_status || json::str(*present, "reason") != json::str(entry, "reason") ||
        json::str(*present, "message") != json::str(entry, "message")) {
      changed = true;
    }
    patch.push_back(std::move(entry));
  }
  return changed ? patch : Json::array();
}

}  // namespace

std::string nodeReadyReason(ProviderState state) {
  switch (state) {
    case ProviderState::kUnreachable:
      return "TargetUnreachable";
    case ProviderState::kCredentialsRejected:
      return "CredentialsRejected";
    case ProviderState::kClaimedElsewhere:
      return "ClaimedElsewhere";
    case ProviderState::kIdentityChanged:
      return "IdentityChanged";
    default:
      return "KubeletReady";
  }
}

Json nodeConditions(ProviderState state, const std::string& message) {
  const bool reachable = state != ProviderState::kUnreachable &&
                         state != ProviderState::kCredentialsRejected &&
                         state != ProviderState::kIdentityChanged;
  const bool ready = reachable && state != ProviderState::kClaimedElsewhere;
  const std::string reason = nodeReadyReason(state);
  const std::string why = ready ? "The target cluster is reachable." : message;
  const bool lost = state == ProviderState::kMassLoss;
  return Json::array({
      condition("Ready", ready, reason, why),
      condition("TargetReachable", reachable, reachable ? "TargetAnswers" : reason,
                reachable ? "The target's API server answers." : message),
      condition("MassLoss", lost, lost ? "TooManyLosses" : "NoLoss",
                lost ? message : "No unusual number of delegates was lost."),
      condition("MemoryPressure", false, "NotApplicable", "The target's nodes see to that."),
      condition("DiskPressure", false, "NotApplicable", "The target's nodes see to that."),
      condition("PIDPressure", false, "NotApplicable", "The target's nodes see to that."),
      condition("NetworkUnavailable", false, "NotApplicable", "The target has its own network."),
  });
}

Json newNode(const std::string& name, const std::string& provider_id, const Json& provided,
             const Json& conditions, const std::string& now) {
  Json status = json::object(provided, {"status"});
  status["conditions"] = conditions;
  for (auto& entry : status["conditions"]) {
    entry["lastTransitionTime"] = now;
    entry["lastHeartbeatTime"] = now;
  }
  return {
      {"apiVersion", "v1"},
      {"kind", "Node"},
      {"metadata", {{"name", name}, {"labels", json::object(provided, {"metadata", "labels"})}}},
      {"spec",
       {{"providerID", provider_id}, {"taints", json::array(provided, {"spec", "taints"})}}},
      {"status", std::move(status)}};
}

std::optional<Json> nodePatch(const Json& current, const Json& provided, const Json& conditions,
                              const std::string& now, bool heartbeat) {
  Json patch = Json::object();
  const Json labels = mapPatch(json::object(current, {"metadata", "labels"}),
                               json::object(provided, {"metadata", "labels"}));
  if (!labels.empty()) patch["metadata"]["labels"] = labels;

  for (const char* resources : {"capacity", "allocatable"}) {
    const Json& desired = json::object(provided, {"status", resources});
    // A provider that knows nothing yet does not take away what it once offered.
    if (desired.empty()) continue;
    const Json part = resourcePatch(json::object(current, {"status", resources}), desired);
    if (!part.empty()) patch["status"][resources] = part;
  }
  for (const char* map : {"nodeInfo", "daemonEndpoints"}) {
    const Json part =
        mapPatch(json::object(current, {"status", map}), json::object(provided, {"status", map}));
    if (!part.empty()) patch["status"][map] = part;
  }
  const Json& addresses = json::array(provided, {"status", "addresses"});
  if (!addresses.empty() && addresses != json::array(current, {"status", "addresses"})) {
    Json list = Json::array({{{"$patch", "replace"}}});
    for (const auto& address : addresses) list.push_back(address);
    patch["status"]["addresses"] = std::move(list);
  }
  const Json merged =
      conditionsPatch(json::array(current, {"status", "conditions"}), conditions, now, heartbeat);
  if (!merged.empty()) patch["status"]["conditions"] = merged;
  if (patch.empty()) return std::nullopt;
  patch["metadata"]["uid"] = json::str(current, {"metadata", "uid"});
  return patch;
}

}  // namespace vkb::node
