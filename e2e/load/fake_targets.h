#pragma once

#include <string>

#include "vkbridge/status.h"

namespace vkb::load {

/// Many small targets: API servers in memory over TLS.
struct FakeTargetOptions {
  std::string folder;  ///< gets target-<i>.kubeconfig
  std::size_t count = 50, nodes = 5, pods = 50;
};

/// Serves them until SIGTERM; prints "ready" once they can be joined.
Result<void> runFakeTargets(const FakeTargetOptions& options);

}  // namespace vkb::load
