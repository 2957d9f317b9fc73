#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "kube/client.h"

namespace vkb::test {

/// Keeps what a watch said. The waits have a generous deadline, so that a broken test ends.
/// Thread-safe.
class WatchLog final : public kube::WatchHandler {
 public:
  void onEvent(json::RawEvent event) override {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_all();
  }
  void onClosed(Status status) override {
    const std::lock_guard lock(mutex_);
    end_ = std::move(status);
    changed_.notify_all();
  }

  /// False: it did not become true within 30 s.
  bool waitUntil(const std::function<bool(const std::vector<json::RawEvent>&)>& seen) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return seen(events_); });
  }
  bool waitForEvents(std::size_t count) {
    return waitUntil([count](const auto& events) { return events.size() >= count; });
  }
  /// How it ended; nothing when it goes on.
  std::optional<Status> waitForEnd() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(30), [&] { return end_.has_value(); });
    return end_;
  }
  std::vector<json::RawEvent> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  /// "ADDED a", "BOOKMARK"
  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    for (const auto& event : events()) {
      out.push_back(event.type + (event.object->name.empty() ? "" : " " + event.object->name));
    }
    return out;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<json::RawEvent> events_;
  std::optional<Status> end_;
};

}  // namespace vkb::test
