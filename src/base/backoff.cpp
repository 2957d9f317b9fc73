#include "base/backoff.h"

#include <algorithm>

namespace vkb::base {

Duration backoffDelay(const BackoffPolicy& policy, std::uint32_t attempt, Random& random) {
  Duration delay = policy.first;
  for (std::uint32_t i = 1; i < attempt && delay < policy.cap; ++i) delay *= 2;
  delay = std::min(delay, policy.cap);
  const double factor = 0.5 + random.uniform() / 2;
  return Duration(static_cast<Duration::rep>(static_cast<double>(delay.count()) * factor));
}

const BackoffPolicy& policyFor(Retry retry) {
  return retry == Retry::kFast ? kFastBackoff : kSlowBackoff;
}

}  // namespace vkb::base
