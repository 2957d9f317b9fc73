#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bridge/target_streams.h"
#include "kubelet/server.h"
#include "state/state_folder.h"

namespace vkb::bridge {

/// How the virtual nodes' kubelet APIs are served; the same for all nodes of a process.
struct KubeletOptions {
  std::uint16_t port_base = 10450;
  std::string cert_file{}, key_file{};  ///< "": a self-signed certificate, kept in the state folder
  std::string client_ca_file{};         ///< "": as home's API server knows its clients
  bool anonymous = false;
  std::shared_ptr<net::EventThread> thread{};  ///< kubelet::Server::Deps::thread
};

/// The kubelet API of one cluster's node: takes the node's port (chosen at its first start, then
/// recorded), and tries again every few seconds while that cannot be had.
class ClusterKubelet {
 public:
  struct Deps {
    Runtime runtime;
    kube::Client& home;
    const state::StateFolder& folder;
    ContainerLogs& logs;
    ContainerStreams& streams;
    PodStats& stats;
    std::function<std::vector<json::ObjectPtr>()> pods;
    /// From an executor task, before connections are taken.
    std::function<void(std::uint16_t port)> on_port;
    base::Logger& logger;
    base::Metrics& metrics;
  };
  /// `address`: the node's InternalIP; listened on when it is one of this machine, else on all.
  ClusterKubelet(Deps deps, KubeletOptions options, std::string node, std::string address);
  ~ClusterKubelet();

  /// Returns at once.
  void start();
  /// Ends every session; on_port is not called afterwards.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::bridge
