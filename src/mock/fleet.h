#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "kube/client.h"
#include "mock/pod_script.h"

namespace vkb::mock {

/// N nodes in memory in one cluster, each served by the core's own pod and node controller. They
/// share one client, one pod watch and one node watch; a node costs a lease renewal in 10 s.
class Fleet {
 public:
  struct Deps {
    Runtime runtime;
    kube::Client& client;  ///< outlives this
    base::Logger& logger;
    base::Metrics& metrics;
  };
  struct Options {
    int nodes = 1;
    std::string name_prefix = "mock";  ///< nodes are <prefix>-0 …
    std::string cpu = "1000", memory = "1Ti", pods = "11000";
    std::string address = "127.0.0.1";  ///< InternalIP of every node, hostIP of its pods
    std::map<std::string, std::string> labels{};
    std::vector<std::string> taints{};  ///< key=value:effect
    std::size_t concurrency = 4;        ///< pods of one node handled at once
    PodScript defaults{};
  };

  Fleet(Deps deps, Options options);
  ~Fleet();
  Result<void> start();
  /// Finishes what is under way; nodes and pods stay.
  void stop();
  /// Deletes the node objects. After stop().
  Result<void> removeNodes();
  /// Pods that the nodes hold at present.
  std::size_t pods() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::mock
