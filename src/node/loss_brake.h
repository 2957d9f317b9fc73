#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "vkbridge/runtime.h"

namespace vkb::node {

/// Design invariant 10: more than max(10, 10 %) of a node's pods found lost, orphaned or gone
/// without an orderly deletion within 60 s is more likely our error than the world's: from then on
/// nothing destructive is done until release(), which lets what was held back through: verdicts of
/// the next 60 s are believed. Thread-safe.
class LossBrake {
 public:
  explicit LossBrake(const Clock& clock) : clock_(clock) {}
  enum class Verdict {
    kAllowed,
    kTripped,  ///< this one was too much: the brake is on from now
    kHeld,     ///< it was on already
  };
  /// Asks to act on one such verdict about the pod `uid`, with `total` pods on the node. Asked
  /// again about the same pod (a deletion that is retried) it counts once.
  Verdict allow(const std::string& uid, std::size_t total);
  bool engaged() const;
  void release();

 private:
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::deque<std::pair<TimePoint, std::string>> verdicts_;
  TimePoint believed_until_{};
  bool engaged_ = false;
};

}  // namespace vkb::node
