#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/log.h"
#include "base/metrics.h"
#include "kube/client.h"
#include "kube/object_cache.h"
#include "node/node_patch.h"
#include "vkbridge/provider.h"

namespace vkb::node {

/// Keeps one virtual node registered, alive and true (design §7): registration and adoption, the
/// node lease, labels, taints, capacity and conditions, pings with hysteresis. After an absence the
/// lease comes first: no verdict is given before it is renewed, so no pod is acted on before. Work
/// runs on the executor; methods are thread-safe.
class NodeController {
 public:
  struct Deps {
    Runtime runtime;
    kube::Client& home;
    NodeProvider& provider;
    base::Logger& logger;
    base::Metrics& metrics;
    /// A watch of nodes that this node is among, filled by the owner after start(); it outlives
    /// the controller. Without: the controller watches its node itself.
    kube::ObjectCache* nodes = nullptr;
  };
  struct Options {
    std::string node;
    std::string provider_id;  ///< spec.providerID; an existing node with another is not ours
    /// But one with one of these is, from before the backend was replaced: a providerID never
    /// changes, so that node is deleted and made anew.
    std::set<std::string> former_provider_ids{};
    Duration ping_interval = std::chrono::seconds(10);
    int failures_until_down = 3;
    int successes_until_up = 2;
    WhenUnreachable when_unreachable = WhenUnreachable::kNotReady;
    /// Called on every change of reachability, and once after the first verdict.
    std::function<void(bool reachable, const Status& why)> on_reachable = {};
  };

  NodeController(Deps deps, Options options);
  ~NodeController();

  /// Begins. Registration is tried until it succeeds; a node of that name that is not ours is left
  /// alone and reported as registrationError().
  void start();
  /// What the node's conditions say from now on. While another bridge serves the node
  /// (kClaimedElsewhere) and keeps its lease, neither is touched.
  void setState(ProviderState state, const std::string& message);
  /// Empty, or why the node object could not be written last time.
  std::string registrationError() const;
  /// How long nobody had renewed the node's lease when this controller came; nothing before that is
  /// known, and for a node that had none. Known by the first verdict.
  std::optional<Duration> absence() const;
  /// Deletes the node object (UID precondition). After stop().
  Result<void> removeNode();
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Is this node object one that `provider_id` may speak for?
bool isOurNode(const Json& node, const std::string& provider_id);

}  // namespace vkb::node
