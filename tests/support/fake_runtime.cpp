#include "support/fake_runtime.h"

#include <chrono>

#include "base/check.h"

namespace vkb::test {
namespace {

// Not zero, so that code which takes TimePoint{} for "never" is not right by accident.
constexpr Duration kStart = std::chrono::hours(1);
constexpr auto kWallStart = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);

std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

TimePoint FakeClock::now() const { return TimePoint(kStart + Duration(elapsed_ns_.load())); }

WallTime FakeClock::wallNow() const {
  return WallTime(kWallStart) + std::chrono::duration_cast<std::chrono::microseconds>(
                                    Duration(elapsed_ns_.load() + skew_ns_.load()));
}

void FakeClock::advance(Duration by) {
  VKB_CHECK(by >= Duration::zero(), "monotonic time never goes back");
  elapsed_ns_ += by.count();
}

void FakeClock::skewWall(Duration by) { skew_ns_ += by.count(); }

std::uint64_t FakeRandom::next() {
  constexpr std::uint64_t kGamma = 0x9e3779b97f4a7c15ULL;
  return mix(state_.fetch_add(kGamma) + kGamma);
}

FakeExecutor::FakeExecutor(FakeClock& clock) : clock_(clock) {}
FakeExecutor::~FakeExecutor() { drop(); }

void FakeExecutor::post(Task task) { post(0, std::move(task)); }

void FakeExecutor::post(std::uint64_t scope, Task task) {
  const std::lock_guard lock(mutex_);
  ready_.push_back({scope, std::move(task)});
}

Executor::TimerId FakeExecutor::postAfter(Duration delay, Task task) {
  return postAfter(0, delay, std::move(task));
}

Executor::TimerId FakeExecutor::postAfter(std::uint64_t scope, Duration delay, Task task) {
  const std::lock_guard lock(mutex_);
  const TimerId id = next_timer_++;
  const TimePoint at = clock_.now() + std::max(delay, Duration::zero());
  timers_.emplace(TimerKey{at, id}, Item{scope, std::move(task)});
  timer_times_.emplace(id, at);
  return id;
}

bool FakeExecutor::cancel(TimerId id) {
  Item forgotten;  // destroyed after the lock is released: a task may own what calls back here
  const std::lock_guard lock(mutex_);
  const auto time = timer_times_.find(id);
  if (time == timer_times_.end()) return false;
  const auto timer = timers_.find({time->second, id});
  forgotten = std::move(timer->second);
  timers_.erase(timer);
  timer_times_.erase(time);
  return true;
}

void FakeExecutor::shuffle(std::uint64_t seed) {
  const std::lock_guard lock(mutex_);
  order_.emplace(seed);
}

// Caller holds the lock.
void FakeExecutor::promoteDueTimers() {
  while (!timers_.empty() && timers_.begin()->first.first <= clock_.now()) {
    const auto first = timers_.begin();
    timer_times_.erase(first->first.second);
    ready_.push_back(std::move(first->second));
    timers_.erase(first);
  }
}

bool FakeExecutor::runOne() {
  Item item;
  {
    const std::lock_guard lock(mutex_);
    promoteDueTimers();
    if (ready_.empty()) return false;
    std::size_t chosen = 0;
    if (order_ && ready_.size() > 1) chosen = order_->below(ready_.size());
    const auto it = ready_.begin() + static_cast<std::ptrdiff_t>(chosen);
    item = std::move(*it);
    ready_.erase(it);
  }
  item.task();
  item.task = nullptr;  // what the task owned goes before the hook looks
  if (after_each_) after_each_();
  return true;
}

std::size_t FakeExecutor::settle(std::size_t max_steps) {
  std::size_t steps = 0;
  while (runOne()) {
    ++steps;
    VKB_CHECK(steps < max_steps, "tasks keep each other busy for ever: settle() gave up");
  }
  return steps;
}

bool FakeExecutor::jumpToNextTimer(Duration limit) {
  const auto next = nextTimer();
  if (!next || *next > clock_.now() + limit) return false;
  if (*next > clock_.now()) clock_.advance(*next - clock_.now());
  return true;
}

void FakeExecutor::advance(Duration by) {
  const TimePoint end = clock_.now() + by;
  settle();
  while (jumpToNextTimer(end - clock_.now())) settle();
  clock_.advance(end - clock_.now());
  settle();
}

void FakeExecutor::drop() {
  std::deque<Item> tasks;
  std::map<TimerKey, Item> timers;
  const std::lock_guard lock(mutex_);
  tasks.swap(ready_);
  timers.swap(timers_);
  timer_times_.clear();
}

void FakeExecutor::drop(std::uint64_t scope) {
  std::deque<Item> keep, gone;
  std::map<TimerKey, Item> gone_timers;
  const std::lock_guard lock(mutex_);
  for (Item& item : ready_) (item.scope == scope ? gone : keep).push_back(std::move(item));
  ready_.swap(keep);
  for (auto it = timers_.begin(); it != timers_.end();) {
    const auto next = std::next(it);
    if (it->second.scope == scope) {
      timer_times_.erase(it->first.second);
      gone_timers.insert(timers_.extract(it));
    }
    it = next;
  }
}

std::size_t FakeExecutor::ready() const {
  const std::lock_guard lock(mutex_);
  return ready_.size();
}

std::size_t FakeExecutor::timers() const {
  const std::lock_guard lock(mutex_);
  return timers_.size();
}

std::optional<TimePoint> FakeExecutor::nextTimer() const {
  const std::lock_guard lock(mutex_);
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

std::unique_ptr<ExecutorScope> FakeExecutor::scope() {
  const std::lock_guard lock(mutex_);
  return std::unique_ptr<ExecutorScope>(new ExecutorScope(*this, next_scope_++));
}

ExecutorScope::~ExecutorScope() { drop(); }

void ExecutorScope::post(Task task) {
  if (!dropped_) parent_.post(id_, std::move(task));
}

Executor::TimerId ExecutorScope::postAfter(Duration delay, Task task) {
  return dropped_ ? 0 : parent_.postAfter(id_, delay, std::move(task));
}

bool ExecutorScope::cancel(TimerId id) { return parent_.cancel(id); }

void ExecutorScope::drop() {
  dropped_ = true;
  parent_.drop(id_);
}

}  // namespace vkb::test
