#include "node/node_patch.h"

#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::node {
namespace {

bool isHeld(ProviderState state, WhenUnreachable policy) {
  const bool away =
      state == ProviderState::kUnreachable || state == ProviderState::kCredentialsRejected;
  return away && policy == WhenUnreachable::kHold;
}

Json condition(const char* type, bool value, const std::string& reason,
               const std::string& message) {
  return {{"type", type},
          {"status", value ? "True" : "False"},
          {"reason", reason},
          {"message", message}};
}

/// Names that we set last time, so that what is no longer ours to set is taken away and what is
/// others' is not. JSON: {"labels": [names], "annotations": …, "resources": …, "conditions":
/// [types]}.
constexpr const char* kApplied = "vk-bridge.io/applied";
/// The same for taints: ["key=value:effect"].
constexpr const char* kAppliedTaints = "vk-bridge.io/applied-taints";

Json appliedFrom(const Json& node, const char* annotation) {
  return json::parse(json::str(node, {"metadata", "annotations", annotation})).value_or(Json());
}

Json namesOf(const Json& map) {
  Json names = Json::array();
  for (const auto& [key, value] : map.items()) names.push_back(key);
  return names;
}

Json typesOf(const Json& conditions) {
  Json types = Json::array();
  for (const Json& entry : conditions) types.push_back(json::str(entry, "type"));
  return types;
}

/// Does the provider say anything of these? An empty map says that there are none.
bool says(const Json& provided, const char* map) {
  return json::object(provided, {"metadata"}).contains(map);
}

/// What is to be remembered of `provided`; a provider that knows nothing yet changes no memory.
Json appliedOf(const Json& provided, const Json& conditions, const Json& before) {
  Json applied = Json::object();
  for (const char* map : {"labels", "annotations"}) {
    applied[map] = says(provided, map) ? namesOf(json::object(provided, {"metadata", map}))
                                       : json::array(before, {map});
  }
  Json resources = json::object(provided, {"status", "capacity"});
  resources.update(json::object(provided, {"status", "allocatable"}));
  applied["resources"] =
      resources.empty() ? json::array(before, {"resources"}) : namesOf(resources);
  applied["conditions"] = typesOf(conditions);
  return applied;
}

Json mapPatch(const Json& current, const Json& desired) {
  Json patch = Json::object();
  for (const auto& [key, value] : desired.items()) {
    if (json::at(current, key) != value) patch[key] = value;
  }
  return patch;
}

/// Maps merge key by key: what is no longer ours has to be named. A provider that knows nothing yet
/// (not `known`) does not take away what it once offered.
Json threeWayPatch(const Json& current, const Json& desired, const Json& applied, bool known) {
  Json patch = mapPatch(current, desired);
  if (!known) return patch;
  for (const auto& name : applied) {
    if (!name.is_string()) continue;
    const auto key = name.get<std::string>();
    if (current.contains(key) && !desired.contains(key)) patch[key] = nullptr;
  }
  return patch;
}

std::string taintText(const Json& taint) {
  return json::str(taint, "key") + "=" + json::str(taint, "value") + ":" +
         json::str(taint, "effect");
}

Json taintTexts(const Json& taints) {
  Json texts = Json::array();
  for (const auto& taint : taints) texts.push_back(taintText(taint));
  return texts;
}

bool contains(const Json& list, const std::string& text) {
  for (const auto& entry : list) {
    if (entry == text) return true;
  }
  return false;
}

/// `current` with what the provider says anew set, and what it said before and no longer says gone.
Json mergedTaints(const Json& current, const Json& desired, const Json& applied) {
  const Json wanted = taintTexts(desired);
  Json merged = Json::array();
  for (const auto& taint : current) {
    const std::string text = taintText(taint);
    if (!contains(applied, text) || contains(wanted, text)) merged.push_back(taint);
  }
  for (const auto& taint : desired) {
    if (contains(applied, taintText(taint))) continue;  // told before: the operator's by now
    Json* same = nullptr;
    for (auto& present : merged) {
      const bool one = json::str(present, "key") == json::str(taint, "key") &&
                       json::str(present, "effect") == json::str(taint, "effect");
      if (one) same = &present;
    }
    if (!same) {
      merged.push_back(taint);
    } else if (taintText(*same) != taintText(taint)) {
      *same = taint;
    }
  }
  return merged;
}

Json conditionsPatch(const Json& current, const Json& desired, const std::string& now,
                     bool heartbeat) {
  Json patch = Json::array();
  bool changed = heartbeat;
  for (Json entry : desired) {
    const Json* present = json::findBy(current, "type", json::str(entry, "type"));
    const bool same_status = present && json::str(*present, "status") == json::str(entry, "status");
    const std::string since = same_status ? json::str(*present, "lastTransitionTime") : "";
    entry["lastTransitionTime"] = since.empty() ? now : since;
    entry["lastHeartbeatTime"] = now;
    if (!same_status || json::str(*present, "reason") != json::str(entry, "reason") ||
        json::str(*present, "message") != json::str(entry, "message")) {
      changed = true;
    }
    patch.push_back(std::move(entry));
  }
  return changed ? patch : Json::array();
}

/// One `$patch: delete` for each condition that was ours and is no more.
void addGoneConditions(Json& patch, const Json& current, const Json& desired, const Json& applied) {
  for (const auto& type : applied) {
    if (!type.is_string()) continue;
    const auto name = type.get<std::string>();
    if (json::findBy(current, "type", name) && !json::findBy(desired, "type", name)) {
      patch.push_back({{"$patch", "delete"}, {"type", name}});
    }
  }
}

/// Labels, annotations and what is to be remembered.
Json metadataPatch(const Json& current, const Json& provided, const Json& conditions,
                   const Json& applied) {
  Json patch = Json::object();
  for (const char* map : {"labels", "annotations"}) {
    const Json part = threeWayPatch(json::object(current, {"metadata", map}),
                                    json::object(provided, {"metadata", map}),
                                    json::array(applied, {map}), says(provided, map));
    if (!part.empty()) patch[map] = part;
  }
  const Json applied_now = appliedOf(provided, conditions, applied);
  if (applied_now != applied) patch["annotations"][kApplied] = applied_now.dump();
  return patch;
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

Json nodeConditions(ProviderState state, const std::string& message, WhenUnreachable policy) {
  const bool held = isHeld(state, policy);
  const bool reachable = state != ProviderState::kUnreachable &&
                         state != ProviderState::kCredentialsRejected &&
                         state != ProviderState::kIdentityChanged;
  const bool ready = held || (reachable && state != ProviderState::kClaimedElsewhere);
  const std::string reason = nodeReadyReason(state);
  std::string why = ready ? "The target cluster is reachable." : message;
  if (held) why = "The target cluster cannot be reached, and the node is held: " + message;
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

Json withHoldTaint(Json provided, ProviderState state, WhenUnreachable policy) {
  if (!isHeld(state, policy)) return provided;
  Json taints = json::array(provided, {"spec", "taints"});
  taints.push_back({{"key", "vk-bridge.io/unreachable"}, {"effect", "NoSchedule"}});
  if (!provided["spec"].is_object()) provided["spec"] = Json::object();
  provided["spec"]["taints"] = std::move(taints);
  return provided;
}

Json newNode(const std::string& name, const std::string& provider_id, const Json& provided,
             const Json& conditions, const std::string& now) {
  Json status = json::object(provided, {"status"});
  status["conditions"] = conditions;
  for (auto& entry : status["conditions"]) {
    entry["lastTransitionTime"] = now;
    entry["lastHeartbeatTime"] = now;
  }
  Json annotations = json::object(provided, {"metadata", "annotations"});
  annotations[kApplied] = appliedOf(provided, conditions, nullptr).dump();
  annotations[kAppliedTaints] = taintTexts(json::array(provided, {"spec", "taints"})).dump();
  return {{"apiVersion", "v1"},
          {"kind", "Node"},
          {"metadata",
           {{"name", name},
            {"labels", json::object(provided, {"metadata", "labels"})},
            {"annotations", std::move(annotations)}}},
          {"spec",
           {{"providerID", provider_id}, {"taints", json::array(provided, {"spec", "taints"})}}},
          {"status", std::move(status)}};
}

std::optional<Json> nodePatch(const Json& current, const Json& provided, const Json& conditions,
                              const std::string& now, bool heartbeat) {
  Json patch = Json::object();
  const Json applied = appliedFrom(current, kApplied);
  if (Json metadata = metadataPatch(current, provided, conditions, applied); !metadata.empty()) {
    patch["metadata"] = std::move(metadata);
  }
  for (const char* resources : {"capacity", "allocatable"}) {
    const Json& desired = json::object(provided, {"status", resources});
    const Json part = threeWayPatch(json::object(current, {"status", resources}), desired,
                                    json::array(applied, {"resources"}), !desired.empty());
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
  const Json& present = json::array(current, {"status", "conditions"});
  Json merged = conditionsPatch(present, conditions, now, heartbeat);
  addGoneConditions(merged, present, conditions, json::array(applied, {"conditions"}));
  if (!merged.empty()) patch["status"]["conditions"] = merged;
  if (patch.empty()) return std::nullopt;
  patch["metadata"]["uid"] = json::str(current, {"metadata", "uid"});
  return patch;
}

std::optional<Json> taintPatch(const Json& current, const Json& provided) {
  const Json& desired = json::at(provided, {"spec", "taints"});
  if (!desired.is_array()) return std::nullopt;  // it knows nothing yet
  const Json applied = appliedFrom(current, kAppliedTaints);
  const Json& present = json::array(current, {"spec", "taints"});
  const Json merged = mergedTaints(present, desired, json::array(applied, {}));
  const Json told = taintTexts(desired);
  if (merged == present && told == json::array(applied, {})) return std::nullopt;
  Json patch{{"metadata",
              {{"uid", json::str(current, {"metadata", "uid"})},
               {"resourceVersion", json::str(current, {"metadata", "resourceVersion"})},
               {"annotations", {{kAppliedTaints, told.dump()}}}}}};
  if (merged != present) patch["spec"]["taints"] = merged;
  return patch;
}

}  // namespace vkb::node
