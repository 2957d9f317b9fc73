#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "bridge/capacity.h"
#include "kube/reflector.h"

namespace vkb::bridge {

/// What the nodes of a target are to the virtual node that stands for them: of each only what
/// counts. Thread-safe; on_change runs on the reflector's task after the change is held.
class TargetNodes final : public kube::ReflectorSink {
 public:
  struct Options {
    /// Every delegate asks this of its node (`join --node-selector`): others offer nothing.
    std::map<std::string, std::string> selector{};
    /// Something that view() tells has changed.
    std::function<void()> on_change = [] {};
  };
  struct View {
    /// Free for delegates on nodes that are Ready, schedulable and selected. Of CPU, memory and
    /// pods that may be 0; what else no node offers is left out.
    Resources offered;
    int ready = 0, total = 0;
    std::string os, arch;  ///< of most nodes; empty: of none known
    /// Labels that all nodes have alike and that mean something at home (design §7).
    std::map<std::string, std::string> labels;
  };
  explicit TargetNodes(Options options) : options_(std::move(options)) {}

  /// Added up anew each time. `take_foreign` takes what others use of a node off what it has; what
  /// one node lacks then is not taken off another.
  View view(const std::function<void(const std::string& node, Resources& of)>& take_foreign) const;

  void replace(std::vector<json::ObjectPtr> items) override;
  void upsert(json::ObjectPtr object) override;
  void remove(json::ObjectPtr object) override;

 private:
  struct Node {
    Resources offered;  ///< nothing while it is not Ready, schedulable and selected
    bool ready = false;
    std::string os, arch;
    std::map<std::string, std::string> labels;
    bool operator==(const Node&) const = default;
  };
  Node read(const json::Object& object) const;

  const Options options_;
  mutable std::mutex mutex_;
  std::map<std::string, Node> nodes_;  ///< by name
};

/// May a label of the target's nodes be shown at home? Not one that says which machine it is or who
/// looks after it.
bool isSharedNodeLabel(const std::string& key);

}  // namespace vkb::bridge
