#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "net/transport_errors.h"
#include "vkbridge/status.h"

namespace vkb::net {

/// Every broken connection of one client, counted and told on. A connection made before the last
/// break is not used for another request: what comes next goes out on a new one. Thread-safe;
/// shared by the client and its streams, which may outlive it.
class Breaks {
 public:
  explicit Breaks(std::function<void(const Status&)> on_broken)
      : on_broken_(std::move(on_broken)) {}

  std::uint64_t count() const { return count_; }
  /// Returns when on_broken has; never called with a lock held.
  void report(const Status& why) {
    ++count_;
    if (on_broken_) on_broken_(why);
  }
  /// `why` is the failure of an exchange: what this program called off is no break.
  void reportUnlessAborted(const Status& why) {
    if (why.reason != kReasonAborted) report(why);
  }

 private:
  const std::function<void(const Status&)> on_broken_;
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace vkb::net
