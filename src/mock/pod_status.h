#pragma once

#include <cstdint>
#include <string>

#include "vkbridge/json.h"
#include "vkbridge/runtime.h"

namespace vkb::mock {

/// How far a pod in memory has come.
struct PodState {
  enum class Stage { kPending, kRunning, kReady, kExited, kEvicted };
  Stage stage = Stage::kPending;
  WallTime created{}, started{}, ended{};
  std::int64_t restarts = 0;
  int exit_code = 0;
  std::string ip;
  std::string waiting;  ///< reason that the containers wait with
};

/// The status that a kubelet would write. Pure.
Json podStatus(const Json& pod, const PodState& state, const std::string& host_ip);

/// How far a pod has come by what home shows of it: a node in memory that is started again goes on
/// with its pods, as a kubelet does.
PodState stateFrom(const Json& pod);

}  // namespace vkb::mock
