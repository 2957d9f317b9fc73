#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

namespace vkb::base {

/// Threads that come and go and end by themselves, none of which outlives the group. A detached
/// thread would: its thread-local destructors (OpenSSL's among them) would still run while the
/// process exits. Thread-safe.
class ThreadGroup {
 public:
  ThreadGroup() = default;
  ThreadGroup(const ThreadGroup&) = delete;
  ThreadGroup& operator=(const ThreadGroup&) = delete;
  /// Waits as join() does.
  ~ThreadGroup() { join(); }

  /// `body` runs on a thread of its own. Throws std::system_error when the machine has none left.
  void start(std::function<void()> body);
  /// Waits until no thread is left. Not from one of them; none is started meanwhile.
  void join();

 private:
  using Running = std::list<std::thread>;
  void end(Running::iterator self);

  std::mutex mutex_;
  Running running_;
  std::condition_variable none_runs_;
  std::thread last_;  ///< to end; whoever ends next joins it, so that there is never more than one
};

}  // namespace vkb::base
