#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "bridge/dependency_copy.h"
#include "bridge/garbage.h"
#include "bridge/names.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

using Used = std::set<std::tuple<DependencyKind, std::string, std::string>>;

/// What delegates of any node refer to. Asked for after the copies were seen.
Result<Used> usedCopies(kube::Reader& target, const kube::ListOptions& ours) {
  const auto pods = kube::listAll(target, kube::kPods, ours);
  if (!pods) return failure(pods.error());
  Used used;
  for (const auto& pod : pods->items) {
    for (const Reference& reference : references(json::at(pod->parse(), "spec"))) {
      used.insert({reference.kind, pod->ns, reference.name});
    }
  }
  return used;
}

/// Takes away what belongs to nodes that home has: their bridge sees to it.
Result<void> dropServed(kube::Reader& home, std::vector<Garbage>& copies) {
  std::map<std::string, bool> served;
  for (const Garbage& copy : copies) {
    if (served.contains(copy.node)) continue;
    const auto node = home.get(kube::kNodes, "", copy.node);
    if (!node) return failure(node.error());
    served[copy.node] = node->has_value();
  }
  std::erase_if(copies, [&](const Garbage& copy) { return served[copy.node]; });
  return {};
}

}  // namespace

Result<std::vector<Garbage>> findUnusedCopies(kube::Reader& home, kube::Reader& target,
                                              const GarbageScope& scope) {
  const kube::ListOptions ours{
      .ns = scope.ns, .label_selector = std::string(kLabelHomeCluster) + "=" + scope.home_id};
  kube::ListOptions ours_metadata = ours;
  ours_metadata.metadata_only = true;
  std::vector<Garbage> found;
  for (const DependencyKind kind : {DependencyKind::kConfigMap, DependencyKind::kSecret}) {
    const auto copies = kube::listAll(target, resourceOf(kind), ours_metadata);
    if (!copies) return failure(copies.error());
    for (const auto& object : copies->items) {
      const Json copy = object->parse();
      const std::string node = json::str(copy, {"metadata", "labels", kLabelNode});
      if (node.empty() || scope.joined.contains(node)) continue;
      const auto record = recordFromMarks(kind, copy);
      found.push_back({.ns = object->ns,
                       .name = object->name,
                       .uid = object->uid,
                       .node = node,
                       .home_pod = record.home_ns + "/" + record.home_name,
                       .kind = kind});
    }
  }
  if (auto dropped = dropServed(home, found); !dropped) return failure(dropped.error());
  if (found.empty()) return found;
  const auto used = usedCopies(target, ours);
  if (!used) return failure(used.error());
  std::erase_if(found, [&](const Garbage& copy) {
    return used->contains({*copy.kind, copy.ns, copy.name});
  });
  return found;
}

}  // namespace vkb::bridge
