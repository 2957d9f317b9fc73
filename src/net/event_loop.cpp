#include "net/event_loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <chrono>
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

}  // namespace

struct EventLoop::Impl {
  struct Watch {
    int fd = -1;
    std::uint32_t interest = 0;  ///< 0: not in the epoll set, where it would be told of a hang-up
    Task ready;
  };

  Impl(std::string name, std::chrono::milliseconds interval, std::function<bool()> what)
      : thread_name(std::move(name)), tick(interval), on_tick(std::move(what)) {}
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

  void run() {
    pthread_setname_np(pthread_self(), thread_name.c_str());
    std::optional<std::chrono::steady_clock::time_point> next_tick;
    std::array<epoll_event, 256> events{};
    while (true) {
      const int patience = hasTasks() ? 0 : next_tick ? millisecondsUntil(*next_tick) : -1;
      const int count =
          ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), patience);
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)].data.u64);
      if (!runTasks()) return;
      const auto now = std::chrono::steady_clock::now();
      if (!next_tick) {
        next_tick = now + tick;
      } else if (now >= *next_tick) {
        next_tick = on_tick() ? std::optional(now + tick) : std::nullopt;
      }
    }
  }

  static int millisecondsUntil(std::chrono::steady_clock::time_point when) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(when - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<std::int64_t>(0, left.count()));
  }

  void handle(WatchId id) {
    if (id == kWakeUp) {
      std::uint64_t count = 0;
      [[maybe_unused]] const auto n = ::read(wake, &count, sizeof count);
      return;
    }
    const auto found = watches.find(id);
    if (found == watches.end()) return;                  // ended by another one's turn
    const std::shared_ptr<Watch> watch = found->second;  // it may unwatch itself
    watch->ready();
  }

  bool hasTasks() {
    const std::lock_guard lock(mutex);
    return !tasks.empty() || stopping;
  }

  /// Those that are there now; what they post comes after the next look at the descriptors.
  bool runTasks() {
    std::vector<Task> now;
    {
      const std::lock_guard lock(mutex);
      if (stopping) return false;
      now.swap(tasks);
    }
    for (Task& task : now) {
      task();
      task = nullptr;
    }
    return true;
  }

  const std::string thread_name;
  const std::chrono::milliseconds tick;
  const std::function<bool()> on_tick;
  int epoll = -1, wake = -1;
  std::mutex mutex;
  std::vector<Task> tasks;  ///< guarded by mutex, as stopping
  bool stopping = false;
  std::unordered_map<WatchId, std::shared_ptr<Watch>> watches;  ///< loop's thread only
  WatchId next_id = kWakeUp + 1;
  std::thread thread;
};

EventLoop::EventLoop(std::string thread_name, std::chrono::milliseconds tick,
                     std::function<bool()> on_tick)
    : impl_(std::make_unique<Impl>(std::move(thread_name), tick, std::move(on_tick))) {}

EventLoop::~EventLoop() { stop(); }

bool EventLoop::start() {
  try {
    if (impl_->open()) {
      impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
      return true;
    }
  } catch (const std::system_error&) {
    // as without descriptors
  }
  impl_->close();
  return false;
}

void EventLoop::post(Task task) {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) return;
    impl_->tasks.push_back(std::move(task));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(impl_->wake, &one, sizeof one);
}

void EventLoop::stop() {
  std::vector<Task> dropped;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    dropped.swap(impl_->tasks);  // destroyed without the lock: their captures may be anything
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(impl_->wake, &one, sizeof one);
  if (impl_->thread.joinable()) impl_->thread.join();
}

EventLoop::WatchId EventLoop::watch(int fd, Task ready) {
  const WatchId id = impl_->next_id++;
  impl_->watches.emplace(
      id, std::make_shared<Impl::Watch>(Impl::Watch{.fd = fd, .ready = std::move(ready)}));
  return id;
}

void EventLoop::setInterest(WatchId id, bool readable, bool writable) {
  const auto found = impl_->watches.find(id);
  if (found == impl_->watches.end()) return;
  Impl::Watch& watch = *found->second;
  const std::uint32_t interest = (readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U);
  if (interest == watch.interest) return;
  const int operation = watch.interest == 0 ? EPOLL_CTL_ADD
                        : interest == 0     ? EPOLL_CTL_DEL
                                            : EPOLL_CTL_MOD;
  epoll_event event{};
  event.events = interest;
  event.data.u64 = id;
  ::epoll_ctl(impl_->epoll, operation, watch.fd, &event);
  watch.interest = interest;
}

void EventLoop::unwatch(WatchId id) {
  setInterest(id, false, false);
  impl_->watches.erase(id);
}

}  // namespace vkb::net
