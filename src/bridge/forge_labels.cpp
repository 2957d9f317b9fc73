#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

constexpr std::size_t kMaxLabelName = 63;
constexpr std::string_view kSlash = "__";
constexpr const char* kRekeyed =
    "the namespace is shared with others there: under this key the target's Services and "
    "controllers do not see the pod (join --labels=keep leaves labels as they are)";
constexpr const char* kFollows = "names labels of delegates, which are re-keyed";

bool rekeySelector(Json& holder, const char* field) {
  const auto selector = holder.find(field);
  if (selector == holder.end() || !selector->is_object()) return false;
  bool changed = false;
  if (const auto labels = selector->find("matchLabels");
      labels != selector->end() && labels->is_object()) {
    Json renamed = Json::object();
    for (const auto& [key, value] : labels->items()) renamed[rekeyLabel(key)] = value;
    changed = !renamed.empty();
    *labels = std::move(renamed);
  }
  forEachIn(*selector, "matchExpressions", [&](Json& expression) {
    const std::string key = json::str(expression, "key");
    if (key.empty()) return;
    expression["key"] = rekeyLabel(key);
    changed = true;
  });
  return changed;
}

bool rekeyNames(Json& holder, const char* field) {
  bool changed = false;
  forEachIn(holder, field, [&](Json& name) {
    if (!name.is_string()) return;
    name = rekeyLabel(name.get<std::string>());
    changed = true;
  });
  return changed;
}

/// A pod affinity term or a topology spread constraint.
void rekeyTerm(Json& term, const std::string& path, const Reasons& why) {
  if (!term.is_object()) return;
  bool changed = rekeySelector(term, "labelSelector");
  changed = rekeyNames(term, "matchLabelKeys") || changed;
  changed = rekeyNames(term, "mismatchLabelKeys") || changed;
  if (changed) why.add({path}, kFollows);
}

/// metadata.labels['app'] reads the label under the key it has on the delegate.
bool rekeyFieldPath(Json& holder) {
  constexpr std::string_view kBefore = "metadata.labels['", kAfter = "']";
  const std::string path = json::str(holder, {"fieldRef", "fieldPath"});
  if (!path.starts_with(kBefore) || !path.ends_with(kAfter)) return false;
  if (path.size() <= kBefore.size() + kAfter.size()) return false;
  const std::string key = path.substr(kBefore.size(), path.size() - kBefore.size() - kAfter.size());
  holder["fieldRef"]["fieldPath"] = std::string(kBefore) + rekeyLabel(key) + std::string(kAfter);
  return true;
}

void rekeyItems(Json& source, const std::string& volume, const Reasons& why) {
  forEachDownwardItem(source, [&](Json& item) {
    if (rekeyFieldPath(item)) why.add({"spec.volumes[", volume, "]"}, kFollows);
  });
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

Json forgedLabels(const Json& home_pod, bool rekey, const Reasons& why) {
  Json labels = Json::object();
  for (const auto& [key, value] : json::object(home_pod, {"metadata", "labels"}).items()) {
    if (const char* reason = whyKeyStays(key)) {
      why.add({"metadata.labels[", key, "]"}, reason);
    } else if (rekey) {
      const std::string there = rekeyLabel(key);
      labels[there] = value;
      why.add({"metadata.labels[", key, "]"}, kRekeyed);
      why.add({"metadata.labels[", there, "]"}, "home's label " + key);
    } else {
      labels[key] = value;
    }
  }
  return labels;
}

void rekeySpec(Json& spec, const Reasons& why) {
  forEachPodAffinityTerm(spec,
                         [&](const std::string& path, Json& term) { rekeyTerm(term, path, why); });
  forEachIn(spec, "topologySpreadConstraints", [&](Json& constraint) {
    rekeyTerm(constraint, "spec.topologySpreadConstraints", why);
  });
  forEachContainer(spec, [&](const char* list, Json& container) {
    forEachIn(container, "env", [&](Json& variable) {
      if (!variable.is_object() || !variable.contains("valueFrom")) return;
      if (!rekeyFieldPath(variable["valueFrom"])) return;
      why.add({"spec.", list, "[", json::str(container, "name"), "].env[",
               json::str(variable, "name"), "]"},
              kFollows);
    });
  });
  forEachIn(spec, "volumes", [&](Json& volume) {
    const std::string name = json::str(volume, "name");
    rekeyItems(volume, name, why);
    if (!volume.is_object() || !volume.contains("projected")) return;
    forEachIn(volume["projected"], "sources", [&](Json& source) { rekeyItems(source, name, why); });
  });
}

}  // namespace vkb::bridge
