#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace vkb::net {

/// One thread that waits for many descriptors (epoll), of any number of EventLoops. It is started
/// by the first of them and outlives them all. A thread costs some 80 KB of stack and a wake-up of
/// its own for each event: those that never block can share one.
class EventThread {
 public:
  /// The name is the thread's, at most 15 characters. While events come closer than `pause` it
  /// looks for them that often only, and finds several at once: to wake up for each of them costs
  /// more than most of them do. One that comes alone is handled at once; so is what is posted.
  explicit EventThread(std::string name, std::chrono::milliseconds pause = {});
  /// Not from its own thread, and after its loops.
  ~EventThread();

 private:
  friend class EventLoop;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The descriptors, tasks and deadlines of one user of an EventThread: what is to be done when they
/// are ready is run there. Nothing of it may block, all that share the thread would wait.
/// Descriptors are watched by level: who was told and did not read is told again.
class EventLoop {
 public:
  using Task = std::function<void()>;
  using WatchId = std::uint64_t;

  /// `on_tick` is run on the thread about every `tick` (sooner where another one's is due and half
  /// of it has passed), for deadlines, until it returns false: there are none. Then it sleeps until
  /// something happens, and ticks come again: a machine pays more for waking up than for what there
  /// is to do.
  EventLoop(std::shared_ptr<EventThread> thread, std::chrono::milliseconds tick,
            std::function<bool()> on_tick);
  ~EventLoop();

  /// Starts the thread if it does not run yet; false when the system has none, or no descriptor,
  /// left: it can be tried again.
  bool start();
  /// Any thread. Tasks run in their order, after the events at hand; dropped after stop().
  void post(Task task);
  /// Nothing is run any more, nor watched, when it returns; tasks that were not run are dropped.
  /// Not from the thread itself.
  void stop();

  // The thread only.

  /// `ready` is run when `fd` can do what setInterest() asks for, or has an error; at first nothing
  /// is asked. `fd` stays the caller's and open until unwatch() or stop().
  WatchId watch(int fd, Task ready);
  void setInterest(WatchId id, bool readable, bool writable);
  /// From now on `ready` is not called any more, even if it was about to be.
  void unwatch(WatchId id);

 private:
  friend class EventThread;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vkb::net
