#include "bridge/target_warnings.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::bridge {
namespace {

using std::chrono::seconds;

constexpr seconds kFirst{10}, kShortest{60}, kLongest{600}, kTick{1};
constexpr std::size_t kPerTick = 5;
/// More events of one object than a kubelet and a scheduler write about it in an hour.
constexpr int kMaxEvents = 100;

/// core/v1 Events keep count and times in two ways, by the recorder's age.
std::int64_t countOf(const Json& event) {
  const auto series = json::integer(event, {"series", "count"});
  return std::max<std::int64_t>(1, series ? *series : json::integer(event, {"count"}).value_or(1));
}

std::string lastSeenOf(const Json& event) {
  std::string latest;
  for (const std::string& time :
       {json::str(event, {"series", "lastObservedTime"}), json::str(event, "lastTimestamp"),
        json::str(event, "eventTime"), json::str(event, {"metadata", "creationTimestamp"})}) {
    latest = std::max(latest, time);
  }
  return latest;
}

std::string wordsOf(const TargetWarning& warning) {
  return warning.reason + ": " + warning.message;
}

}  // namespace

std::vector<TargetWarning> warningsOf(const std::vector<Json>& events) {
  std::vector<TargetWarning> warnings;
  for (const Json& event : events) {
    if (json::str(event, "type") != "Warning") continue;
    TargetWarning warning{.reason = json::str(event, "reason"),
                          .message = json::str(event, "message"),
                          .count = countOf(event),
                          .last_seen = lastSeenOf(event)};
    const auto same = std::find_if(
        warnings.begin(), warnings.end(),
        [&](const TargetWarning& other) { return wordsOf(other) == wordsOf(warning); });
    if (same == warnings.end()) {
      warnings.push_back(std::move(warning));
    } else {
      same->count += warning.count;
      same->last_seen = std::max(same->last_seen, warning.last_seen);
    }
  }
  return warnings;
}

bool needsExplaining(const Json& delegate) {
  const std::string phase = json::str(delegate, {"status", "phase"});
  if (phase == "Succeeded" || phase == "Failed") return false;
  if (!json::at(delegate, {"metadata", "deletionTimestamp"}).is_null()) return false;
  const Json* const ready =
      json::findBy(json::at(delegate, {"status", "conditions"}), "type", "Ready");
  return ready == nullptr || json::str(*ready, "status") != "True";
}

TargetWarnings::TargetWarnings(Deps deps, Show show) : deps_(deps), show_(std::move(show)) {}

void TargetWarnings::stop() { gate_->close(); }

void TargetWarnings::forget(const std::string& home_uid) {
  std::lock_guard lock(mutex_);
  watched_.erase(home_uid);
}

void TargetWarnings::observe(const Json& home_pod, const Json& delegate) {
  const std::string home_uid = json::str(home_pod, {"metadata", "uid"});
  const std::string uid = json::str(delegate, {"metadata", "uid"});
  std::lock_guard lock(mutex_);
  if (!show_ || uid.empty() || !needsExplaining(delegate)) {
    watched_.erase(home_uid);
    return;
  }
  const auto found = watched_.find(home_uid);
  if (found != watched_.end() && found->second.delegate_uid == uid) return;
  watched_[home_uid] = {.home_ns = json::str(home_pod, {"metadata", "namespace"}),
                        .home_name = json::str(home_pod, {"metadata", "name"}),
                        .ns = json::str(delegate, {"metadata", "namespace"}),
                        .delegate_uid = uid,
                        .due = deps_.runtime.clock.now() + kFirst,
                        .interval = kShortest};
  if (!std::exchange(armed_, true)) arm(kFirst);
}

void TargetWarnings::arm(Duration delay) {
  deps_.runtime.executor.postAfter(delay, [this, gate = gate_] { gate->pass([this] { ask(); }); });
}

void TargetWarnings::ask() {
  for (const std::string& home_uid : takeDue()) {
    if (gate_->closed()) return;
    askAbout(home_uid);
  }
  Duration next = kTick;
  {
    std::lock_guard lock(mutex_);
    if (watched_.empty()) {
      armed_ = false;
      return;
    }
    const auto first = std::min_element(
        watched_.begin(), watched_.end(),
        [](const auto& one, const auto& other) { return one.second.due < other.second.due; });
    next = std::max<Duration>(next, first->second.due - deps_.runtime.clock.now());
  }
  arm(next);
}

std::vector<std::string> TargetWarnings::takeDue() {
  std::lock_guard lock(mutex_);
  const TimePoint now = deps_.runtime.clock.now();
  std::vector<std::pair<TimePoint, std::string>> due;
  for (const auto& [uid, each] : watched_) {
    if (each.due <= now) due.emplace_back(each.due, uid);
  }
  std::sort(due.begin(), due.end());
  if (due.size() > kPerTick) due.resize(kPerTick);
  std::vector<std::string> uids;
  for (auto& [unused, uid] : due) {
    watched_[uid].due = now + watched_[uid].interval;
    uids.push_back(std::move(uid));
  }
  return uids;
}

void TargetWarnings::askAbout(const std::string& home_uid) {
  std::string ns, delegate_uid;
  Json home_pod;
  {
    std::lock_guard lock(mutex_);
    const auto found = watched_.find(home_uid);
    if (found == watched_.end()) return;
    ns = found->second.ns;
    delegate_uid = found->second.delegate_uid;
    home_pod = {{"apiVersion", "v1"},
                {"kind", "Pod"},
                {"metadata",
                 {{"namespace", found->second.home_ns},
                  {"name", found->second.home_name},
                  {"uid", home_uid}}}};
  }
  auto list = deps_.target.list(
      kube::kEvents,
      {.ns = ns, .field_selector = "involvedObject.uid=" + delegate_uid, .limit = kMaxEvents});
  if (!list) {
    // A courtesy that may not be allowed; the next try comes with the same rules.
    VKB_LOG(deps_.logger, Debug, "events of a delegate not read", {"uid", home_uid},
            {"message", list.error().message});
  }
  std::vector<Json> events;
  if (list) {
    for (const auto& object : list->items) events.push_back(object->parse());
  }
  for (const TargetWarning& warning : keepNew(home_uid, warningsOf(events))) {
    show_(home_pod, warning);
  }
}

std::vector<TargetWarning> TargetWarnings::keepNew(const std::string& home_uid,
                                                   std::vector<TargetWarning> warnings) {
  std::lock_guard lock(mutex_);
  const auto found = watched_.find(home_uid);
  if (found == watched_.end()) return {};
  auto& shown = found->second.shown;
  std::erase_if(warnings, [&](const TargetWarning& warning) {
    return std::exchange(shown[wordsOf(warning)], warning.last_seen) == warning.last_seen;
  });
  // Nothing new: ask less often, until something is.
  found->second.interval =
      warnings.empty() ? std::min<Duration>(found->second.interval * 2, kLongest) : kShortest;
  return warnings;
}

}  // namespace vkb::bridge
