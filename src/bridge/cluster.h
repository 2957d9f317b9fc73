#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "bridge/cluster_kubelet.h"
#include "bridge/home_objects.h"
#include "kube/client.h"
#include "state/database.h"
#include "state/state_folder.h"

namespace vkb::bridge {

/// One joined cluster while it is served: target client, caches, provider, pod and node controller,
/// and the one state they all act by. Nothing is shared with other clusters but the executor, the
/// database, the threads of watches and kubelet APIs, and home's API server with what it has of
/// ConfigMaps and Secrets (design invariant 7).
class Cluster {
 public:
  struct Deps {
    Runtime runtime;
    std::unique_ptr<kube::Client> home;    ///< this cluster's own connection pool to home
    HomeObjects& home_objects;             ///< of all clusters, which it outlives
    std::unique_ptr<kube::Client> target;  ///< checks its identity itself (kube::IdentityGuard)
    /// Does `target` answer with another identity?
    std::function<bool()> identity_differs;
    PodRecordStore& store;
    state::DependencyStore& dependencies;
    /// What `status` shows; called on changes and every 10 s.
    std::function<void(const state::ClusterHealth&)> publish;
    base::Logger& logger;
    base::Metrics& metrics;
  };
  struct Options {
    state::ClusterConfig config;
    std::string home_id;
    std::string installation_id;  ///< holder of the claim on the target
    std::string host_ip;
    std::size_t concurrency = 32;
    /// How the node's kubelet API is served; nothing: it has none.
    std::optional<KubeletOptions> kubelet{};
    const state::StateFolder* folder = nullptr;  ///< where its port and certificate are kept
  };

  Cluster(Deps deps, Options options);
  ~Cluster();

  Result<void> start();
  /// No new pods from now on; once none is left the node is deleted and `left` called, once, from
  /// an executor task. With `forget_target` nothing is asked of the target: home pods are failed
  /// and removed at once; may follow a call without it.
  void leave(bool forget_target, std::function<void(std::vector<PodRecord> may_still_run)> left);
  /// An operator says that the delegates which are missing (kMassLoss) are gone indeed.
  void confirmLosses();
  /// Finishes what is under way; no callback is called afterwards. The node stays, its pods stay.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::bridge
