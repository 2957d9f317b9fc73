#include "bridge/target_nodes.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "json/json.h"

namespace vkb::bridge {
namespace {

/// Of one machine, of the controllers that look after it, or set by us.
constexpr std::array kOwn{
    "kubernetes.io/hostname",
    "kubernetes.io/os",
    "kubernetes.io/arch",
    "beta.kubernetes.io/os",
    "beta.kubernetes.io/arch",
    "type",
    "*vk-bridge.io/*",
    "kubernetes.io/role",
    "node-role.kubernetes.io/*",
    "node.kubernetes.io/exclude-*",
    "*instance-id",
    "*machine-id",
    "*provider-id",
    "*csi*",                             // topology and drivers of storage that is not home's
    "node-restriction.kubernetes.io/*",  // home's own nodes are told from others by these
    "kubernetes.io/cluster-service",
    "app.kubernetes.io/managed-by",
    "addonmanager.kubernetes.io/*",
    "*.karpenter.sh/*",
    "karpenter.*",
    "eks.amazonaws.com/*",
    "*.eksctl.io/*",
    "cloud.google.com/*",
    "kubernetes.azure.com/*",
    "doks.digitalocean.com/*",
    "*cluster.x-k8s.io/*",
    "machine.openshift.io/*",
    "*liqo.io/*",
    "multicluster.admiralty.io/*",
};

void keepCommon(std::map<std::string, std::string>& common,
                const std::map<std::string, std::string>& other) {
  std::erase_if(common, [&](const auto& label) {
    const auto found = other.find(label.first);
    return found == other.end() || found->second != label.second;
  });
}

/// The first of those that are there most often.
std::string mostFrequent(const std::map<std::string, int>& counts) {
  const auto most = std::max_element(
      counts.begin(), counts.end(),
      [](const auto& left, const auto& right) { return left.second < right.second; });
  return most == counts.end() ? std::string() : most->first;
}

}  // namespace

bool isSharedNodeLabel(const std::string& key) {
  return std::none_of(kOwn.begin(), kOwn.end(),
                      [&](const char* glob) { return fnmatch(glob, key.c_str(), 0) == 0; });
}

TargetNodes::Node TargetNodes::read(const json::Object& object) const {
  const Json node = object.parse();
  const Json& labels = json::object(node, {"metadata", "labels"});
  const bool selected = std::all_of(
      options_.selector.begin(), options_.selector.end(),
      [&](const auto& wanted) { return json::at(labels, wanted.first) == wanted.second; });
  Node result{.offered = selected ? allocatableOf(node) : Resources{},
              .ready = isReady(node),
              .os = json::str(node, {"status", "nodeInfo", "operatingSystem"}),
              .arch = json::str(node, {"status", "nodeInfo", "architecture"}),
              .labels = {}};
  for (const auto& [key, value] : labels.items()) {
    if (value.is_string() && isSharedNodeLabel(key)) result.labels[key] = value.get<std::string>();
  }
  return result;
}

TargetNodes::View TargetNodes::view(
    const std::function<void(const std::string& node, Resources& of)>& take_foreign) const {
  const std::lock_guard lock(mutex_);
  View result;
  std::map<std::string, int> systems, architectures;
  for (const auto& [name, node] : nodes_) {
    if (result.total++ == 0) {
      result.labels = node.labels;
    } else {
      keepCommon(result.labels, node.labels);
    }
    if (node.ready) ++result.ready;
    if (!node.os.empty()) ++systems[node.os];
    if (!node.arch.empty()) ++architectures[node.arch];
    Resources free = node.offered;
    take_foreign(name, free);
    clampAtZero(free);
    add(result.offered, free);
  }
  // Said even when it is nothing: a node keeps what it offered for as long as nothing is said.
  for (const char* always : {"cpu", "memory", "pods"}) result.offered.try_emplace(always);
  result.os = mostFrequent(systems);
  result.arch = mostFrequent(architectures);
  return result;
}

void TargetNodes::replace(std::vector<json::ObjectPtr> items) {
  std::map<std::string, Node> nodes;
  for (const auto& item : items) nodes[item->name] = read(*item);
  {
    const std::lock_guard lock(mutex_);
    if (nodes_ == nodes) return;
    nodes_ = std::move(nodes);
  }
  options_.on_change();
}

void TargetNodes::upsert(json::ObjectPtr object) {
  Node node = read(*object);
  {
    const std::lock_guard lock(mutex_);
    const auto [entry, added] = nodes_.try_emplace(object->name);
    if (!added && entry->second == node) return;
    entry->second = std::move(node);
  }
  options_.on_change();
}

void TargetNodes::remove(json::ObjectPtr object) {
  {
    const std::lock_guard lock(mutex_);
    if (nodes_.erase(object->name) == 0) return;
  }
  options_.on_change();
}

}  // namespace vkb::bridge
