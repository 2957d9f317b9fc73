#include "kube/events.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "json/time.h"

namespace vkb::kube {
namespace {

constexpr std::size_t kMaxMessage = 1024;
constexpr std::chrono::minutes kRepeatInterval{10};
/// After a write that failed.
constexpr std::chrono::seconds kRetryInterval{10};
constexpr std::chrono::minutes kSpamWindow{5};
constexpr std::size_t kSpamLimit = 25;
/// What is remembered of past events; beyond it the longest silent half is forgotten.
constexpr std::size_t kMaxSeries = 4096;

/// At most `limit` bytes, never ending within a UTF-8 sequence.
std::string cut(const std::string& text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

/// Items of lists carry neither kind nor apiVersion; events are about pods and nodes.
Json involvedObject(const Json& object) {
  const std::string ns = json::str(object, {"metadata", "namespace"});
  const std::string kind = json::str(object, "kind"), version = json::str(object, "apiVersion");
  Json involved = {{"kind", !kind.empty() ? kind
                            : ns.empty()  ? "Node"
                                          : "Pod"},
                   {"apiVersion", version.empty() ? "v1" : version},
                   {"name", json::str(object, {"metadata", "name"})},
                   {"uid", json::str(object, {"metadata", "uid"})}};
  if (!ns.empty()) involved["namespace"] = ns;
  return involved;
}

}  // namespace

struct EventRecorder::Impl : std::enable_shared_from_this<Impl> {
  /// (object UID, reason, message): one Event object, counted up.
  using Key = std::array<std::string, 3>;
  struct Series {
    std::string ns, name;  ///< of the Event
    int count = 0;
    bool posting = false;  ///< a write is under way
    bool made = false;     ///< the Event exists
    WallTime first{};
    TimePoint last_seen{}, last_written{};
  };

  Impl(Runtime runtime_in, Writer& writer_in, base::Logger& logger_in, std::string component_in,
       std::string host_in)
      : runtime(runtime_in),
        writer(writer_in),
        logger(logger_in),
        component(std::move(component_in)),
        host(std::move(host_in)) {}

  void warn(const Json& object, const std::string& reason, const std::string& message);
  void close();
  bool spam(const std::string& uid, TimePoint now);
  void forgetOld();
  Json newEvent(const Key& key, const Series& series, Json involved) const;
  void post(const Key& key, Json involved);
  Result<void> write(const Key& key, const Series& series, Json involved);
  void written(const Key& key, const Result<void>& outcome);

  const Runtime runtime;
  Writer& writer;
  base::Logger& logger;
  const std::string component, host;

  std::mutex mutex;  // guards the rest, never held during a write
  std::condition_variable idle;
  bool closed = false;
  int posts = 0;  ///< under way
  std::map<Key, Series> series;
  std::map<std::string, std::deque<TimePoint>> fresh;  ///< new events by object UID
};

void EventRecorder::Impl::warn(const Json& object, const std::string& reason,
                               const std::string& message) {
  const Key key{json::str(object, {"metadata", "uid"}), reason, cut(message, kMaxMessage)};
  const TimePoint now = runtime.clock.now();
  const std::lock_guard lock(mutex);
  if (closed) return;
  auto found = series.find(key);
  if (found == series.end()) {
    if (spam(key[0], now)) return;
    forgetOld();
    found = series.try_emplace(key).first;
    const std::string ns = json::str(object, {"metadata", "namespace"});
    found->second.ns = ns.empty() ? "default" : ns;
    found->second.first = runtime.clock.wallNow();
  }
  Series& one = found->second;
  ++one.count;
  one.last_seen = now;
  const Duration interval = one.made ? Duration(kRepeatInterval) : Duration(kRetryInterval);
  if (one.posting || (one.count > 1 && now - one.last_written < interval)) return;
  one.posting = true;
  one.last_written = now;
  if (one.name.empty()) {
    char suffix[20];
    std::snprintf(suffix, sizeof suffix, ".%016llx",
                  static_cast<unsigned long long>(runtime.random.next()));
    one.name = cut(json::str(object, {"metadata", "name"}), 230) + suffix;
  }
  runtime.executor.post([self = shared_from_this(), key, involved = involvedObject(object)] {
    self->post(key, involved);
  });
}

bool EventRecorder::Impl::spam(const std::string& uid, TimePoint now) {
  auto& times = fresh[uid];
  while (!times.empty() && now - times.front() >= kSpamWindow) times.pop_front();
  if (times.size() >= kSpamLimit) return true;
  times.push_back(now);
  return false;
}

void EventRecorder::Impl::forgetOld() {
  if (series.size() < kMaxSeries) return;
  std::vector<TimePoint> seen;
  for (const auto& [key, one] : series) seen.push_back(one.last_seen);
  const auto middle = seen.begin() + static_cast<std::ptrdiff_t>(seen.size() / 2);
  std::nth_element(seen.begin(), middle, seen.end());
  std::erase_if(series, [&](const auto& entry) {
    return !entry.second.posting && entry.second.last_seen <= *middle;
  });
  const TimePoint now = runtime.clock.now();
  std::erase_if(fresh, [&](const auto& entry) {
    return entry.second.empty() || now - entry.second.back() >= kSpamWindow;
  });
}

void EventRecorder::Impl::post(const Key& key, Json involved) {
  Series copy;
  {
    const std::lock_guard lock(mutex);
    const auto found = series.find(key);
    if (closed || found == series.end()) return;
    copy = found->second;
    ++posts;
  }
  struct Done {
    Impl& impl;
    ~Done() {
      const std::lock_guard lock(impl.mutex);
      --impl.posts;
      impl.idle.notify_all();
    }
  } done{*this};
  const auto outcome = write(key, copy, std::move(involved));
  if (!outcome) {
    VKB_LOG(logger, Debug, "event not written", {"reason", key[1]}, {"namespace", copy.ns},
            {"error", outcome.error().message});
  }
  written(key, outcome);
}

Result<void> EventRecorder::Impl::write(const Key& key, const Series& one, Json involved) {
  if (one.made) {
    const Json patch = {{"count", one.count},
                        {"lastTimestamp", json::formatTime(runtime.clock.wallNow())}};
    const auto patched = writer.patch(kEvents, one.ns, one.name, PatchType::kMerge, patch, "");
    if (patched) return {};
    // An hour after it was made the server forgets an event: it is made anew, with its count.
    if (!patched.error().isNotFound()) return failure(patched.error());
  }
  const auto made = writer.create(kEvents, one.ns, newEvent(key, one, std::move(involved)), "", "");
  if (made || made.error().reason == "AlreadyExists") return {};
  return failure(made.error());
}

void EventRecorder::Impl::written(const Key& key, const Result<void>& outcome) {
  const std::lock_guard lock(mutex);
  const auto found = series.find(key);
  if (found == series.end()) return;
  found->second.posting = false;
  if (outcome) found->second.made = true;
}

Json EventRecorder::Impl::newEvent(const Key& key, const Series& one, Json involved) const {
  return {{"apiVersion", "v1"},
          {"kind", "Event"},
          {"metadata", {{"name", one.name}, {"namespace", one.ns}}},
          {"involvedObject", std::move(involved)},
          {"type", "Warning"},
          {"reason", key[1]},
          {"message", key[2]},
          {"count", one.count},
          {"firstTimestamp", json::formatTime(one.first)},
          {"lastTimestamp", json::formatTime(runtime.clock.wallNow())},
          {"source", {{"component", component}, {"host", host}}},
          {"reportingComponent", component},
          {"reportingInstance", host}};
}

void EventRecorder::Impl::close() {
  std::unique_lock lock(mutex);
  closed = true;
  idle.wait(lock, [&] { return posts == 0; });
}

EventRecorder::EventRecorder(Runtime runtime, Writer& writer, base::Logger& logger,
                             std::string component, std::string host)
    : impl_(
          std::make_shared<Impl>(runtime, writer, logger, std::move(component), std::move(host))) {}
EventRecorder::~EventRecorder() { impl_->close(); }
void EventRecorder::warn(const Json& object, const std::string& reason,
                         const std::string& message) {
  impl_->warn(object, reason, message);
}

}  // namespace vkb::kube
