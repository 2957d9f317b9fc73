#include "json/merge_patch.h"

#include <nlohmann/json.hpp>

namespace vkb::json {

void applyMergePatch(Json& target, const Json& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = Json::object();
  for (const auto& [key, value] : patch.items()) {
    if (value.is_null()) {
      target.erase(key);
    } else {
      applyMergePatch(target[key], value);
    }
  }
}

Json diffMergePatch(const Json& from, const Json& to) {
  Json patch = Json::object();
  for (const auto& [key, value] : from.items()) {
    if (!to.contains(key) || (to.at(key).is_null() && !value.is_null())) patch[key] = nullptr;
  }
  for (const auto& [key, value] : to.items()) {
    if (value.is_null()) continue;
    const auto old = from.find(key);
    if (old != from.end() && *old == value) continue;
    const bool both_objects = old != from.end() && old->is_object() && value.is_object();
    patch[key] = both_objects ? diffMergePatch(*old, value) : value;
  }
  return patch;
}

}  // namespace vkb::json
