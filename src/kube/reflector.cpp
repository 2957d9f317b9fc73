#include "kube/reflector.h"

#include <algorithm>

#include "base/backoff.h"
#include "kube/call_gate.h"
#include "kube/list_all.h"
#include "kube/resource_version.h"

namespace vkb::kube {
namespace {

/// A watch that ends in order sooner than this without having said anything gets the same backoff
/// as a failure: some proxies cut every stream at once.
constexpr std::chrono::seconds kShortWatch{1};
/// A watch that lived this long was a good one, even if it ends in an error.
constexpr std::chrono::seconds kLongWatch{30};
/// A server that has just started may refuse what it allows a moment later. A cache that sees
/// nothing costs more than a list a minute.
constexpr base::BackoffPolicy kRefused{std::chrono::seconds(30), std::chrono::minutes(1)};
/// A server that nobody reached for this long may have been restored from a backup and have written
/// so much since that its resourceVersions are past ours again: only a list tells.
constexpr std::chrono::seconds kLongOutage{30};

}  // namespace

/// The state machine. Steps (list, check, watch) are executor tasks, one at a time:
///
///   list ──ok──> watch ──ended in order──────────> watch
///    ^ └─error─> list   ├─410───────────────────> list
///    │                  └─error─> check ──rv ≥ ours──> watch
///    └─ rv < ours, or long broken ─┘└─error─> check
class Reflector::Impl final : public WatchHandler, public std::enable_shared_from_this<Impl> {
 public:
  Impl(Runtime runtime, Client& client, ReflectorSink& sink, base::Logger& logger,
       ReflectorOptions options)
      : runtime_(runtime),
        client_(client),
        sink_(sink),
        logger_(logger),
        options_(std::move(options)) {}

  void start() { schedule(Duration::zero(), &Impl::list); }
  void stop();
  void retryNow();

  void onEvent(json::RawEvent event) override;
  void onClosed(Status status) override;

 private:
  using Step = void (Impl::*)();

  void schedule(Duration delay, Step step);
  void list();
  void check();
  void openWatch();
  void afterClosed(const Status& status);
  void failed(const Status& status, Step retry);
  Duration nextDelay(const Status& status);
  void setHealthy(bool healthy, const Status& why);
  Duration outage();
  WatchOptions watchOptions();

  const Runtime runtime_;
  Client& client_;
  ReflectorSink& sink_;
  base::Logger& logger_;
  const ReflectorOptions options_;

  CallGate steps_;  ///< one step at a time; closed: no client call is under way or to come
  CallGate calls_;  ///< one call of sink or on_sync at a time

  std::mutex mutex_;  // guards the rest; never held during a call of client, sink or on_sync
  bool stopped_ = false;
  std::optional<Executor::TimerId> timer_;
  Step timed_step_ = nullptr;  ///< what timer_ is for
  bool server_asked_ = false;  ///< the wait is the server's Retry-After
  std::unique_ptr<WatchHandle> watch_;
  std::string resource_version_;
  std::uint32_t attempt_ = 0;  ///< failures since a list or watch last proved good
  bool heard_ = false;         ///< the present watch has said something
  TimePoint watch_began_{};
  std::optional<bool> healthy_;
  TimePoint broken_since_{};
};

void Reflector::Impl::stop() {
  std::unique_ptr<WatchHandle> watch;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    watch = std::move(watch_);
    if (timer_) runtime_.executor.cancel(*timer_);
    timer_.reset();
  }
  calls_.close();
  watch.reset();
  steps_.close();
  // A step that was opening a watch has put it here after the first look.
  const std::lock_guard lock(mutex_);
  watch = std::move(watch_);
}

/// Runs `step` as a task after `delay`, unless stopped by then.
void Reflector::Impl::schedule(Duration delay, Step step) {
  const auto task = [self = shared_from_this(), step] {
    self->steps_.pass([&] { (self.get()->*step)(); });
  };
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  if (delay <= Duration::zero()) {
    runtime_.executor.post(task);
  } else {
    timer_ = runtime_.executor.postAfter(delay, task);
    timed_step_ = step;
  }
}

void Reflector::Impl::retryNow() {
  Step step = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || !timer_ || server_asked_) return;
    const bool was_waiting = runtime_.executor.cancel(*timer_);
    timer_.reset();
    if (!was_waiting) return;
    attempt_ = 0;
    step = timed_step_;
  }
  schedule(Duration::zero(), step);
}

void Reflector::Impl::list() {
  const auto take = [this](std::vector<json::ObjectPtr>& page) {
    calls_.pass([&] {
      for (json::ObjectPtr& item : page) item = sink_.take(std::move(item));
    });
  };
  auto all = listAllWhile(
      client_, options_.resource, options_.list, [this] { return !calls_.closed(); }, take);
  if (calls_.closed()) return;
  if (!all) return failed(all.error(), &Impl::list);
  VKB_LOG(logger_, Debug, "listed", {"what", options_.name}, {"items", all->items.size()},
          {"resourceVersion", all->resource_version});
  {
    const std::lock_guard lock(mutex_);
    resource_version_ = all->resource_version;
  }
  calls_.pass([&] { sink_.replace(std::move(all->items)); });
  setHealthy(true, {});
  openWatch();
}

/// After an error: is the server still where we left it? One that was restored from a backup has
/// gone back in time, and a watch from our resourceVersion would stay silent until it caught up.
void Reflector::Impl::check() {
  if (outage() >= kLongOutage) return list();
  ListOptions options = options_.list;
  options.limit = 1;
  const auto page = client_.list(options_.resource, options);
  if (calls_.closed()) return;
  if (!page) return failed(page.error(), &Impl::check);
  std::string ours;
  {
    const std::lock_guard lock(mutex_);
    ours = resource_version_;
  }
  const auto order = compareResourceVersions(page->resource_version, ours);
  if (!order || *order == std::strong_ordering::less) {
    VKB_LOG(logger_, Warn, "server is behind what it told before: listing anew",
            {"what", options_.name}, {"ours", ours}, {"server", page->resource_version});
    return list();
  }
  setHealthy(true, {});
  openWatch();
}

Duration Reflector::Impl::outage() {
  const std::lock_guard lock(mutex_);
  return healthy_ == false ? runtime_.clock.now() - broken_since_ : Duration::zero();
}

WatchOptions Reflector::Impl::watchOptions() {
  WatchOptions options;
  options.ns = options_.list.ns;
  options.label_selector = options_.list.label_selector;
  options.field_selector = options_.list.field_selector;
  options.metadata_only = options_.list.metadata_only;
  options.resource_version = resource_version_;
  // 5 to 10 minutes, so that the watches of many do not end together (client-go's rule).
  options.timeout = std::chrono::seconds(300 + static_cast<int>(runtime_.random.uniform() * 300.0));
  return options;
}

void Reflector::Impl::openWatch() {
  WatchOptions options;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;  // from within sink or on_sync: the client may be gone already
    heard_ = false;
    watch_began_ = runtime_.clock.now();
    options = watchOptions();
  }
  auto watch = client_.watch(options_.resource, options, *this);
  const std::lock_guard lock(mutex_);
  // Stopped meanwhile: stop() waits for this step and destroys the handle then.
  watch_ = std::move(watch);
}

void Reflector::Impl::onEvent(json::RawEvent event) {
  // A stop from within the sink may end the life of everybody else who holds this.
  const auto self = shared_from_this();
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    heard_ = true;
    attempt_ = 0;
  }
  std::string version = event.object->resource_version;
  calls_.pass([&] {
    if (event.type == "ADDED" || event.type == "MODIFIED") {
      sink_.upsert(std::move(event.object));
    } else if (event.type == "DELETED") {
      sink_.remove(std::move(event.object));
    } else if (event.type != "BOOKMARK") {
      VKB_LOG(logger_, Warn, "watch event of unknown type", {"what", options_.name},
              {"type", event.type});
    }
  });
  const std::lock_guard lock(mutex_);
  if (!version.empty()) resource_version_ = std::move(version);
}

/// On the watcher's thread (or from within watch()): the handle must not be destroyed here, so the
/// rest is a step of its own.
void Reflector::Impl::onClosed(Status status) {
  const auto self = shared_from_this();
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  runtime_.executor.post([self, status = std::move(status)] {
    self->steps_.pass([&] { self->afterClosed(status); });
  });
}

void Reflector::Impl::afterClosed(const Status& status) {
  std::unique_ptr<WatchHandle> ended;
  bool heard = false;
  Duration lived{};
  {
    const std::lock_guard lock(mutex_);
    ended = std::move(watch_);
    heard = heard_;
    lived = runtime_.clock.now() - watch_began_;
  }
  ended.reset();
  if (calls_.closed()) return;
  const bool in_order = status.code == 200;
  // What happened until the list that comes now is not known, and that may tell of a server that
  // was restored meanwhile.
  if (status.code == 410) setHealthy(false, status);
  if (heard || lived >= (in_order ? Duration(kShortWatch) : Duration(kLongWatch))) {
    const std::lock_guard lock(mutex_);
    attempt_ = 0;
  } else if (in_order || status.code == 410) {
    // Neither is a failure, unless it happens over and over.
    Duration delay{};
    {
      const std::lock_guard lock(mutex_);
      if (attempt_++ > 0) {
        delay = base::backoffDelay(base::kFastBackoff, attempt_ - 1, runtime_.random);
      }
      server_asked_ = false;
    }
    return schedule(delay, in_order ? &Impl::openWatch : &Impl::list);
  }
  if (in_order) return openWatch();
  if (status.code == 410) return list();
  failed(status, &Impl::check);
}

void Reflector::Impl::failed(const Status& status, Step retry) {
  setHealthy(false, status);
  const Duration delay = nextDelay(status);
  VKB_LOG(logger_, Debug, "list or watch failed", {"what", options_.name},
          {"error", status.message},
          {"retry_ms", std::chrono::duration_cast<std::chrono::milliseconds>(delay).count()});
  schedule(delay, retry);
}

Duration Reflector::Impl::nextDelay(const Status& status) {
  const std::lock_guard lock(mutex_);
  ++attempt_;
  // A refused list (kNever) is our own selector or a version that lacks the resource: slow, too.
  const auto& policy = status.retry == Retry::kFast ? base::kFastBackoff : kRefused;
  Duration delay = base::backoffDelay(policy, attempt_, runtime_.random);
  server_asked_ = status.retryAfter.has_value();
  if (status.retryAfter) delay = std::max(delay, Duration(*status.retryAfter));
  return delay;
}

void Reflector::Impl::setHealthy(bool healthy, const Status& why) {
  {
    const std::lock_guard lock(mutex_);
    if (healthy_ == healthy) return;
    healthy_ = healthy;
    if (!healthy) broken_since_ = runtime_.clock.now();
  }
  if (!healthy) {
    VKB_LOG(logger_, Info, "list or watch broken", {"what", options_.name}, {"error", why.message});
  }
  if (options_.on_sync) calls_.pass([&] { options_.on_sync(healthy, why); });
}

Reflector::Reflector(Runtime runtime, Client& client, ReflectorSink& sink, base::Logger& logger,
                     ReflectorOptions options)
    : impl_(std::make_shared<Impl>(runtime, client, sink, logger, std::move(options))) {}
Reflector::~Reflector() { impl_->stop(); }
void Reflector::start() { impl_->start(); }
void Reflector::stop() { impl_->stop(); }
void Reflector::retryNow() { impl_->retryNow(); }

}  // namespace vkb::kube
