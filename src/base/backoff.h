#pragma once

#include <cstdint>

#include "vkbridge/runtime.h"
#include "vkbridge/status.h"

namespace vkb::base {

/// Design §6: how long to wait before try number `attempt` + 1 (attempt counts from 1).
struct BackoffPolicy {
  Duration first;
  Duration cap;
};
inline constexpr BackoffPolicy kFastBackoff{std::chrono::milliseconds(100),
                                            std::chrono::seconds(60)};
inline constexpr BackoffPolicy kSlowBackoff{std::chrono::seconds(30), std::chrono::minutes(5)};

/// first * 2^(attempt-1), at most cap, times a factor in [0.5, 1) drawn from `random`.
Duration backoffDelay(const BackoffPolicy& policy, std::uint32_t attempt, Random& random);

/// The policy that design §6 gives for a failure; Retry::kNever has none.
const BackoffPolicy& policyFor(Retry retry);

}  // namespace vkb::base
