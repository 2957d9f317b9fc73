#include "net/event_loop.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <future>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vkb::net {
namespace {

constexpr EventLoop::WatchId kWakeUp = 0;
using Clock = std::chrono::steady_clock;

int millisecondsUntil(Clock::time_point when) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - Clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

}  // namespace

struct EventLoop::Impl {
  const std::shared_ptr<EventThread> thread;
  const std::chrono::milliseconds tick;
  const std::function<bool()> on_tick;
  bool stopping = false;                         ///< guarded by the thread's mutex
  std::optional<Clock::time_point> next_tick{};  ///< the thread only
};

struct EventThread::Impl {
  using Loop = EventLoop::Impl;
  using Task = EventLoop::Task;
  using WatchId = EventLoop::WatchId;
  struct Watch {
    Loop* loop;
    int fd = -1;
    std::uint32_t interest = 0;  ///< 0: not in the epoll set, where it would be told of a hang-up
    Task ready;
  };
  struct Posted {
    Loop* loop;  ///< null: the thread's own
    Task task;
  };

  Impl(std::string thread_name, std::chrono::milliseconds between)
      : name(std::move(thread_name)), pause(between) {}
  ~Impl() { close(); }

  bool open() {
    epoll = ::epoll_create1(EPOLL_CLOEXEC);
    wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = kWakeUp;
    return epoll >= 0 && wake >= 0 && ::epoll_ctl(epoll, EPOLL_CTL_ADD, wake, &event) == 0;
  }

  void close() {
    if (epoll >= 0) ::close(std::exchange(epoll, -1));
    if (wake >= 0) ::close(std::exchange(wake, -1));
  }

  bool start() {
    const std::lock_guard lock(mutex);
    if (thread.joinable()) return true;
    try {
      if (open()) {
        thread = std::thread([this] { run(); });
        return true;
      }
    } catch (const std::system_error&) {
      // as without descriptors
    }
    close();
    return false;
  }

  void end() {
    {
      const std::lock_guard lock(mutex);
      ending = true;
    }
    wakeUp();
    if (thread.joinable()) thread.join();
  }

  void wakeUp() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(wake, &one, sizeof one);
  }

  void run() {
    pthread_setname_np(pthread_self(), name.c_str());
    std::array<epoll_event, 256> events{};
    while (true) {
      const int patience = hasTasks() ? 0 : untilNextTick();
      const auto begin = Clock::now();
      const int count =
          ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), patience);
      const bool soon = Clock::now() - begin < pause;
      bool any = false;
      for (int i = 0; i < count; ++i) any |= handle(events[static_cast<std::size_t>(i)].data.u64);
      if (!runTasks()) return;
      runTicks();
      if (any && soon) rest();
    }
  }

  /// Ends early when something is posted.
  void rest() const {
    pollfd posted{.fd = wake, .events = POLLIN, .revents = 0};
    ::poll(&posted, 1, static_cast<int>(pause.count()));
  }

  /// False: nobody watches that, or it was but a wake-up.
  bool handle(WatchId id) {
    if (id == kWakeUp) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto n = ::read(wake, &count, sizeof count);
      return false;
    }
    const auto found = watches.find(id);
    if (found == watches.end()) return false;            // ended by another one's turn
    const std::shared_ptr<Watch> watch = found->second;  // it may unwatch itself
    beginTicks(*watch->loop);
    watch->ready();
    return true;
  }

  bool hasTasks() {
    const std::lock_guard lock(mutex);
    return !tasks.empty() || ending;
  }

  /// Those that are there now; what they post comes after the next look at the descriptors.
  bool runTasks() {
    std::vector<Posted> now;
    {
      const std::lock_guard lock(mutex);
      if (ending) return false;
      now.swap(tasks);
    }
    for (auto& [loop, task] : now) {
      if (loop != nullptr) beginTicks(*loop);
      task();
      task = nullptr;
    }
    return true;
  }

  void beginTicks(Loop& loop) {
    if (loop.next_tick) return;
    loop.next_tick = Clock::now() + loop.tick;
    ticking.push_back(&loop);
  }

  /// As epoll_wait(2) takes it.
  int untilNextTick() const {
    if (ticking.empty()) return -1;
    const auto sooner = [](const Loop* a, const Loop* b) { return *a->next_tick < *b->next_tick; };
    return millisecondsUntil(
        *(*std::min_element(ticking.begin(), ticking.end(), sooner))->next_tick);
  }

  /// Once the thread is awake, it does at once what would wake it soon.
  void runTicks() {
    const auto now = Clock::now();
    const auto due = [now](const Loop* loop) { return now >= *loop->next_tick; };
    if (std::none_of(ticking.begin(), ticking.end(), due)) return;
    for (Loop* loop : ticking) {
      if (*loop->next_tick - now > loop->tick / 2) continue;
      loop->next_tick = loop->on_tick() ? std::optional(now + loop->tick) : std::nullopt;
    }
    std::erase_if(ticking, [](const Loop* loop) { return !loop->next_tick; });
  }

  void detach(Loop& loop) {
    for (auto it = watches.begin(); it != watches.end();) {
      if (it->second->loop != &loop) {
        ++it;
        continue;
      }
      setInterest(*it->second, it->first, 0);
      it = watches.erase(it);
    }
    std::erase(ticking, &loop);
  }

  void setInterest(Watch& watch, WatchId id, std::uint32_t interest) const {
    if (interest == watch.interest) return;
    const int operation = watch.interest == 0 ? EPOLL_CTL_ADD
                          : interest == 0     ? EPOLL_CTL_DEL
                                              : EPOLL_CTL_MOD;
    epoll_event event{};
    event.events = interest;
    event.data.u64 = id;
    ::epoll_ctl(epoll, operation, watch.fd, &event);
    watch.interest = interest;
  }

  const std::string name;
  const std::chrono::milliseconds pause;
  int epoll = -1, wake = -1;
  std::mutex mutex;
  std::vector<Posted> tasks;  ///< guarded by mutex, as ending
  bool ending = false;
  // The thread only:
  std::unordered_map<WatchId, std::shared_ptr<Watch>> watches;
  WatchId next_id = kWakeUp + 1;
  std::vector<Loop*> ticking;  ///< those that have a next tick
  std::thread thread;
};

EventThread::EventThread(std::string name, std::chrono::milliseconds pause)
    : impl_(std::make_unique<Impl>(std::move(name), pause)) {}

EventThread::~EventThread() { impl_->end(); }

EventLoop::EventLoop(std::shared_ptr<EventThread> thread, std::chrono::milliseconds tick,
                     std::function<bool()> on_tick)
    : impl_(std::make_unique<Impl>(
          Impl{.thread = std::move(thread), .tick = tick, .on_tick = std::move(on_tick)})) {}

EventLoop::~EventLoop() { stop(); }

bool EventLoop::start() { return impl_->thread->impl_->start(); }

void EventLoop::post(Task task) {
  EventThread::Impl& thread = *impl_->thread->impl_;
  {
    const std::lock_guard lock(thread.mutex);
    if (impl_->stopping) return;
    thread.tasks.push_back({impl_.get(), std::move(task)});
  }
  thread.wakeUp();
}

void EventLoop::stop() {
  EventThread::Impl& thread = *impl_->thread->impl_;
  // Destroyed without the lock: their captures may be anything.
  std::vector<EventThread::Impl::Posted> dropped;
  const auto detached = std::make_shared<std::promise<void>>();
  {
    const std::lock_guard lock(thread.mutex);
    if (std::exchange(impl_->stopping, true)) return;
    const auto others = [this](const auto& posted) { return posted.loop != impl_.get(); };
    const auto ours = std::stable_partition(thread.tasks.begin(), thread.tasks.end(), others);
    dropped.assign(std::make_move_iterator(ours), std::make_move_iterator(thread.tasks.end()));
    thread.tasks.erase(ours, thread.tasks.end());
    if (!thread.thread.joinable()) return;
    thread.tasks.push_back({nullptr, [&thread, loop = impl_.get(), detached] {
                              thread.detach(*loop);
                              detached->set_value();
                            }});
  }
  thread.wakeUp();
  detached->get_future().wait();
}

EventLoop::WatchId EventLoop::watch(int fd, Task ready) {
  EventThread::Impl& thread = *impl_->thread->impl_;
  const WatchId id = thread.next_id++;
  thread.watches.emplace(id, std::make_shared<EventThread::Impl::Watch>(EventThread::Impl::Watch{
                                 .loop = impl_.get(), .fd = fd, .ready = std::move(ready)}));
  return id;
}

void EventLoop::setInterest(WatchId id, bool readable, bool writable) {
  EventThread::Impl& thread = *impl_->thread->impl_;
  const auto found = thread.watches.find(id);
  if (found == thread.watches.end()) return;
  thread.setInterest(*found->second, id, (readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U));
}

void EventLoop::unwatch(WatchId id) {
  setInterest(id, false, false);
  impl_->thread->impl_->watches.erase(id);
}

}  // namespace vkb::net
