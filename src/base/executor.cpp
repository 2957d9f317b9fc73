#include "base/executor.h"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/check.h"
#include "base/thread_group.h"

namespace vkb::base {

struct ThreadPoolExecutor::Impl {
  explicit Impl(std::size_t max) : max_threads(max) {}

  /// A thread that waits for work. Shared: whoever wakes it does so without the lock, when it may
  /// have gone on by itself.
  struct Idler {
    std::condition_variable wake;
    bool woken = false;
  };
  using IdlerPtr = std::shared_ptr<Idler>;

  const std::size_t max_threads;
  std::mutex mutex;
  std::condition_variable timer_change;
  std::deque<Task> ready;
  /// The last one to come is the first to go: its caches are warm, and those that are too many are
  /// not needed for so long that they end.
  std::vector<IdlerPtr> idle;
  std::size_t threads = 0;
  std::size_t coming = 0;  ///< threads that were woken or started and have not come to look yet
  bool stopping = false;

  using TimerKey = std::pair<TimePoint, TimerId>;
  std::map<TimerKey, Task> timers;
  std::unordered_map<TimerId, TimePoint> timer_times;
  TimerId next_timer = 1;
  std::thread timer_thread;
  ThreadGroup pool;

  /// Not when stopping. Returns whom to wake once the lock is released: on waking, a thread wants
  /// that first.
  [[nodiscard]] IdlerPtr enqueueLocked(Task task) {
    ready.push_back(std::move(task));
    if (coming >= ready.size()) return nullptr;
    if (idle.empty()) {
      if (threads < max_threads) startThreadLocked();
      return nullptr;
    }
    IdlerPtr idler = std::move(idle.back());
    idle.pop_back();
    idler->woken = true;
    ++coming;
    return idler;
  }

  /// A machine out of threads slows us down, no more: those there are take the task.
  void startThreadLocked() {
    try {
      pool.start([this] { serve(); });
      ++threads;
      ++coming;
    } catch (const std::system_error&) {
      VKB_CHECK(threads > 0, "the operating system gives not even one thread");
    }
  }

  void serve() {
    pthread_setname_np(pthread_self(), "vkb-worker");
    const auto self = std::make_shared<Idler>();
    std::unique_lock lock(mutex);
    do {
      --coming;
      while (!stopping && !ready.empty()) {
        Task task = std::move(ready.front());
        ready.pop_front();
        lock.unlock();
        task();
        task = nullptr;  // its captures go before the lock is taken
        lock.lock();
      }
    } while (waitForWork(lock, self));
    --threads;
  }

  /// False: there was none for long, or there will be none.
  bool waitForWork(std::unique_lock<std::mutex>& lock, const IdlerPtr& self) {
    if (stopping) return false;
    self->woken = false;
    idle.push_back(self);
    self->wake.wait_for(lock, std::chrono::seconds(30), [&] { return stopping || self->woken; });
    if (self->woken) return true;
    std::erase(idle, self);
    return false;
  }

  void runTimers() {
    pthread_setname_np(pthread_self(), "vkb-timer");
    std::unique_lock lock(mutex);
    while (!stopping) {
      if (timers.empty()) {
        timer_change.wait(lock);
        continue;
      }
      const TimePoint due = timers.begin()->first.first;
      if (std::chrono::steady_clock::now() < due) {
        timer_change.wait_until(lock, due);
        continue;
      }
      auto node = timers.extract(timers.begin());
      timer_times.erase(node.key().second);
      const IdlerPtr idler = enqueueLocked(std::move(node.mapped()));
      if (!idler) continue;
      lock.unlock();
      idler->wake.notify_one();
      lock.lock();
    }
  }
};

ThreadPoolExecutor::ThreadPoolExecutor(std::size_t max_threads)
    : impl_(std::make_unique<Impl>(max_threads)) {
  VKB_CHECK(max_threads > 0, "an executor needs a thread");
  impl_->timer_thread = std::thread([impl = impl_.get()] { impl->runTimers(); });
}

ThreadPoolExecutor::~ThreadPoolExecutor() { stop(); }

void ThreadPoolExecutor::post(Task task) {
  Impl::IdlerPtr idler;
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) return;  // `task` goes after the lock: its captures may be anything
    idler = impl_->enqueueLocked(std::move(task));
  }
  if (idler) idler->wake.notify_one();
}

Executor::TimerId ThreadPoolExecutor::postAfter(Duration delay, Task task) {
  std::lock_guard lock(impl_->mutex);
  const TimerId id = impl_->next_timer++;
  if (impl_->stopping) return id;
  const TimePoint due = std::chrono::steady_clock::now() + delay;
  impl_->timers.emplace(Impl::TimerKey{due, id}, std::move(task));
  impl_->timer_times.emplace(id, due);
  if (impl_->timers.begin()->first.second == id) impl_->timer_change.notify_one();
  return id;
}

bool ThreadPoolExecutor::cancel(TimerId id) {
  decltype(impl_->timers)::node_type cancelled;  // destroyed without the lock, as in stop()
  std::lock_guard lock(impl_->mutex);
  const auto found = impl_->timer_times.find(id);
  if (found == impl_->timer_times.end()) return false;
  cancelled = impl_->timers.extract({found->second, id});
  impl_->timer_times.erase(found);
  return true;
}

void ThreadPoolExecutor::stop() {
  std::deque<Task> dropped;
  std::map<Impl::TimerKey, Task> dropped_timers;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    dropped.swap(impl_->ready);  // destroyed without the lock: their captures may be anything
    dropped_timers.swap(impl_->timers);
    impl_->timer_times.clear();
    for (const auto& idler : impl_->idle) idler->wake.notify_one();
    impl_->timer_change.notify_all();
  }
  impl_->pool.join();
  if (impl_->timer_thread.joinable()) impl_->timer_thread.join();
}

}  // namespace vkb::base
