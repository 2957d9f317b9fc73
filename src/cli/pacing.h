#pragma once

#include <map>
#include <string>

#include "vkbridge/runtime.h"

namespace vkb::cli {

/// Things that are done over and over by something that looks much more often. Not thread-safe.
class Pacing {
 public:
  explicit Pacing(Duration interval) : interval_(interval) {}

  /// Is it time for this one? Then the next time is an interval from `now`.
  bool due(const std::string& key, TimePoint now) {
    const auto [last, first] = last_.try_emplace(key, now);
    if (!first && now < last->second + interval_) return false;
    last->second = now;
    return true;
  }

 private:
  const Duration interval_;
  std::map<std::string, TimePoint> last_;
};

}  // namespace vkb::cli
