#include "bridge/target_pods.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "base/protections.h"
#include "bridge/forge.h"
#include "bridge/names.h"
#include "bridge/slim_pod.h"
#include "json/json.h"
#include "json/object_parts.h"
#include "json/packed.h"
#include "json/scan.h"

namespace vkb::bridge {
namespace {

std::string homeUidOf(const json::Object& pod, const std::string& home_id,
                      const std::string& node) {
  const auto label = [&pod](std::string_view name) {
    return json::str(pod, {"metadata", "labels", name});
  };
  if (label(kLabelHomeCluster) != home_id || label(kLabelNode) != node) return "";
  return label(kLabelHomeUid);
}

/// When it is to end, RFC 3339 in UTC, which orders as text; "": it is not being deleted.
std::string endOf(const json::Object& pod) {
  return json::str(pod, {"metadata", "deletionTimestamp"});
}

std::optional<bool> isRekeyed(const json::Object& pod) {
  const std::string forged = json::str(pod, {"metadata", "annotations", kAnnotationForgedKeys});
  return bridge::isRekeyed({{"metadata", {{"annotations", {{kAnnotationForgedKeys, forged}}}}}});
}

/// Nothing is new but that it is to end, or sooner than it was. That it is not, or later, tells of
/// a target that went back to before it was asked.
bool isNewOnlyInItsEnd(const json::Object& now, const json::Object& before) {
  const std::string end = endOf(now), end_before = endOf(before);
  if (end.empty() || (!end_before.empty() && end > end_before)) return false;
  const auto without_end = [](std::string_view raw) {
    return json::membersBut(raw, 0, {"metadata"}) +
           json::membersBut(raw, json::findValue(raw, 0, "metadata"),
                            {"resourceVersion", "generation", "deletionTimestamp",
                             "deletionGracePeriodSeconds"});
  };
  return without_end(now.raw) == without_end(before.raw);
}

/// As it is handed out.
TargetPods::Delegate whole(TargetPods::Delegate held) {
  held.pod = json::unpacked(held.pod);
  return held;
}

}  // namespace

std::optional<TargetPods::Delegate> TargetPods::find(const std::string& home_uid,
                                                     const std::string& recorded_uid,
                                                     const std::string& place) const {
  std::lock_guard lock(mutex_);
  const auto recorded = delegates_.find(recorded_uid);
  const bool known = recorded != delegates_.end();
  if (known && !recorded->second.gone) return whole(recorded->second);
  const Delegate* elsewhere = nullptr;
  if (const auto all = by_home_uid_.find(home_uid); all != by_home_uid_.end()) {
    for (const std::string& uid : all->second) {
      const Delegate& delegate = delegates_.at(uid);
      if (delegate.gone || (!recorded_uid.empty() && !delegate.labelled)) continue;
      if (delegate.pod->key() == place) return whole(delegate);
      if (elsewhere == nullptr) elsewhere = &delegate;
    }
  }
  if (recorded_uid.empty() && elsewhere != nullptr) return whole(*elsewhere);
  return known ? std::optional(whole(recorded->second)) : std::nullopt;
}

void TargetPods::dropEnded(const std::string& home_uid, const std::string& recorded_uid) {
  std::lock_guard lock(mutex_);
  const auto all = by_home_uid_.find(home_uid);
  if (all == by_home_uid_.end()) return;
  const std::vector<std::string> uids = all->second;
  for (const std::string& uid : uids) {
    if (uid != recorded_uid && delegates_.at(uid).gone) eraseLocked(uid);
  }
}

std::optional<TargetPods::Delegate> TargetPods::at(const std::string& ns,
                                                   const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto place = by_place_.find(ns + "/" + name);
  if (place == by_place_.end()) return std::nullopt;
  const auto found = delegates_.find(place->second);
  if (found == delegates_.end() || found->second.gone) return std::nullopt;
  return whole(found->second);
}

void TargetPods::forEachDelegate(const Visit& visit) const {
  std::vector<Delegate> held;
  {
    std::lock_guard lock(mutex_);
    held.reserve(delegates_.size());
    for (const auto& [uid, delegate] : delegates_) {
      if (!delegate.gone) held.push_back(delegate);
    }
  }
  for (Delegate& delegate : held) visit(whole(std::move(delegate)));
}

void TargetPods::remember(const std::string& delegate_uid, const std::string& home_uid) {
  std::lock_guard lock(mutex_);
  recorded_[delegate_uid] = home_uid;
}

void TargetPods::learn(const json::ObjectPtr& whole, const std::string& home_uid) {
  const json::ObjectPtr object = slimDelegate(*whole);
  bool usage;
  {
    std::lock_guard lock(mutex_);
    if (!addLocked(object, home_uid)) return;
    usage = std::exchange(usage_changed_, false);
  }
  notify({home_uid}, usage);
}

void TargetPods::made(const json::ObjectPtr& whole, const std::string& home_uid) {
  const json::ObjectPtr object = slimDelegate(*whole);
  std::lock_guard lock(mutex_);
  addLocked(object, home_uid);
}

bool TargetPods::addLocked(const json::ObjectPtr& slim, const std::string& home_uid) {
  recorded_[slim->uid] = home_uid;
  if (delegates_.contains(slim->uid)) return false;
  upsertLocked(slim);
  return true;
}

void TargetPods::endAsked(const std::string& delegate_uid) {
  std::lock_guard lock(mutex_);
  const auto found = delegates_.find(delegate_uid);
  if (found != delegates_.end()) found->second.end_asked = true;
}

void TargetPods::forget(const std::string& delegate_uid) {
  std::lock_guard lock(mutex_);
  recorded_.erase(delegate_uid);
  const auto found = delegates_.find(delegate_uid);
  if (found != delegates_.end() && found->second.gone) eraseLocked(delegate_uid);
}

void TargetPods::eraseLocked(const std::string& delegate_uid) {
  const auto found = delegates_.find(delegate_uid);
  const auto siblings = by_home_uid_.find(found->second.home_uid);
  std::erase(siblings->second, delegate_uid);
  if (siblings->second.empty()) by_home_uid_.erase(siblings);
  recorded_.erase(delegate_uid);
  delegates_.erase(found);
}

void TargetPods::subtractForeign(const std::string& node, Resources& of) const {
  std::lock_guard lock(mutex_);
  subtract(of, foreign_.on(node));
}

std::uint64_t TargetPods::versionOf(const std::string& home_uid) const {
  std::lock_guard lock(mutex_);
  const auto all = by_home_uid_.find(home_uid);
  if (all == by_home_uid_.end()) return 0;
  std::uint64_t newest = 0;
  for (const std::string& uid : all->second) {
    newest = std::max(newest, delegates_.at(uid).version);
  }
  return newest;
}

void TargetPods::touch(const std::string& home_uid) {
  std::lock_guard lock(mutex_);
  const auto all = by_home_uid_.find(home_uid);
  if (all == by_home_uid_.end()) return;
  for (const std::string& uid : all->second) delegates_.at(uid).version = ++version_;
}

json::ObjectPtr TargetPods::slim(json::ObjectPtr object) const {
  bool ours = object->raw.find(kLabelHomeUid) != std::string::npos;
  if (!ours) {
    std::lock_guard lock(mutex_);
    ours = recorded_.contains(object->uid) || delegates_.contains(object->uid);
  }
  return ours ? slimDelegate(*object) : slimForeign(*object);
}

json::ObjectPtr TargetPods::take(json::ObjectPtr item) {
  json::ObjectPtr small = slim(std::move(item));
  std::lock_guard lock(mutex_);
  const auto held = delegates_.find(small->uid);
  const bool same = held != delegates_.end() && json::isSame(held->second.pod, small);
  return same ? held->second.pod : json::packed(small);
}

void TargetPods::replace(std::vector<json::ObjectPtr> items) {
  std::vector<std::string> changed;
  bool usage = false;
  {
    std::lock_guard lock(mutex_);
    std::unordered_set<std::string> present;
    for (const auto& item : items) present.insert(item->uid);
    std::vector<std::string> missing;
    for (const auto& [uid, delegate] : delegates_) {
      if (!delegate.gone && !present.contains(uid)) missing.push_back(uid);
    }
    // Absence from a list is no proof of anything: gone, but not seen to go.
    // Made by us, and gone before it was ever seen: nothing else will tell of it.
    for (const auto& [uid, home_uid] : recorded_) {
      if (!present.contains(uid) && !delegates_.contains(uid)) changed.push_back(home_uid);
    }
    if (!base::protects(base::Protection::kRelistDiff)) missing.clear();
    for (const auto& uid : missing) changed.push_back(removeLocked(uid, nullptr, false));
    usage_changed_ |= foreign_.keepOnly(items);
    for (const auto& item : items) changed.push_back(upsertLocked(item));
    usage = std::exchange(usage_changed_, false);
  }
  notify(changed, usage);
}

void TargetPods::upsert(json::ObjectPtr object) {
  object = slim(std::move(object));
  std::string changed;
  bool usage;
  {
    std::lock_guard lock(mutex_);
    changed = upsertLocked(object);
    usage = std::exchange(usage_changed_, false);
  }
  notify({changed}, usage);
}

void TargetPods::remove(json::ObjectPtr object) {
  object = slim(std::move(object));
  std::string changed;
  bool usage;
  {
    std::lock_guard lock(mutex_);
    // One that we know of and never saw (a lost record, labels taken off): its end counts.
    if (recorded_.contains(object->uid)) upsertLocked(object);
    changed = removeLocked(object->uid, object, true);
    usage_changed_ |= foreign_.set(object->uid, "", {});
    usage = std::exchange(usage_changed_, false);
  }
  notify({changed}, usage);
}

std::string TargetPods::upsertLocked(const json::ObjectPtr& item) {
  const auto known = delegates_.find(item->uid);
  const auto recorded = recorded_.find(item->uid);
  const bool ours_by_uid = known != delegates_.end() || recorded != recorded_.end();
  // A list that tells nothing new, of many thousands perhaps.
  const bool there = known != delegates_.end() && !known->second.gone;
  if (there && json::isSame(known->second.pod, item)) return "";
  const json::ObjectPtr object = json::unpacked(item);
  // Most pods of a target are not ours: the label's name is looked for first.
  const bool may_be_labelled = object->raw.find(kLabelHomeUid) != std::string::npos;
  std::string home_uid;
  if (may_be_labelled) home_uid = homeUidOf(*object, options_.home_id, options_.node);
  if (home_uid.empty() && !ours_by_uid) {
    const Json pod = object->parse();
    usage_changed_ |=
        foreign_.set(object->uid, json::str(pod, {"spec", "nodeName"}), requestsOf(pod));
    return "";
  }
  const std::string label = home_uid;
  if (known != delegates_.end()) {
    home_uid = known->second.home_uid;
  } else if (recorded != recorded_.end()) {
    home_uid = recorded->second;
  }
  if (known == delegates_.end()) {
    by_home_uid_[home_uid].push_back(object->uid);
    // Somebody else's until its labels were put on, perhaps.
    usage_changed_ |= foreign_.set(object->uid, "", {});
  }
  Delegate& delegate = delegates_[object->uid];
  const auto rekeyed = delegate.rekeyed ? delegate.rekeyed : isRekeyed(*object);
  const auto before = there && delegate.end_asked ? json::unpacked(delegate.pod) : nullptr;
  const bool no_news = before && isNewOnlyInItsEnd(*object, *before);
  const bool taken_back = before && endOf(*object).empty() && !endOf(*before).empty();
  delegate = {.pod = object,
              .home_uid = home_uid,
              .labelled = label == home_uid,
              .rekeyed = rekeyed,
              .end_asked = before && !taken_back,
              .observed = clock_.now(),
              .version = ++version_};
  by_place_[object->key()] = object->uid;
  if (const json::ObjectPtr old = recent_.push(object)) packLocked(old);
  return no_news ? "" : home_uid;
}

/// Where it is still what is held.
void TargetPods::packLocked(const json::ObjectPtr& held) {
  const auto found = delegates_.find(held->uid);
  if (found != delegates_.end() && found->second.pod == held) {
    found->second.pod = json::packed(held);
  }
}

std::string TargetPods::removeLocked(const std::string& uid, const json::ObjectPtr& last,
                                     bool seen) {
  const auto found = delegates_.find(uid);
  if (found == delegates_.end()) return "";
  Delegate& delegate = found->second;
  if (last) delegate.pod = last;
  delegate.gone = true;
  delegate.gone_seen = seen && !endOf(*json::unpacked(delegate.pod)).empty();
  delegate.observed = clock_.now();
  delegate.version = ++version_;
  const auto place = by_place_.find(delegate.pod->key());
  if (place != by_place_.end() && place->second == uid) by_place_.erase(place);
  return delegate.home_uid;
}

void TargetPods::notify(const std::vector<std::string>& home_uids, bool usage_changed) {
  for (const auto& uid : home_uids) {
    if (!uid.empty()) options_.on_delegate(uid);
  }
  if (usage_changed) options_.on_foreign_usage();
}

}  // namespace vkb::bridge
