#pragma once

#include <cstddef>
#include <deque>
#include <mutex>

#include "vkbridge/runtime.h"

namespace vkb::node {

/// Design invariant 10: more than max(10, 10 %) of a node's pods found lost, orphaned or gone
/// without an orderly deletion within 60 s is more likely our error than the world's: from then on
/// nothing destructive is done until release(). Thread-safe.
class LossBrake {
 public:
  explicit LossBrake(const Clock& clock) : clock_(clock) {}
  /// Asks to act on one such verdict, with `total` pods on the node. False: the brake is on.
  bool allow(std::size_t total);
  bool engaged() const;
  void release();

 private:
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::deque<TimePoint> verdicts_;
  bool engaged_ = false;
};

}  // namespace vkb::node
