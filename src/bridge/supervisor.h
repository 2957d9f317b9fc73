#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/metrics.h"
#include "bridge/cluster_kubelet.h"
#include "kube/client.h"
#include "state/database.h"
#include "state/state_folder.h"

namespace vkb::bridge {

/// Serves every cluster of a state folder: starts one Cluster for each, follows `join` and `leave`
/// while it runs. One cluster's failure to start is that cluster's alone; it is tried again.
class Supervisor {
 public:
  struct Target {
    std::unique_ptr<kube::Client> client;
    std::function<bool()> identity_differs;
  };
  struct Deps {
    Runtime runtime;
    state::StateFolder& folder;
    state::Database& database;
    /// New connections of their own, one pair for each cluster, and one to home for all.
    std::function<Result<std::unique_ptr<kube::Client>>()> connect_home;
    std::function<Result<Target>(const state::ClusterConfig&)> connect_target;
    base::Logger& logger;
    base::Metrics& metrics;
  };
  struct Options {
    std::string home_id;
    std::string installation_id;
    std::string host_ip;
    std::optional<KubeletOptions> kubelet{};  ///< of every node; nothing: none has a kubelet API
  };

  Supervisor(Deps deps, Options options);
  ~Supervisor();

  /// Brings what runs in line with the folder. Called once at the start and whenever the folder
  /// changed; calls do not overlap. An unreadable folder is an error; a cluster's is logged.
  Result<void> reconcile();
  /// All clusters finish what is under way.
  void stop();
  /// How many clusters are served.
  std::size_t serving() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::bridge
