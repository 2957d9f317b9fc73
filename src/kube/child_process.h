#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "vkbridge/status.h"

namespace vkb::kube {

struct ChildOutcome {
  int exit_code = -1;  ///< -1: ended by a signal
  bool timed_out = false;
  std::string out;  ///< stdout, at most 1 MiB
  std::string err;  ///< the last 2 KiB of stderr
};

/// Runs `command` (looked up in PATH when it holds no '/') and waits until it ends or `deadline` is
/// over, when its whole process group is killed. `env` is added to this process's environment. An
/// error means that it could not be started. Thread-safe.
Result<ChildOutcome> runChild(const std::string& command, const std::vector<std::string>& args,
                              const std::map<std::string, std::string>& env,
                              std::chrono::milliseconds deadline);

}  // namespace vkb::kube
