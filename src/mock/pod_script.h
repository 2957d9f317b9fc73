#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "vkbridge/json.h"
#include "vkbridge/runtime.h"
#include "vkbridge/status.h"

namespace vkb::mock {

/// What a pod in memory is to do. Times count from the step before.
struct PodScript {
  Duration run_after{};                ///< created -> Running
  Duration ready_after{};              ///< Running -> Ready
  std::optional<Duration> exit_after;  ///< Ready -> containers end; restartPolicy says what then
  int exit_code = 0;
  std::optional<Duration> evict_after;   ///< Ready -> Failed, reason Evicted
  std::optional<Duration> vanish_after;  ///< Ready -> gone, and nobody saw how
  Duration delete_after{};               ///< asked to go -> gone; at most the grace
  std::string waiting;                   ///< never runs: the containers wait with this reason
  std::string create_error;              ///< retryable, permanent, invalid, throttled, waiting
  int create_errors = 0;                 ///< so many creates fail; all of them where it is 0
};

/// "200ms", "1.5s", "2m", "1h".
Result<Duration> parseDuration(const std::string& text);

/// `defaults` with what the pod's annotations mock.vk-bridge.io/… say: run-after, ready-after,
/// exit-after, exit-code, evict-after, vanish-after, delete-after, waiting, create-error ("kind" or
/// "kind:times"). An annotation that cannot be read is an InvalidInput that names it.
Result<PodScript> scriptOf(const Json& pod, const PodScript& defaults);

/// The failure that `create_error` names.
Status scriptedError(const PodScript& script);

}  // namespace vkb::mock
