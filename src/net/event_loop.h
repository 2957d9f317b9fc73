#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace vkb::net {

/// One thread that waits for many descriptors (epoll) and runs what is to be done when they are
/// ready. Nothing it runs may block. Descriptors are watched by level: who was told and did not
/// read is told again.
class EventLoop {
 public:
  using Task = std::function<void()>;
  using WatchId = std::uint64_t;

  /// `on_tick` is run on the loop's thread about every `tick`, for deadlines, until it returns
  /// false: there are none. Then the thread sleeps until something happens, and ticks come again:
  /// a machine pays more for waking up than for what there is to do. The name is the thread's, at
  /// most 15 characters.
  EventLoop(std::string thread_name, std::chrono::milliseconds tick, std::function<bool()> on_tick);
  ~EventLoop();

  /// Starts the thread; false when the system has none, or no descriptor, left: it can be tried
  /// again.
  bool start();
  /// Any thread. Tasks run in their order, after the events at hand; dropped after stop().
  void post(Task task);
  /// Ends the thread and waits for it. Not from its own. What was not run is dropped.
  void stop();

  // The loop's thread only.

  /// `ready` is run when `fd` can do what setInterest() asks for, or has an error; at first nothing
  /// is asked. `fd` stays the caller's and open until unwatch().
  WatchId watch(int fd, Task ready);
  void setInterest(WatchId id, bool readable, bool writable);
  /// From now on `ready` is not called any more, even if it was about to be.
  void unwatch(WatchId id);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vkb::net
