#include "base/thread_group.h"

#include <utility>

namespace vkb::base {

void ThreadGroup::start(std::function<void()> body) {
  const std::lock_guard lock(mutex_);  // the thread cannot end before its handle is in its place
  const auto self = running_.emplace(running_.begin());
  try {
    *self = std::thread([this, self, body = std::move(body)]() mutable {
      body();
      body = nullptr;  // its captures go before the thread counts as ended
      end(self);
    });
  } catch (...) {
    running_.erase(self);
    throw;
  }
}

void ThreadGroup::end(Running::iterator self) {
  std::thread before;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(last_, std::move(*self));
    running_.erase(self);
    // Under the lock: once it is released and this thread joined, the group may be gone.
    if (running_.empty()) none_runs_.notify_all();
  }
  if (before.joinable()) before.join();
}

void ThreadGroup::join() {
  std::thread last;
  {
    std::unique_lock lock(mutex_);
    none_runs_.wait(lock, [this] { return running_.empty(); });
    last = std::exchange(last_, {});
  }
  if (last.joinable()) last.join();
}

}  // namespace vkb::base
