#include "node/work_queue.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/backoff.h"

namespace vkb::node {
namespace {

/// client-go's workqueue buckets, in seconds.
const prometheus::Histogram::BucketBoundaries kBuckets{1e-4, 1e-3, 1e-2, 0.1, 1, 10, 60};
/// Keys that one task handles, one after the other, before other queues on the same executor get
/// their turn. Each hand-over to another task wakes another thread.
constexpr int kKeysInARow = 4;

}  // namespace

/// Shared with the tasks on the executor: one that comes after shutdown finds `stopping`.
struct WorkQueue::Impl : std::enable_shared_from_this<WorkQueue::Impl> {
  struct Entry {
    bool queued = false, running = false;
    bool dirty = false;   ///< enqueued while its handler ran
    bool urgent = false;  ///< … by enqueueNow: goes again at once, failure or not
    std::optional<Executor::TimerId> timer;
    bool backing_off = false;  ///< the timer is a failure's
    std::uint32_t attempts = 0;
    TimePoint since;        ///< queued since, or, while running, was queued since
    TimePoint dirty_since;  ///< first of those that made it dirty
  };

  Impl(Runtime r, base::Metrics& metrics, Options o, Handler h)
      : runtime(r),
        options(std::move(o)),
        handler(std::move(h)),
        depth(metrics.gauge("workqueue_depth", "Keys waiting for a worker",
                            {{"name", options.name}})),
        adds(metrics.counter("workqueue_adds_total", "Keys added", {{"name", options.name}})),
        retries(metrics.counter("workqueue_retries_total", "Failures that back off",
                                {{"name", options.name}})),
        wait(metrics.histogram("workqueue_queue_duration_seconds", "Time from queued to handled",
                               {{"name", options.name}}, kBuckets)),
        work(metrics.histogram("workqueue_work_duration_seconds", "Time a handler took",
                               {{"name", options.name}}, kBuckets)) {}

  Runtime runtime;
  const Options options;
  const Handler handler;
  prometheus::Gauge& depth;
  prometheus::Counter &adds, &retries;
  prometheus::Histogram &wait, &work;

  mutable std::mutex mutex;
  std::condition_variable idle;
  std::unordered_map<std::string, Entry> entries;
  std::deque<std::string> queue;
  std::size_t running = 0, tasks = 0;  ///< handlers under way; executor tasks under way or posted
  bool stopping = false;

  void queueLocked(const std::string& key, Entry& entry, TimePoint since) {
    cancelTimerLocked(entry);
    if (entry.queued) return;
    entry.queued = true;
    entry.since = since;
    queue.push_back(key);
    adds.Increment();
    depth.Set(static_cast<double>(queue.size()));
  }

  /// Queues it and sees to it that a task comes for it. Releases the lock: the thread that is woken
  /// wants it first.
  void push(std::unique_lock<std::mutex> lock, const std::string& key, Entry& entry) {
    const bool known = entry.queued;
    queueLocked(key, entry, runtime.clock.now());
    if (known || tasks >= options.concurrency) return;
    ++tasks;
    lock.unlock();
    postTask();
  }

  void postTask() {
    runtime.executor.post([self = shared_from_this()] { self->serve(); });
  }

  void cancelTimerLocked(Entry& entry) {
    if (entry.timer) runtime.executor.cancel(*entry.timer);
    entry.timer.reset();
    entry.backing_off = false;
  }

  void add(const std::string& key, bool now) {
    std::unique_lock lock(mutex);
    if (stopping) return;
    Entry& entry = entries[key];
    if (entry.running) {
      if (!std::exchange(entry.dirty, true)) entry.dirty_since = runtime.clock.now();
      entry.urgent |= now;
      return;
    }
    if (now || !entry.backing_off) push(std::move(lock), key, entry);
  }

  void serve() {
    std::unique_lock lock(mutex);
    for (int left = kKeysInARow; !stopping && !queue.empty(); --left) {
      if (left == 0) {
        lock.unlock();
        return postTask();
      }
      serveOne(lock);
    }
    --tasks;
  }

  /// The lock is released while the handler runs.
  void serveOne(std::unique_lock<std::mutex>& lock) {
    const std::string key = std::move(queue.front());
    queue.pop_front();
    depth.Set(static_cast<double>(queue.size()));
    Entry& entry = entries[key];
    entry.queued = false;
    entry.running = true;
    const TimePoint begin = runtime.clock.now();
    wait.Observe(std::chrono::duration<double>(begin - entry.since).count());
    ++running;
    lock.unlock();
    Outcome outcome;
    try {
      outcome = handler(key);
    } catch (...) {
      // Handlers do not throw; a simulated crash does, and what it leaves must still be
      // destroyable.
      lock.lock();
      --running;
      --tasks;
      idle.notify_all();
      throw;
    }
    lock.lock();
    --running;
    work.Observe(std::chrono::duration<double>(runtime.clock.now() - begin).count());
    if (!stopping) settleLocked(key, outcome);
    if (running == 0) idle.notify_all();
  }

  /// What it queues, the task that calls it comes to by itself.
  void settleLocked(const std::string& key, const Outcome& outcome) {
    Entry& entry = entries[key];  // same entry: only this task removes a running key
    entry.running = false;
    const bool dirty = std::exchange(entry.dirty, false);
    const bool urgent = std::exchange(entry.urgent, false);
    const bool retry = outcome.failure && outcome.failure->retry != Retry::kNever;
    if (retry) {
      retries.Increment();
      ++entry.attempts;
      if (urgent) return queueLocked(key, entry, entry.dirty_since);
      Duration delay = base::backoffDelay(base::policyFor(outcome.failure->retry), entry.attempts,
                                          runtime.random);
      if (outcome.failure->retryAfter)
        delay = std::max<Duration>(delay, *outcome.failure->retryAfter);
      wakeLocked(key, entry, delay, true);
      return;
    }
    entry.attempts = 0;
    if (dirty) {
      queueLocked(key, entry, entry.dirty_since);
    } else if (outcome.again_in) {
      wakeLocked(key, entry, *outcome.again_in, false);
    } else {
      entries.erase(key);
    }
  }

  void wakeLocked(const std::string& key, Entry& entry, Duration delay, bool backing_off) {
    cancelTimerLocked(entry);
    entry.backing_off = backing_off;
    entry.timer = runtime.executor.postAfter(delay, [self = shared_from_this(), key] {
      std::unique_lock lock(self->mutex);
      if (self->stopping) return;
      const auto found = self->entries.find(key);
      if (found == self->entries.end() || found->second.running) return;
      self->push(std::move(lock), key, found->second);
    });
  }
};

WorkQueue::WorkQueue(Runtime runtime, base::Metrics& metrics, Options options, Handler handler)
    : impl_(std::make_shared<Impl>(runtime, metrics, std::move(options), std::move(handler))) {}

WorkQueue::~WorkQueue() { shutdown(); }

void WorkQueue::enqueue(const std::string& key) { impl_->add(key, false); }
void WorkQueue::enqueueNow(const std::string& key) { impl_->add(key, true); }

bool WorkQueue::isBackingOff(const std::string& key) const {
  std::lock_guard lock(impl_->mutex);
  const auto found = impl_->entries.find(key);
  return found != impl_->entries.end() && found->second.backing_off;
}

bool WorkQueue::isRunning(const std::string& key) const {
  std::lock_guard lock(impl_->mutex);
  const auto found = impl_->entries.find(key);
  return found != impl_->entries.end() && found->second.running;
}

std::optional<TimePoint> WorkQueue::wokenAt(const std::string& key) const {
  std::lock_guard lock(impl_->mutex);
  const auto found = impl_->entries.find(key);
  if (found == impl_->entries.end() || !found->second.running) return std::nullopt;
  return found->second.since;
}

std::size_t WorkQueue::active() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->queue.size() + impl_->running;
}

void WorkQueue::shutdown() {
  std::unique_lock lock(impl_->mutex);
  impl_->stopping = true;
  for (auto& [key, entry] : impl_->entries) impl_->cancelTimerLocked(entry);
  impl_->queue.clear();
  impl_->idle.wait(lock, [this] { return impl_->running == 0; });
}

}  // namespace vkb::node
