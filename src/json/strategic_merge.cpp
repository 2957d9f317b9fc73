#include "json/strategic_merge.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "json/json.h"

namespace vkb::json {
namespace {

constexpr std::string_view kPatchDirective = "$patch";
constexpr std::string_view kRetainKeys = "$retainKeys";
constexpr std::string_view kOrderPrefix = "$setElementOrder/";
constexpr std::string_view kDeletePrefix = "$deleteFromPrimitiveList/";

/// A list that merges: its field, the field that holds the object it is in ("" for any), and the
/// key that tells elements apart ("" for a set of plain values). From the patchMergeKey tags of
/// k8s.io/api core/v1; the same in 1.20 and 1.36 as far as both have the field. Not here although
/// one might expect it, because the tags are missing there too: tolerations, taints,
/// containerStatuses, envFrom, readinessGates.
struct MergingList {
  std::string_view parent, field, key;
};
constexpr std::array kMergingLists = std::to_array<MergingList>({
    {"metadata", "ownerReferences", "uid"},
    {"metadata", "finalizers", ""},
    {"status", "conditions", "type"},
    {"status", "addresses", "type"},
    {"status", "podIPs", "ip"},
    {"status", "hostIPs", "ip"},
    {"status", "resourceClaimStatuses", "name"},
    {"spec", "podCIDRs", ""},
    {"spec", "containers", "name"},
    {"spec", "initContainers", "name"},
    {"spec", "ephemeralContainers", "name"},
    {"spec", "volumes", "name"},
    {"spec", "imagePullSecrets", "name"},
    {"spec", "hostAliases", "ip"},
    {"spec", "topologySpreadConstraints", "topologyKey"},
    {"spec", "schedulingGates", "name"},
    {"spec", "resourceClaims", "name"},
    {"spec", "ports", "port"},  // of a Service
    {"containers", "ports", "containerPort"},
    {"initContainers", "ports", "containerPort"},
    {"ephemeralContainers", "ports", "containerPort"},
    {"", "env", "name"},
    {"", "volumeMounts", "mountPath"},
    {"", "volumeDevices", "devicePath"},
    {"ServiceAccount", "secrets", "name"},
    {"ServiceAccount", "imagePullSecrets", "name"},
});

const MergingList* findList(std::string_view parent, std::string_view field) {
  const auto* const found =
      std::find_if(kMergingLists.begin(), kMergingLists.end(), [&](const MergingList& list) {
        return list.field == field && (list.parent.empty() || list.parent == parent);
      });
  return found == kMergingLists.end() ? nullptr : found;
}

tl::unexpected<Status> refuse(std::string message) {
  return failure(
      {.code = 400, .reason = "BadRequest", .message = std::move(message), .retry = Retry::kNever});
}

bool isDirective(std::string_view key) {
  return key == kPatchDirective || key == kRetainKeys || key.starts_with(kOrderPrefix) ||
         key.starts_with(kDeletePrefix);
}

/// What a patch leaves where there was nothing: itself without nulls, directives and elements that
/// it wants deleted.
Json settled(const Json& patch) {
  if (patch.is_object()) {
    Json result = Json::object();
    for (const auto& [key, value] : patch.items()) {
      if (!value.is_null() && !isDirective(key)) result[key] = settled(value);
    }
    return result;
  }
  if (patch.is_array()) {
    Json result = Json::array();
    for (const Json& element : patch) {
      // An element with a directive is an instruction, not content.
      if (!at(element, kPatchDirective).is_null()) continue;
      result.push_back(settled(element));
    }
    return result;
  }
  return patch;
}

/// The value that tells an element apart: its merge key, or itself in a set of plain values.
const Json& identity(const Json& element, std::string_view key) {
  return key.empty() ? element : at(element, key);
}

std::ptrdiff_t indexOf(const Json& list, const Json& wanted, std::string_view key) {
  const auto found = std::find_if(list.begin(), list.end(), [&](const Json& element) {
    return identity(element, key) == wanted;
  });
  return found == list.end() ? -1 : found - list.begin();
}

/// The server's mergeSortedSlice: elements that the patch names in the patch's order, the others
/// in their old order, and between the two the old order where both have a place in it.
Json ordered(const Json& merged, const Json& order, const Json& before, std::string_view key) {
  Json named = Json::array(), others = Json::array();
  for (const Json& entry : order) {
    const std::ptrdiff_t index = indexOf(merged, identity(entry, key), key);
    if (index >= 0) named.push_back(merged[static_cast<std::size_t>(index)]);
  }
  for (const Json& element : merged) {
    if (indexOf(order, identity(element, key), key) < 0) others.push_back(element);
  }
  Json result = Json::array();
  std::size_t i = 0, j = 0;
  while (i < others.size() || j < named.size()) {
    bool take_other = j >= named.size();
    if (!take_other && i < others.size()) {
      const std::ptrdiff_t left = indexOf(before, identity(others[i], key), key);
      const std::ptrdiff_t right = indexOf(before, identity(named[j], key), key);
      take_other = left >= 0 && right >= 0 && left < right;
    }
    result.push_back(take_other ? others[i++] : named[j++]);
  }
  return result;
}

Result<void> mergeObject(Json& target, const Json& patch, std::string_view parent);

Result<void> mergeElement(Json& list, const Json& element, std::string_view field,
                          std::string_view key) {
  const std::string directive = str(element, kPatchDirective);
  if (!key.empty() && at(element, key).is_null()) {
    return refuse("an element of list " + std::string(field) + " in the patch has no " +
                  std::string(key));
  }
  const std::ptrdiff_t index = indexOf(list, identity(element, key), key);
  if (directive == "delete") {
    if (index >= 0) list.erase(static_cast<std::size_t>(index));
    return {};
  }
  if (index < 0) {
    list.push_back(settled(element));
    return {};
  }
  return element.is_object() ? mergeObject(list[static_cast<std::size_t>(index)], element, field)
                             : Result<void>{};
}

Result<void> mergeList(Json& list, const Json& patch, const Json& order, std::string_view field,
                       std::string_view key) {
  const bool replace = std::any_of(patch.begin(), patch.end(), [](const Json& element) {
    return str(element, kPatchDirective) == "replace";
  });
  if (replace) {
    list = settled(patch);
    return {};
  }
  const Json before = list;
  for (const Json& element : patch) {
    if (auto done = mergeElement(list, element, field, key); !done) return done;
  }
  list = ordered(list, order.is_array() ? order : patch, before, key);
  return {};
}

/// `$retainKeys`: of a union such as a volume's source only the named keys stay.
void retainKeys(Json& target, const Json& patch) {
  const Json& retained = at(patch, kRetainKeys);
  if (!retained.is_array()) return;
  for (auto it = target.begin(); it != target.end();) {
    const bool keep = std::find(retained.begin(), retained.end(), it.key()) != retained.end();
    it = keep ? std::next(it) : target.erase(it);
  }
}

void deleteFromSets(Json& target, const Json& patch) {
  for (const auto& [key, values] : patch.items()) {
    if (!key.starts_with(kDeletePrefix) || !values.is_array()) continue;
    const auto list = target.find(key.substr(kDeletePrefix.size()));
    if (list == target.end() || !list->is_array()) continue;
    Json left = Json::array();
    for (const Json& element : *list) {
      if (indexOf(values, element, "") < 0) left.push_back(element);
    }
    *list = std::move(left);
  }
}

/// A list may be reordered without any of its elements changing.
void reorderOnly(Json& target, const Json& patch, std::string_view parent) {
  for (const auto& [key, order] : patch.items()) {
    if (!key.starts_with(kOrderPrefix) || !order.is_array()) continue;
    const std::string field = key.substr(kOrderPrefix.size());
    const MergingList* const merging = findList(parent, field);
    const auto list = target.find(field);
    if (patch.contains(field) || merging == nullptr || list == target.end() || !list->is_array()) {
      continue;
    }
    *list = ordered(*list, order, *list, merging->key);
  }
}

Result<void> mergeField(Json& target, const std::string& field, const Json& value,
                        const Json& patch, std::string_view parent) {
  if (value.is_null()) {
    target.erase(field);
    return {};
  }
  const auto old = target.find(field);
  if (old == target.end() || old->is_null()) {
    Json fresh = settled(value);
    if (str(value, kPatchDirective) != "delete") target[field] = std::move(fresh);
    return {};
  }
  if (value.is_object() && old->is_object()) {
    if (str(value, kPatchDirective) == "delete") {
      target.erase(old);
      return {};
    }
    return mergeObject(*old, value, field);
  }
  const MergingList* const merging = findList(parent, field);
  if (merging != nullptr && value.is_array() && old->is_array()) {
    return mergeList(*old, value, at(patch, std::string(kOrderPrefix) + field), field,
                     merging->key);
  }
  *old = settled(value);
  return {};
}

/// `parent` is the field that holds `target`; for an element of a list, the list's field.
Result<void> mergeObject(Json& target, const Json& patch, std::string_view parent) {
  const Json& directive = at(patch, kPatchDirective);
  if (!directive.is_null() && directive != "merge") {
    if (directive == "replace") {
      target = settled(patch);
    } else if (directive == "delete") {
      target = Json::object();
    } else {
      return refuse("the patch has an unknown $patch directive; use replace, delete or merge");
    }
    return {};
  }
  retainKeys(target, patch);
  deleteFromSets(target, patch);
  reorderOnly(target, patch, parent);
  for (const auto& [field, value] : patch.items()) {
    if (isDirective(field)) continue;
    if (auto done = mergeField(target, field, value, patch, parent); !done) return done;
  }
  return {};
}

}  // namespace

Result<void> applyStrategicMerge(Json& target, const Json& patch) {
  if (!target.is_object() || !patch.is_object()) {
    return refuse("a strategic-merge patch and what it patches must be JSON objects");
  }
  // Fields at the top of an object have the kind as their parent: "secrets" merges only there.
  const std::string kind = str(target, "kind");
  Json result = target;
  if (auto done = mergeObject(result, patch, kind); !done) return done;
  target = std::move(result);
  return {};
}

}  // namespace vkb::json
