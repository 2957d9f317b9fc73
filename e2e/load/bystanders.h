#pragma once

#include "load/workplace.h"

namespace vkb::load {

/// Pods of others in a target, that come and go.
struct BystanderOptions {
  std::string kubeconfig, ns = "foreign", node_prefix = "mock";
  std::size_t nodes = 200, pods = 5000, workers = 32;
  double churn = 5;  ///< pods replaced a second; 0: none
};

/// Makes them, prints "ready" once all are Ready, and replaces them until SIGTERM.
Result<void> runBystanders(const BystanderOptions& options);

}  // namespace vkb::load
