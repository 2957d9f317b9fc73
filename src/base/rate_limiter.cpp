#include "base/rate_limiter.h"

#include <algorithm>

namespace vkb::base {

RateLimiter::RateLimiter(const Clock& clock, double per_second, double burst)
    : clock_(clock),
      per_second_(per_second),
      burst_(burst),
      tokens_(burst),
      updated_(clock.now()) {}

Duration RateLimiter::reserve() {
  std::lock_guard lock(mutex_);
  const TimePoint now = clock_.now();
  const double seconds = std::chrono::duration<double>(now - updated_).count();
  tokens_ = std::min(burst_, tokens_ + seconds * per_second_);
  updated_ = now;
  tokens_ -= 1;
  if (tokens_ >= 0) return Duration::zero();
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(-tokens_ / per_second_));
}

}  // namespace vkb::base
