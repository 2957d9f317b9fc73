#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace vkb {

using Duration = std::chrono::nanoseconds;
/// Monotonic time: deadlines, ages, backoff. Never written down.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
/// Calendar time: what Kubernetes and the state file are told.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

/// The first of the two seams that carry every test: all time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual WallTime wallNow() const = 0;
};

/// All concurrency. Tasks may block on Kubernetes I/O; they run at the same time as others, in no
/// promised order (the work queue serialises what must be). Thread-safe.
/// After stop() nothing new runs: a task posted then is dropped.
class Executor {
 public:
  using Task = std::function<void()>;
  using TimerId = std::uint64_t;

  virtual ~Executor() = default;
  virtual void post(Task task) = 0;
  /// Runs `task` not before `delay` has passed.
  virtual TimerId postAfter(Duration delay, Task task) = 0;
  /// True: the task will not run. False: it ran, runs now, or never was.
  virtual bool cancel(TimerId id) = 0;
};

/// Uniform random numbers for jitter and ids. Thread-safe.
class Random {
 public:
  virtual ~Random() = default;
  virtual std::uint64_t next() = 0;
  /// In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
};

/// What every controller is handed. The owner outlives them.
struct Runtime {
  Clock& clock;
  Executor& executor;
  Random& random;
};

}  // namespace vkb
