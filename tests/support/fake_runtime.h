#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "vkbridge/runtime.h"

namespace vkb::test {

/// Time that only moves when a test says so. Thread-safe.
class FakeClock final : public Clock {
 public:
  TimePoint now() const override;
  /// Starts at 2026-01-01T00:00:00Z.
  WallTime wallNow() const override;
  /// Moves both clocks. Fires no timers: FakeExecutor::advance does that.
  void advance(Duration by);
  /// Moves calendar time alone, as an operator or NTP does.
  void skewWall(Duration by);

 private:
  std::atomic<std::int64_t> elapsed_ns_{0};
  std::atomic<std::int64_t> skew_ns_{0};
};

/// splitmix64: the same seed gives the same numbers on every machine. Thread-safe.
class FakeRandom final : public Random {
 public:
  explicit FakeRandom(std::uint64_t seed = 1) : state_(seed) {}
  std::uint64_t next() override;
  /// In [0, bound).
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

 private:
  std::atomic<std::uint64_t> state_;
};

class ExecutorScope;

/// An Executor without threads: tasks run when the test calls runOne, settle or advance, on the
/// test's own thread. Posting is thread-safe; running is not. A task that throws is gone and the
/// exception reaches the caller of runOne, settle or advance (this is how tests crash a program).
class FakeExecutor final : public Executor {
 public:
  explicit FakeExecutor(FakeClock& clock);
  ~FakeExecutor() override;
  FakeExecutor(const FakeExecutor&) = delete;
  FakeExecutor& operator=(const FakeExecutor&) = delete;

  void post(Task task) override;
  TimerId postAfter(Duration delay, Task task) override;
  bool cancel(TimerId id) override;

  /// From now on a ready task is chosen by seeded random numbers instead of first in, first out.
  void shuffle(std::uint64_t seed);

  /// Runs one task that is ready (posted, or a timer whose time has come). False: none is.
  bool runOne();
  /// Runs until only future timers are left; returns how many tasks ran. Aborts with a message
  /// after `max_steps`: two parts then keep each other busy for ever.
  std::size_t settle(std::size_t max_steps = 200'000);
  /// Settles, then moves the clock to each timer on the way in turn, settling after each.
  void advance(Duration by);
  /// Moves the clock to the next timer, if any is due within `limit`, and makes it ready.
  bool jumpToNextTimer(Duration limit);
  /// Forgets every task and timer, those of scopes too, as a crash of the machine does.
  void drop();

  std::size_t ready() const;
  std::size_t timers() const;
  std::optional<TimePoint> nextTimer() const;
  /// Called after every task.
  void afterEach(std::function<void()> hook) { after_each_ = std::move(hook); }

  /// An Executor over this one whose tasks can be dropped alone: what one crashing program posts.
  std::unique_ptr<ExecutorScope> scope();

 private:
  friend class ExecutorScope;
  struct Item {
    std::uint64_t scope;
    Task task;
  };
  using TimerKey = std::pair<TimePoint, TimerId>;

  void post(std::uint64_t scope, Task task);
  TimerId postAfter(std::uint64_t scope, Duration delay, Task task);
  void drop(std::uint64_t scope);
  void promoteDueTimers();

  FakeClock& clock_;
  mutable std::mutex mutex_;  // guards all below, never held while a task runs
  std::deque<Item> ready_;
  std::map<TimerKey, Item> timers_;
  std::map<TimerId, TimePoint> timer_times_;
  std::optional<FakeRandom> order_;
  TimerId next_timer_ = 1;
  std::uint64_t next_scope_ = 1;
  std::function<void()> after_each_;
};

/// One program's share of a FakeExecutor. The FakeExecutor outlives it.
class ExecutorScope final : public Executor {
 public:
  ~ExecutorScope() override;
  ExecutorScope(const ExecutorScope&) = delete;
  ExecutorScope& operator=(const ExecutorScope&) = delete;

  void post(Task task) override;
  TimerId postAfter(Duration delay, Task task) override;
  bool cancel(TimerId id) override;
  /// The program has crashed: what it posted is forgotten, what it posts from now on too.
  void drop();

 private:
  friend class FakeExecutor;
  ExecutorScope(FakeExecutor& parent, std::uint64_t id) : parent_(parent), id_(id) {}
  FakeExecutor& parent_;
  const std::uint64_t id_;
  bool dropped_ = false;
};

/// Clock, executor and random numbers from one seed.
struct FakeRuntime {
  explicit FakeRuntime(std::uint64_t seed = 1) : random(seed) {}
  FakeClock clock;
  FakeExecutor executor{clock};
  FakeRandom random;

  vkb::Runtime runtime() { return {clock, executor, random}; }
  void settle() { executor.settle(); }
  void advance(Duration by) { executor.advance(by); }
};

}  // namespace vkb::test
