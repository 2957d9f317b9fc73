#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/metrics.h"
#include "kube/client.h"
#include "kube/informer.h"
#include "vkbridge/provider.h"

namespace vkb::node {

/// Keeps one virtual node registered, alive and true (design §7): registration and adoption, the
/// node lease, capacity and conditions, pings with hysteresis. Work runs on the executor; methods
/// are thread-safe.
class NodeController {
 public:
  struct Deps {
    Runtime runtime;
    kube::Client& home;
    NodeProvider& provider;
    base::Logger& logger;
    base::Metrics& metrics;
  };
  struct Options {
    std::string node;
    std::string provider_id;  ///< spec.providerID; an existing node with another is not ours
    Duration ping_interval = std::chrono::seconds(10);
    int failures_until_down = 3;
    int successes_until_up = 2;
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
