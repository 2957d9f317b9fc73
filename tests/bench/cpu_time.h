#pragma once

#include <ctime>

namespace vkb::bench {

/// CPU seconds that this process has used, all threads, user and system.
inline double processCpuSeconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace vkb::bench
