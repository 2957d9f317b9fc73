#pragma once

#include <chrono>
#include <string>

#include "load/workplace.h"

namespace vkb::load {

/// One load: pods are made, become Running and Ready, are deleted.
struct LifeOptions {
  std::string kubeconfig, ns = "load", node;
  /// A second cluster that gets as many pods at the same moment, placed by its scheduler.
  std::string second_kubeconfig;
  /// A cluster that has to be empty too in the end: where delegates are.
  std::string also_empty_kubeconfig;
  std::size_t pods = 100, workers = 32;
  double rate = 0;
  bool make = true, remove = true;
  std::chrono::seconds hold{0}, patience{900};
};

/// Prints one JSON object: seconds until all were Ready, until all were deleted, and percentiles of
/// the time from a pod's POST until it was seen Ready.
Result<void> runLife(const LifeOptions& options);

}  // namespace vkb::load
