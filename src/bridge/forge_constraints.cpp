#include <algorithm>
#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "bridge/place.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

using Globs = std::optional<std::vector<std::string>>;

constexpr const char* kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr const char* kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";
constexpr const char* kProviderTaint = "virtual-kubelet.io/provider";
constexpr const char* kReason =
    "chose the virtual node; in the target annotation clusterSelector and the options of join do";

/// One place where a pod says which nodes will do: its own spec, or annotation clusterSelector.
struct Source {
  Json node_selector, affinity, tolerations;
  /// Keys that may pass from here.
  std::function<bool(const std::string&key)> node_key, taint_key;
};

/// By these a pod chooses a virtual node; no node of the target would match them.
bool choosesVirtualNode(const std::string& key) {
  return key == "kubernetes.io/hostname" || key == "type" || key.starts_with(kPrefix);
}

Source ofSpec(const Json& home_pod, const state::PodOptions& pods) {
  Source own{.node_selector = json::object(home_pod, {"spec", "nodeSelector"}),
             .affinity = json::object(home_pod, {"spec", "affinity"}),
             .tolerations = json::array(home_pod, {"spec", "tolerations"}),
             .node_key = {},
             .taint_key = {}};
  own.node_key = [&pods](const std::string& key) {
    return pods.allow_node_selector && !choosesVirtualNode(key) &&
           matchesAny(*pods.allow_node_selector, key);
  };
  own.taint_key = [&pods](const std::string& key) {
    return pods.allow_tolerations && key != kProviderTaint &&
           matchesAny(*pods.allow_tolerations, key);
  };
  return own;
}

Source ofAnnotation(const Json& home_pod, const state::PodOptions& pods) {
  const Json said = clusterSelector(home_pod).value_or(Json());
  const auto permit = [](const Globs& globs) {
    return [&globs](const std::string& key) { return !globs || matchesAny(*globs, key); };
  };
  return {.node_selector = json::object(said, {"nodeSelector"}),
          .affinity = json::object(said, {"affinity"}),
          .tolerations = json::array(said, {"tolerations"}),
          .node_key = permit(pods.allow_node_selector),
          .taint_key = permit(pods.allow_tolerations)};
}

/// A term is a list of demands that must all hold; those on other keys are not made. Null: none is
/// left, so any node will do.
Json filteredTerm(const Json& term, const Source& source) {
  Json result = Json::object();
  for (const char* kind : {"matchExpressions", "matchFields"}) {
    for (const Json& demand : json::array(term, {kind})) {
      if (source.node_key(json::str(demand, "key"))) result[kind].push_back(demand);
    }
  }
  return result.empty() ? Json() : result;
}

/// nodeAffinity: of the required terms one must hold; where one demands nothing any more, none
/// does.
Json filteredNodeAffinity(const Source& source) {
  const Json& affinity = json::object(source.affinity, {"nodeAffinity"});
  Json terms = Json::array();
  bool any_node = false;
  for (const Json& term : json::array(affinity, {kRequired, "nodeSelectorTerms"})) {
    Json kept = filteredTerm(term, source);
    any_node = any_node || kept.is_null();
    if (!kept.is_null()) terms.push_back(std::move(kept));
  }
  Json preferences = Json::array();
  for (const Json& weighted : json::array(affinity, {kPreferred})) {
    Json kept = filteredTerm(json::at(weighted, "preference"), source);
    if (kept.is_null()) continue;
    preferences.push_back({{"weight", json::at(weighted, "weight")}, {"preference", kept}});
  }
  Json result = Json::object();
  if (!any_node && !terms.empty()) result[kRequired] = {{"nodeSelectorTerms", std::move(terms)}};
  if (!preferences.empty()) result[kPreferred] = std::move(preferences);
  return result;
}

/// Both requirements hold: every term of the one with every term of the other.
Json bothRequired(const Json& one, const Json& other) {
  if (one.is_null() || other.is_null()) return one.is_null() ? other : one;
  Json terms = Json::array();
  for (const Json& left : json::array(one, {"nodeSelectorTerms"})) {
    for (const Json& right : json::array(other, {"nodeSelectorTerms"})) {
      Json term = left;
      for (const char* kind : {"matchExpressions", "matchFields"}) {
        for (const Json& demand : json::array(right, {kind})) term[kind].push_back(demand);
      }
      terms.push_back(std::move(term));
    }
  }
  return {{"nodeSelectorTerms", std::move(terms)}};
}

Json bothAffinities(const Json& one, const Json& other) {
  Json result = Json::object();
  Json required = bothRequired(json::at(one, kRequired), json::at(other, kRequired));
  if (!required.is_null()) result[kRequired] = std::move(required);
  for (const Json* each : {&one, &other}) {
    for (const Json& weighted : json::array(*each, {kPreferred})) {
      result[kPreferred].push_back(weighted);
    }
  }
  return result;
}

void addOnce(Json& list, const Json& entry) {
  if (std::find(list.begin(), list.end(), entry) == list.end()) list.push_back(entry);
}

Json tolerationOf(const state::Toleration& given) {
  Json toleration{{"key", given.key}, {"effect", given.effect}};
  toleration["operator"] = given.value.empty() ? "Exists" : "Equal";
  if (!given.value.empty()) toleration["value"] = given.value;
  return toleration;
}

void put(Json& spec, const Json& home_spec, const char* field, Json value, const Reasons& why) {
  if (json::at(home_spec, field) == value) return;
  if (value.empty()) {
    if (spec.erase(field) == 0) return;
  } else {
    spec[field] = std::move(value);
  }
  why.add({"spec.", field}, kReason);
}

}  // namespace

Result<Json> clusterSelector(const Json& home_pod) {
  const Json& text = json::at(home_pod, {"metadata", "annotations", kAnnotationClusterSelector});
  if (!text.is_string()) return Json();
  auto said = json::parse(text.get_ref<const std::string&>());
  const auto is = [&](const char* field, auto right) {
    const Json& value = json::at(*said, field);
    return value.is_null() || right(value);
  };
  const auto object = [](const Json& value) { return value.is_object(); };
  const auto list = [](const Json& value) { return value.is_array(); };
  if (!said || !said->is_object() || !is("nodeSelector", object) || !is("affinity", object) ||
      !is("tolerations", list)) {
    return invalid(
        "annotation clusterSelector is not a JSON object of nodeSelector, affinity and tolerations "
        "for the target's nodes, as in {\"nodeSelector\":{\"disk\":\"ssd\"}}");
  }
  return said;
}

Json broughtConstraints(const Json& home_pod, const state::PodOptions& pods) {
  // Nearly all pods: this is asked for at each of their turns.
  const bool annotated =
      !json::at(home_pod, {"metadata", "annotations", kAnnotationClusterSelector}).is_null();
  if (!annotated && !pods.allow_node_selector && !pods.allow_tolerations) return Json::object();
  const Source own = ofSpec(home_pod, pods), said = ofAnnotation(home_pod, pods);
  Json result = {
      {"nodeSelector", Json::object()},
      {"tolerations", Json::array()},
      {"nodeAffinity", bothAffinities(filteredNodeAffinity(own), filteredNodeAffinity(said))}};
  for (const Source* source : {&own, &said}) {
    for (const auto& [key, value] : source->node_selector.items()) {
      if (source->node_key(key)) result["nodeSelector"][key] = value;
    }
    for (const Json& toleration : source->tolerations) {
      if (source->taint_key(json::str(toleration, "key"))) {
        addOnce(result["tolerations"], toleration);
      }
    }
  }
  // As in tensile-kube: the annotation's rules about other pods count where the pod has none.
  for (const char* kind : {"podAffinity", "podAntiAffinity"}) {
    if (own.affinity.contains(kind) || !said.affinity.contains(kind)) continue;
    result[kind] = said.affinity[kind];
  }
  return result;
}

void forgeConstraints(Json& spec, const Json& home_pod, const ForgeContext& context,
                      const Reasons& why) {
  const Json& home_spec = json::object(home_pod, {"spec"});
  Json brought = broughtConstraints(home_pod, context.pods);
  // The operator's word stands over the pod's.
  for (const auto& [key, value] : context.pods.node_selector) brought["nodeSelector"][key] = value;
  for (const state::Toleration& given : context.pods.tolerations) {
    addOnce(brought["tolerations"], tolerationOf(given));
  }
  Json affinity = json::object(home_spec, {"affinity"});
  affinity.erase("nodeAffinity");
  for (const char* kind : {"nodeAffinity", "podAffinity", "podAntiAffinity"}) {
    if (brought.contains(kind) && !brought[kind].empty()) affinity[kind] = brought[kind];
  }
  put(spec, home_spec, "nodeSelector", std::move(brought["nodeSelector"]), why);
  put(spec, home_spec, "tolerations", std::move(brought["tolerations"]), why);
  put(spec, home_spec, "affinity", std::move(affinity), why);
}

}  // namespace vkb::bridge
