#include "node/home_pods.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/protections.h"
#include "json/json.h"
#include "json/object_parts.h"
#include "node/home_pod_change.h"
#include "node/status_patch.h"

namespace vkb::node {
namespace {

using base::Protection;
using base::protects;

/// resourceVersions of one resource are comparable numbers (KEP-5504; true of every etcd-backed
/// server). Unreadable: 0, so that the cache wins.
std::uint64_t numberOf(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// See PodLifecycleHandler::readsPodsWhole().
const json::Without kSpecOfNoStatus{
    .member = "spec",
    .names = {"volumes", "env", "envFrom", "volumeMounts", "volumeDevices", "command", "args",
              "livenessProbe", "readinessProbe", "startupProbe", "lifecycle"}};

/// `pod`: as it was sent or as a document.
template <typename Pod>
HomePod stateOf(const Pod& pod) {
  if (!json::str(pod, {"metadata", "deletionTimestamp"}).empty()) {
    return json::integer(pod, {"metadata", "deletionGracePeriodSeconds"}).value_or(0) == 0
               ? HomePod::kReleased
               : HomePod::kDeleting;
  }
  const bool terminal = isTerminalPhase(json::str(pod, {"status", "phase"}));
  return terminal && protects(Protection::kTerminalGuard) ? HomePod::kTerminal : HomePod::kActive;
}

std::size_t hashOf(const Json& patch) { return std::hash<std::string>{}(patch.dump()); }

/// Is everything that `patch` says part of `said`?
bool isPartOf(const Json& patch, const Json& said) {
  if (patch.is_object() && said.is_object()) {
    for (const auto& [key, value] : patch.items()) {
      if (!said.contains(key) || !isPartOf(value, said[key])) return false;
    }
    return true;
  }
  if (!patch.is_array() || !said.is_array()) return patch == said;
  return std::ranges::all_of(patch, [&](const Json& entry) {
    return std::ranges::any_of(said, [&](const Json& other) { return isPartOf(entry, other); });
  });
}

bool isOtherPod(const Status& status) {
  for (const StatusCause& cause : status.causes) {
    if (cause.field == "metadata.uid") return true;
  }
  return false;
}

std::string annotationOf(const Json& annotations) {
  return json::object(annotations, {}).empty() ? "" : annotations.begin().key();
}

/// What a status PATCH with that annotation may have changed.
Json changeable(const json::Object& pod, const std::string& annotation) {
  const std::string noted = json::str(pod, {"metadata", "annotations", annotation});
  return {{"metadata", {{"uid", pod.uid}, {"annotations", {{annotation, noted}}}}},
          {"status", json::parsePart(pod, "status")}};
}

}  // namespace

const Json& HomePods::View::pod() const {
  if (!bytes || detail == Detail::kWhole) return whole();
  if (!made_lean) {
    made_lean = std::make_shared<const Json>(json::parseWithout(*bytes, kSpecOfNoStatus));
  }
  return *made_lean;
}

const Json& HomePods::View::whole() const {
  static const Json absent;
  if (!bytes) return absent;
  if (!made_whole) made_whole = std::make_shared<const Json>(bytes->parse());
  return *made_whole;
}

/// What we wrote is looked up before the cache: that is forgotten only after the cache has it, or
/// has lost the pod, and an old version alone would look like a pod that was never told or
/// released.
HomePods::Written HomePods::writtenOf(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  const auto found = written_.find(uid);
  return found == written_.end() ? Written{} : found->second;
}

json::ObjectPtr HomePods::newest(const std::string& uid, bool* released) {
  const Written written = writtenOf(uid);
  json::ObjectPtr newest = cache_.byUid(uid);
  if (!newest) {
    std::lock_guard lock(mutex_);
    written_.erase(uid);
    return nullptr;
  }
  *released = written.released;
  const bool ahead = written.answer && written.version > numberOf(newest->resource_version);
  return ahead ? written.answer : newest;
}

std::uint64_t HomePods::version(const std::string& uid) const {
  const Written written = writtenOf(uid);
  const std::uint64_t cached = numberOf(cache_.versionOf(uid));
  if (cached == 0 || written.released) return 0;
  return written.answer ? std::max(cached, written.version) : cached;
}

std::uint64_t HomePods::quietVersion(const std::string& uid) {
  std::lock_guard lock(mutex_);
  const auto found = written_.find(uid);
  return found == written_.end() ? 0 : found->second.quiet;
}

HomePods::View HomePods::view(const std::string& uid, Detail detail) {
  bool released = false;
  const json::ObjectPtr newest = this->newest(uid, &released);
  if (!newest) return {};
  return {.state = released ? HomePod::kReleased : stateOf(*newest),
          .bytes = newest,
          .version = released ? 0 : numberOf(newest->resource_version),
          .detail = detail};
}

void HomePods::changed(const json::ObjectPtr& before, const json::ObjectPtr& after) {
  if (!before) return;
  std::lock_guard lock(mutex_);
  if (!after) written_.erase(before->uid);
  if (!after || before->uid != after->uid) return;
  const std::uint64_t now = numberOf(after->resource_version);
  const auto found = written_.find(after->uid);
  if (found == written_.end()) return;
  if (now < numberOf(before->resource_version)) {
    written_.erase(found);
  } else if (now >= found->second.version) {
    found->second.answer.reset();  // not kept twice
  }
}

bool HomePods::mayBeBehind(const std::string& uid) const {
  if (cache_.isBehind()) return true;
  std::lock_guard lock(mutex_);
  const auto found = written_.find(uid);
  return found != written_.end() && found->second.doubtful;
}

std::vector<std::string> HomePods::dropUnconfirmed() {
  std::vector<std::string> dropped;
  std::lock_guard lock(mutex_);
  for (auto it = written_.begin(); it != written_.end();) {
    const json::ObjectPtr cached = cache_.byUid(it->first);
    const json::ObjectPtr& answer = it->second.answer;
    const bool ahead = answer && cached && it->second.version > numberOf(cached->resource_version);
    if (!ahead && !it->second.released) {
      ++it;
      continue;
    }
    dropped.push_back(it->first);
    it->second = {.answer = nullptr, .doubtful = true};
    ++it;
  }
  return dropped;
}

Result<HomePods::Told> HomePods::tell(const View& home, const Json& desired,
                                      const Json& annotations, Annotate annotate) {
  const Json& pod = home.pod();
  auto patch = podStatusPatch(pod, desired, annotations);
  if (!patch) return Told::kAlready;
  if (annotate == Annotate::kWithStatus && !patch->contains("status")) return Told::kAlready;
  const std::string uid = json::str(pod, {"metadata", "uid"});
  {
    std::lock_guard lock(mutex_);
    const auto found = written_.find(uid);
    if (found != written_.end() && found->second.version != 0 && found->second.not_taken != 0 &&
        found->second.not_taken == hashOf(*patch) &&
        found->second.version == numberOf(json::str(pod, {"metadata", "resourceVersion"}))) {
      return Told::kAlready;
    }
  }
  const bool new_phase = !json::at(*patch, {"status", "phase"}).is_null();
  if (new_phase) {
    (*patch)["metadata"]["resourceVersion"] = json::str(pod, {"metadata", "resourceVersion"});
  }
  const auto answer = home_.patch(kube::kPods, json::str(pod, {"metadata", "namespace"}),
                                  json::str(pod, {"metadata", "name"}),
                                  kube::PatchType::kStrategicMerge, *patch, "status");
  if (!answer) {
    if (answer.error().isNotFound() || isOtherPod(answer.error())) return Told::kGone;
    if (!new_phase || answer.error().code != 409) return failure(answer.error());
    const auto now = confirm(pod);
    if (now && *now == HomePod::kAbsent) return Told::kGone;
    return failure(now ? answer.error() : now.error());
  }
  const std::uint64_t made = numberOf((*answer)->resource_version);
  // The watch may have told of it already.
  const bool told_of = numberOf(cache_.versionOf(uid)) >= made;
  // An API server may store less than it was told (it is older than a field). Saying that again
  // about the same version would not help. What it was not told, because `pod` was not the newest
  // version, is another thing.
  const std::string annotation = annotationOf(annotations);
  const Json stored = changeable(**answer, annotation);
  const auto left = podStatusPatch(stored, desired, annotations);
  // Of one that somebody has ended meanwhile nothing is left to say, and all the more to do.
  const std::string phase = json::str(stored, {"status", "phase"});
  const bool ended = isTerminalPhase(phase) && phase != json::str(desired, "phase");
  const bool quiet =
      !left && !ended && home.bytes && isSameQuestion(*home.bytes, **answer, annotation);
  std::lock_guard lock(mutex_);
  written_[uid] = {.answer = told_of ? nullptr : *answer,
                   .version = made,
                   .quiet = quiet ? made : 0,
                   .not_taken = left && isPartOf(*left, *patch) ? hashOf(*left) : 0};
  return Told::kSent;
}

Result<void> HomePods::release(const Json& pod) {
  const std::string uid = json::str(pod, {"metadata", "uid"});
  const auto removed = home_.remove(
      kube::kPods, json::str(pod, {"metadata", "namespace"}), json::str(pod, {"metadata", "name"}),
      {.grace_period_seconds = 0, .uid = protects(Protection::kUidOnDelete) ? uid : ""});
  // 409: the precondition failed, so another pod has the name and this one is gone.
  if (!removed && !removed.error().isNotFound() && removed.error().code != 409) return removed;
  std::lock_guard lock(mutex_);
  if (cache_.versionOf(uid).empty()) {
    written_.erase(uid);  // nothing else would tell when to forget it
  } else {
    written_[uid].released = true;
  }
  return {};
}

Result<HomePod> HomePods::confirm(const Json& pod) {
  const std::string uid = json::str(pod, {"metadata", "uid"});
  const auto present = home_.get(kube::kPods, json::str(pod, {"metadata", "namespace"}),
                                 json::str(pod, {"metadata", "name"}));
  if (!present) return failure(present.error());
  if (!*present || json::str(**present, {"metadata", "uid"}) != uid) return HomePod::kAbsent;
  std::lock_guard lock(mutex_);
  Written& written = written_[uid];
  written.answer = json::makeObject(**present);
  written.version = numberOf(written.answer->resource_version);
  written.quiet = 0;
  written.not_taken = 0;
  written.doubtful = false;
  return stateOf(**present);
}

Result<bool> HomePods::isGone(const std::string& ns, const std::string& name,
                              const std::string& uid) {
  const auto present = home_.get(kube::kPods, ns, name);
  if (!present) return failure(present.error());
  return !*present || json::str(**present, {"metadata", "uid"}) != uid;
}

std::string HomePods::uidOf(const std::string& ns, const std::string& name) const {
  const auto present = cache_.get(ns, name);
  return present ? present->uid : "";
}

}  // namespace vkb::node
