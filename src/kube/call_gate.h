#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

namespace vkb::kube {

/// Lets calls through one at a time until it is closed. Whoever closes it knows that no call is
/// under way or to come afterwards, unless he closes it from within such a call.
class CallGate {
 public:
  /// Runs `call` unless closed. Calls come one at a time: a second thread waits. An exception
  /// passes through and leaves the gate usable.
  template <typename Call>
  bool pass(const Call& call) {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return closed_ || owner_ == std::thread::id(); });
    if (closed_) return false;
    owner_ = std::this_thread::get_id();
    lock.unlock();
    const Leave leave{*this};
    call();
    return true;
  }

  /// No call begins any more; does not wait for one under way.
  void shut() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    idle_.notify_all();
  }

  void close() {
    shut();
    std::unique_lock lock(mutex_);
    if (owner_ == std::this_thread::get_id()) return;
    idle_.wait(lock, [&] { return owner_ == std::thread::id(); });
  }

  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }

 private:
  struct Leave {
    CallGate& gate;
    ~Leave() {
      const std::lock_guard lock(gate.mutex_);
      gate.owner_ = std::thread::id();
      gate.idle_.notify_all();
    }
  };

  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::thread::id owner_;
  bool closed_ = false;
};

}  // namespace vkb::kube
