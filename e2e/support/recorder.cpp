#include "support/recorder.h"

#include <stdexcept>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/names.h"

namespace vkb::e2e {

namespace {

std::string versionOf(const Json& object) {
  return json::str(object, {"metadata", "uid"}) + "@" +
         json::str(object, {"metadata", "resourceVersion"});
}

std::map<std::string, std::string> versionsOf(const Objects& objects) {
  std::map<std::string, std::string> versions;
  for (const auto& [key, object] : objects) versions[key] = versionOf(object);
  return versions;
}

}  // namespace

Recorder::Recorder(Cluster cluster, Selection selection)
    : cluster_(std::move(cluster)), selection_(std::move(selection)) {
  std::string version;
  const Objects objects = cluster_.list(selection_, &version);
  for (const auto& [key, object] : objects) {
    history_.push_back({"ADDED", std::make_shared<const Json>(object), Clock::now()});
  }
  live_ = versionsOf(objects);
  thread_ = std::thread([this, version] { follow(version); });
}

Recorder::~Recorder() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  thread_.join();
}

void Recorder::follow(const std::string& resource_version) {
  Watch watch(cluster_, selection_, resource_version);
  for (;;) {
    // The short deadline is only how soon it notices that it should stop.
    std::optional<WatchEvent> event = watch.next(in(milliseconds(200)));
    const std::lock_guard lock(mutex_);
    if (stop_) return;
    if (watch.ended()) {
      broken_ = true;
      changed_.notify_all();
      return;
    }
    if (!event) continue;
    if (event->type == "DELETED") {
      live_.erase(keyOf(*event->object));
    } else {
      live_[keyOf(*event->object)] = versionOf(*event->object);
    }
    history_.push_back(*std::move(event));
    changed_.notify_all();
  }
}

std::vector<WatchEvent> Recorder::history() {
  const Deadline deadline = in(kPatience);
  while (Clock::now() < deadline) {
    const auto wanted = versionsOf(cluster_.list(selection_));
    std::unique_lock lock(mutex_);
    // Things go on while we look: what was listed may be outdated by the time it is compared.
    const bool same =
        changed_.wait_for(lock, seconds(2), [&] { return broken_ || live_ == wanted; });
    if (broken_) throw std::runtime_error("the recording watch broke; its history has a gap");
    if (same) return history_;
  }
  throw std::runtime_error("the recording watch does not catch up with what is listed");
}

std::map<std::string, std::set<std::string>> delegatesByHomeUid(
    const std::vector<WatchEvent>& history) {
  std::map<std::string, std::set<std::string>> delegates;
  for (const WatchEvent& event : history) {
    const std::string home = label(*event.object, kHomeUidLabel);
    if (!home.empty()) delegates[home].insert(json::str(*event.object, {"metadata", "uid"}));
  }
  return delegates;
}

}  // namespace vkb::e2e
