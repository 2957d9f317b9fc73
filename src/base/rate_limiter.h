#pragma once

#include <mutex>

#include "vkbridge/runtime.h"

namespace vkb::base {

/// Token bucket. Thread-safe. Callers wait themselves; reserve() only says how long.
class RateLimiter {
 public:
  RateLimiter(const Clock& clock, double per_second, double burst);
  /// Takes one token, now or in advance; the caller may go on after the returned delay (0: at
  /// once). First come, first served.
  Duration reserve();

 private:
  const Clock& clock_;
  const double per_second_, burst_;
  std::mutex mutex_;
  double tokens_;
  TimePoint updated_;
};

}  // namespace vkb::base
