#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

constexpr std::size_t kMaxLabelName = 63;
constexpr std::string_view kSlash = "__";

void rekeySelector(Json& holder, const char* field) {
  const auto selector = holder.find(field);
  if (selector == holder.end() || !selector->is_object()) return;
  if (const auto labels = selector->find("matchLabels");
      labels != selector->end() && labels->is_object()) {
    Json renamed = Json::object();
    for (const auto& [key, value] : labels->items()) renamed[rekeyLabel(key)] = value;
    *labels = std::move(renamed);
  }
  const auto expressions = selector->find("matchExpressions");
  if (expressions == selector->end() || !expressions->is_array()) return;
  for (Json& expression : *expressions) {
    const std::string key = json::str(expression, "key");
    if (!key.empty()) expression["key"] = rekeyLabel(key);
  }
}

void rekeyNames(Json& holder, const char* field) {
  const auto names = holder.find(field);
  if (names == holder.end() || !names->is_array()) return;
  for (Json& name : *names) {
    if (name.is_string()) name = rekeyLabel(name.get<std::string>());
  }
}

/// A pod affinity term or a topology spread constraint.
void rekeyTerm(Json& term) {
  if (!term.is_object()) return;
  rekeySelector(term, "labelSelector");
  rekeyNames(term, "matchLabelKeys");
  rekeyNames(term, "mismatchLabelKeys");
}

/// The array there, for writing.
Json* arrayIn(Json& holder, const char* field) {
  if (!holder.is_object()) return nullptr;
  const auto found = holder.find(field);
  return found != holder.end() && found->is_array() ? &*found : nullptr;
}

void rekeyAffinity(Json& spec) {
  const auto affinity = spec.find("affinity");
  if (affinity == spec.end() || !affinity->is_object()) return;
  for (const char* kind : {"podAffinity", "podAntiAffinity"}) {
    const auto rules = affinity->find(kind);
    if (rules == affinity->end()) continue;
    if (Json* terms = arrayIn(*rules, "requiredDuringSchedulingIgnoredDuringExecution")) {
      for (Json& term : *terms) rekeyTerm(term);
    }
    if (Json* terms = arrayIn(*rules, "preferredDuringSchedulingIgnoredDuringExecution")) {
      for (Json& weighted : *terms) {
        if (weighted.is_object() && weighted.contains("podAffinityTerm")) {
          rekeyTerm(weighted["podAffinityTerm"]);
        }
      }
    }
  }
}

/// metadata.labels['app'] reads the label under the key it has on the delegate.
void rekeyFieldPath(Json& holder) {
  constexpr std::string_view kBefore = "metadata.labels['", kAfter = "']";
  const std::string path = json::str(holder, {"fieldRef", "fieldPath"});
  if (!path.starts_with(kBefore) || !path.ends_with(kAfter)) return;
  if (path.size() <= kBefore.size() + kAfter.size()) return;
  const std::string key = path.substr(kBefore.size(), path.size() - kBefore.size() - kAfter.size());
  holder["fieldRef"]["fieldPath"] = std::string(kBefore) + rekeyLabel(key) + std::string(kAfter);
}

void rekeyDownwardItems(Json& source) {
  if (!source.is_object()) return;
  const auto downward = source.find("downwardAPI");
  if (downward == source.end()) return;
  if (Json* items = arrayIn(*downward, "items")) {
    for (Json& item : *items) rekeyFieldPath(item);
  }
}

}  // namespace

std::string rekeyLabel(std::string_view key) {
  const std::size_t slash = key.find('/');
  const bool prefixed = slash != std::string_view::npos;
  std::string name(key);
  if (prefixed) name.replace(slash, 1, kSlash);
  // An unprefixed name with the separator in it would read back as a prefixed one.
  const bool ambiguous = !prefixed && name.find(kSlash) != std::string::npos;
  if (ambiguous || name.size() > kMaxLabelName) {
    name = name.substr(0, kMaxLabelName - 9) + "-" + hex(fnv1a(key), 8);
  }
  return kHomeLabelPrefix + name;
}

Json forgedLabels(const Json& home_pod, bool rekey) {
  Json labels = Json::object();
  for (const auto& [key, value] : json::object(home_pod, {"metadata", "labels"}).items()) {
    if (key.starts_with(kPrefix) || key.starts_with(kHomeLabelPrefix)) continue;
    labels[rekey ? rekeyLabel(key) : key] = value;
  }
  return labels;
}

void rekeySpec(Json& spec) {
  rekeyAffinity(spec);
  if (Json* constraints = arrayIn(spec, "topologySpreadConstraints")) {
    for (Json& constraint : *constraints) rekeyTerm(constraint);
  }
  forEachContainer(spec, [](Json& container) {
    if (Json* env = arrayIn(container, "env")) {
      for (Json& variable : *env) {
        if (variable.is_object() && variable.contains("valueFrom")) {
          rekeyFieldPath(variable["valueFrom"]);
        }
      }
    }
  });
  Json* volumes = arrayIn(spec, "volumes");
  if (volumes == nullptr) return;
  for (Json& volume : *volumes) {
    rekeyDownwardItems(volume);
    if (!volume.is_object() || !volume.contains("projected")) continue;
    if (Json* sources = arrayIn(volume["projected"], "sources")) {
      for (Json& source : *sources) rekeyDownwardItems(source);
    }
  }
}

}  // namespace vkb::bridge
