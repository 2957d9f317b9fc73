#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "json/json.h"

// Updates of a running pod that have a subresource of their own.

namespace vkb::bridge {
namespace {

/// CPU and memory of one kind (requests, limits) that home changed since they were last forged and
/// that the delegate has not. What a webhook or autoscaler of the target changed by itself stays.
Json quantitiesPatch(const Json& wanted, const Json& there, const Json& forged) {
  Json patch = Json::object();
  for (const char* resource : {"cpu", "memory"}) {
    const Json& now = json::at(wanted, resource);
    if (now == json::at(forged, resource) || now == json::at(there, resource)) continue;
    patch[resource] = now;  // null: home took it away
  }
  return patch;
}

Json resourcesPatch(const Json& wanted, const Json& there, const Json& forged) {
  Json patch = Json::object();
  for (const char* kind : {"requests", "limits"}) {
    Json changed =
        quantitiesPatch(json::at(wanted, kind), json::at(there, kind), json::at(forged, kind));
    if (!changed.empty()) patch[kind] = std::move(changed);
  }
  return patch;
}

}  // namespace

Json lastForged(const Json& delegate) {
  auto parsed =
      json::parse(json::str(delegate, {"metadata", "annotations", kAnnotationForgedKeys}));
  return parsed ? std::move(*parsed) : Json();
}

std::optional<bool> isRekeyed(const Json& delegate) {
  const Json forged = lastForged(delegate);
  if (!forged.is_object()) return std::nullopt;
  return json::boolean(forged, {"rekeyed"});
}

std::optional<Json> resizePatch(const Json& home_pod, const Json& delegate,
                                const ForgeContext& context) {
  const Json forged = lastForged(delegate);
  // Without the note of what was forged, home's change cannot be told from the target's.
  if (!forged.is_object()) return std::nullopt;
  const Json wanted = forgedSpec(home_pod, context);
  Json spec = Json::object();
  for (const char* list : {"containers", "initContainers"}) {
    for (const Json& container : json::array(wanted, {list})) {
      const std::string name = json::str(container, "name");
      const Json* const there = json::findBy(json::at(delegate, {"spec", list}), "name", name);
      if (there == nullptr) continue;
      Json resources =
          resourcesPatch(json::at(container, "resources"), json::at(*there, "resources"),
                         json::at(forged, {"resources", name}));
      if (!resources.empty()) {
        spec[list].push_back({{"name", name}, {"resources", std::move(resources)}});
      }
    }
  }
  if (spec.empty()) return std::nullopt;
  return Json{{"metadata", {{"uid", json::str(delegate, {"metadata", "uid"})}}},
              {"spec", std::move(spec)}};
}

Json missingEphemeralContainers(const Json& home_pod, const Json& delegate,
                                const ForgeContext& context) {
  Json missing = Json::array();
  if (json::array(home_pod, {"spec", "ephemeralContainers"}).empty()) return missing;
  const Json wanted = forgedSpec(home_pod, context);
  const Json& there = json::at(delegate, {"spec", "ephemeralContainers"});
  for (const Json& container : json::array(wanted, {"ephemeralContainers"})) {
    if (json::findBy(there, "name", json::str(container, "name")) == nullptr) {
      missing.push_back(container);
    }
  }
  return missing;
}

}  // namespace vkb::bridge
