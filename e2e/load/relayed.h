#pragma once

#include <chrono>
#include <string>

#include "vkbridge/status.h"

namespace vkb::load {

/// A relay between a cluster and whoever uses `out`, a copy of its kubeconfig: what passes is as
/// late as over a line of that round-trip time. Prints "ready"; until SIGTERM.
Result<void> runRelay(const std::string& kubeconfig, const std::string& out,
                      std::chrono::milliseconds rtt);

}  // namespace vkb::load
