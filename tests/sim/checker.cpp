#include "checker.h"

#include <nlohmann/json.hpp>

#include "bridge/names.h"
#include "json/json.h"

namespace vkb::sim {
namespace {

bool byBridge(const test::Change& change) { return change.actor.starts_with("bridge"); }

std::string homeUid(const Json& delegate) {
  return json::str(delegate, {"metadata", "labels", bridge::kLabelHomeUid});
}

std::string uidOf(const Json& object) { return json::str(object, {"metadata", "uid"}); }

bool isTerminal(const Json& pod) {
  const std::string phase = json::str(pod, {"status", "phase"});
  return phase == "Succeeded" || phase == "Failed";
}

bool isActive(const Json& pod) {
  return !isTerminal(pod) && json::str(pod, {"metadata", "deletionTimestamp"}).empty();
}

}  // namespace

Checker::Checker(World& world) : world_(world) {
  world.target.onChange([this](const test::Change& change) { onTarget(change); });
  world.home.onChange([this](const test::Change& change) { onHome(change); });
}

void Checker::violate(const std::string& invariant, const std::string& what) {
  violations_.push_back(invariant + ": " + what);
}

void Checker::created(const test::Change& change) {
  const Json& pod = change.after->json();
  const std::string home_uid = homeUid(pod), uid = uidOf(pod);
  ours_.insert(uid);
  live_[home_uid].insert(uid);
  if (live_[home_uid].size() > 1) violate("one delegate", home_uid + " has two live delegates");
  // Somebody took the delegate away while a request that makes it was on its way: nothing could
  // have held that up. What counts is that it does not stay, which checkSettled() sees.
  const bool beyond_us = world_.lateWritesArrive() && taken_.contains(home_uid);
  // A delegate whose POST was never answered and that somebody else removed unseen leaves no trace:
  // making it (again) is all that can be done.
  if (++made_[home_uid] > 1 && !beyond_us && world_.store.wasCreated(home_uid)) {
    violate("no resurrection", home_uid + " was made a second time");
  }
  if (released_.contains(home_uid)) {
    violate("no early goodbye", home_uid + " was made after its home object had been removed");
  }
  if (ended_.contains(home_uid) && !beyond_us)
    violate("no resurrection", home_uid + " was made after its end");
}

void Checker::onTarget(const test::Change& change) {
  if (change.resource != "pods") return;
  if (byBridge(change)) {
    if (!change.before) {
      created(change);
    } else if (!ours_.contains(uidOf(change.before->json()))) {
      violate("no theft", change.verb + " of a foreign pod " + change.ns + "/" + change.name);
    }
  }
  if (change.verb == "delete" && change.actor == "somebody") {
    taken_.insert(homeUid(change.before->json()));
  }
  if (change.before && !change.after) {
    for (auto& [home_uid, uids] : live_) uids.erase(uidOf(change.before->json()));
  }
}

void Checker::onHome(const test::Change& change) {
  if (change.resource != "pods") return;
  if (change.after && isTerminal(change.after->json())) ended_.insert(uidOf(change.after->json()));
  if (change.before && change.after) {
    const Json &before = change.before->json(), &after = change.after->json();
    if (isTerminal(before) &&
        json::str(before, {"status", "phase"}) != json::str(after, {"status", "phase"}) &&
        byBridge(change)) {
      violate("terminal is final", uidOf(before) + " changed its final phase");
    }
  }
  if (!change.before || change.after || !byBridge(change)) return;
  const std::string uid = uidOf(change.before->json());
  released_.insert(uid);
  if (!live_[uid].empty()) {
    violate("no early goodbye", uid + " was removed from home while its delegate was there");
  }
}

void Checker::checkSettled() {
  std::map<std::string, const Json*> home_pods;
  for (const auto& pod : world_.home.all(kube::kPods)) home_pods[pod->uid()] = &pod->json();
  for (const auto& [home_uid, uids] : live_) {
    if (!uids.empty() && !home_pods.contains(home_uid)) {
      violate("no orphan", "a delegate of " + home_uid + " is left");
    }
  }
  for (const auto& [uid, pod] : home_pods) {
    if (!json::str(*pod, {"metadata", "deletionTimestamp"}).empty()) {
      violate("deletions finish", uid + " is still being deleted at home");
      continue;
    }
    const auto live = live_.find(uid);
    const bool has_delegate = live != live_.end() && !live->second.empty();
    if (isActive(*pod) && !has_delegate && world_.store.lastError(uid).empty()) {
      violate("progress", uid + " has no delegate and `status` gives no reason for that");
    }
    if (!has_delegate || !isActive(*pod)) continue;
    const auto delegate = world_.target.findPodByUid(*live->second.begin());
    for (const char* field : {"phase", "podIP"}) {
      const std::string home = json::str(*pod, {"status", field});
      const std::string there = json::str(delegate->json(), {"status", field});
      if (home != there) {
        violate("no lie", uid + " shows " + field + " " + home + ", the delegate has " + there);
      }
    }
  }
  for (const auto& node : world_.home.all(kube::kNodes)) {
    for (const auto& condition : json::array(node->json(), {"status", "conditions"})) {
      if (json::str(condition, "type") == "Ready" && json::str(condition, "status") != "True") {
        violate("progress", "the node is not Ready: " + json::str(condition, "message"));
      }
    }
  }
}

}  // namespace vkb::sim
