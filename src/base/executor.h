#pragma once

#include <cstddef>
#include <memory>

#include "vkbridge/runtime.h"

namespace vkb::base {

/// The real Executor: threads are started on demand up to `max_threads` and end after 30 idle
/// seconds, one more thread runs the timers. Tasks are started in the order posted.
class ThreadPoolExecutor final : public Executor {
 public:
  explicit ThreadPoolExecutor(std::size_t max_threads);
  /// Stops as stop() does.
  ~ThreadPoolExecutor() override;

  void post(Task task) override;
  TimerId postAfter(Duration delay, Task task) override;
  bool cancel(TimerId id) override;

  /// Drops what has not started, waits for what runs. Not from within a task.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vkb::base
