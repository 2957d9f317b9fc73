#include <array>
#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

constexpr std::array<const char*, 3> kContainerLists{"containers", "initContainers",
                                                     "ephemeralContainers"};

}  // namespace

std::span<const char* const> containerLists() { return kContainerLists; }

void forEachContainer(Json& spec,
                      const std::function<void(const char* list, Json& container)>& visit) {
  for (const char* list : kContainerLists) {
    forEachIn(spec, list, [&](Json& container) { visit(list, container); });
  }
}

void forEachContainer(const Json& spec, const std::function<void(const Json& container)>& visit) {
  for (const char* list : kContainerLists) {
    for (const Json& container : json::array(spec, {list})) visit(container);
  }
}

void forEachIn(Json& holder, const char* field, const std::function<void(Json& entry)>& visit) {
  if (!holder.is_object()) return;
  const auto found = holder.find(field);
  if (found == holder.end() || !found->is_array()) return;
  for (Json& entry : *found) visit(entry);
}

void forEachDownwardItem(Json& source, const std::function<void(Json& item)>& visit) {
  if (!source.is_object() || !source.contains("downwardAPI")) return;
  forEachIn(source["downwardAPI"], "items", visit);
}

void forEachPodAffinityTerm(Json& spec,
                            const std::function<void(const std::string& path, Json& term)>& visit) {
  if (!json::at(spec, "affinity").is_object()) return;
  for (const char* kind : {"podAffinity", "podAntiAffinity"}) {
    Json& affinity = spec["affinity"];
    if (!affinity.contains(kind)) continue;
    const std::string path = std::string("spec.affinity.") + kind;
    forEachIn(affinity[kind], "requiredDuringSchedulingIgnoredDuringExecution",
              [&](Json& term) { visit(path, term); });
    forEachIn(affinity[kind], "preferredDuringSchedulingIgnoredDuringExecution",
              [&](Json& weighted) {
                if (json::at(weighted, "podAffinityTerm").is_object()) {
                  visit(path, weighted["podAffinityTerm"]);
                }
              });
  }
}

}  // namespace vkb::bridge
