#include <nlohmann/json.hpp>

#include "bridge/names.h"
#include "checker.h"
#include "json/json.h"

namespace vkb::sim {
namespace {

bool isActive(const Json& pod) {
  const std::string phase = json::str(pod, {"status", "phase"});
  return phase != "Succeeded" && phase != "Failed" &&
         json::str(pod, {"metadata", "deletionTimestamp"}).empty();
}

std::string condition(const Json& object, const std::string& type) {
  const Json* found = json::findBy(json::array(object, {"status", "conditions"}), "type", type);
  return found ? json::str(*found, "status") : "";
}

}  // namespace

std::vector<std::string> Checker::unsettled(const Target* except) {
  std::vector<std::string> found;
  settledPods(found, except);
  for (const auto& target : world_.targets) {
    if (target.get() == except) continue;
    settledCopy(found, *target);
    const auto node = world_.home.find(kube::kNodes, "", target->node);
    if (!node) {
      found.push_back("progress: the node " + target->node + " is not registered");
    } else if (condition(node->json(), "Ready") != "True") {
      found.push_back("progress: the node " + target->node + " is not Ready");
    }
  }
  if (world_.leaked()) found.push_back("secrets stay secrets: one was logged");
  return found;
}

/// Neither its labels nor a record nor a home object is left (the store was lost, and everything
/// else was taken away before a bridge could look): no one can tell whose it is.
bool Checker::isNobodys(const std::string& home_uid) {
  for (const auto& target : world_.targets) {
    const auto delegate = target->cluster.findPodByUid(*pods_[home_uid].live.begin());
    if (!delegate) continue;
    const Json& labels = json::object(delegate->json(), {"metadata", "labels"});
    if (!json::str(labels, bridge::kLabelHomeUid).empty()) return false;
    const auto records = world_.first.store->load(target->node);
    for (const PodRecord& record : records.value_or(std::vector<PodRecord>())) {
      if (record.uid == home_uid) return false;
    }
  }
  return true;
}

/// Its labels were taken off before any record named it, or any that was not lost: its POST was
/// never answered, or home was not told that it started. Then it is foreign, and `status` says so
/// of a pod that it is in the way of.
bool Checker::isUnknown(const Json& delegate) const {
  return json::str(delegate, {"metadata", "labels", bridge::kLabelHomeUid}).empty() &&
         !world_.first.store->knew(json::str(delegate, {"metadata", "uid"}));
}

void Checker::settledPods(std::vector<std::string>& found, const Target* except) {
  std::map<std::string, test::VersionPtr> home_pods;
  for (const auto& pod : world_.home.all(kube::kPods)) home_pods[pod->uid()] = pod;
  for (const auto& [home_uid, known] : pods_) {
    if (!known.live.empty() && !home_pods.contains(home_uid) && !isNobodys(home_uid)) {
      found.push_back("no orphan: a delegate of " + home_uid + " is left");
    }
  }
  for (const auto& [uid, object] : home_pods) {
    const Json& pod = object->json();
    Target& target = world_.targetOf(json::str(pod, {"spec", "nodeName"}));
    if (&target == except) continue;
    if (!json::str(pod, {"metadata", "deletionTimestamp"}).empty()) {
      found.push_back("no early goodbye: " + uid + " is still being deleted at home");
      continue;
    }
    const Pod& known = pods_[uid];
    if (isActive(pod) && known.live.empty() && world_.first.store->lastError(uid).empty()) {
      found.push_back("progress: " + uid + " has no delegate, and `status` says nothing of it");
    }
    if (known.live.empty()) continue;
    const auto delegate = target.cluster.findPodByUid(*known.live.begin());
    if (!delegate) continue;
    if (isUnknown(delegate->json())) {
      if (!isActive(pod) || !world_.first.store->lastError(uid).empty()) continue;
      found.push_back("progress: " + uid +
                      " is in the way of itself, and `status` does not say so");
      continue;
    }
    if (!isActive(pod)) {
      if (!isActive(delegate->json())) continue;
      found.push_back("no resurrection: " + uid + " has ended, and its delegate goes on");
      continue;
    }
    for (const char* field : {"phase", "podIP"}) {
      const std::string home = json::str(pod, {"status", field});
      const std::string there = json::str(delegate->json(), {"status", field});
      if (home == there) continue;
      found.push_back("no lie: " + uid + " shows " + field + " " + home + ", the delegate has " +
                      there);
    }
    if (condition(pod, "Ready") != condition(delegate->json(), "Ready")) {
      found.push_back("no lie: " + uid + " and its delegate differ in being Ready");
    }
  }
}

/// A copy is there for as long as a pod of home's refers to the Secret, and says what that says.
void Checker::settledCopy(std::vector<std::string>& found, Target& target) {
  const auto copy = target.cluster.find(kube::kSecrets, "work", World::kSecret);
  if (!copy || !copies_.contains(copy->uid())) return;
  bool used = false;
  for (const auto& pod : world_.home.podsIn("work")) {
    const bool here = json::str(pod->json(), {"spec", "nodeName"}) == target.node;
    used |= here && pod->raw()->raw.find("secretKeyRef") != std::string::npos;
  }
  if (!used) found.push_back("no orphan: a copy of a Secret is left that nobody refers to");
  const auto original = world_.home.find(kube::kSecrets, "work", World::kSecret);
  if (used && original && json::at(original->json(), "data") != json::at(copy->json(), "data")) {
    found.push_back("no lie: the copy of a Secret says what home's does not");
  }
}

void Checker::checkSettled(const Target* except) {
  for (const auto& what : unsettled(except)) violations_.push_back(what);
  if (world_.first.store->leaked()) {
    violate("secrets stay secrets", "one is in the state store");
  }
}

void Checker::checkGone(const std::string& home_uid) {
  const auto pod = world_.home.findPodByUid(home_uid);
  if (!pod || !pods_[home_uid].live.empty()) return;
  const auto node =
      world_.home.find(kube::kNodes, "", json::str(pod->json(), {"spec", "nodeName"}));
  // Somebody else answers in the target's place, or the brake holds: then proof has to wait.
  if (!node || condition(node->json(), "TargetReachable") != "True") return;
  if (condition(node->json(), "MassLoss") == "True") return;
  violate("no early goodbye", home_uid + " is still there, and its delegate is long gone");
}

void Checker::checkTold(const Target& target) {
  const auto node = world_.home.find(kube::kNodes, "", target.node);
  if (node && condition(node->json(), "Ready") == "True") {
    const bool said = condition(node->json(), "TargetReachable") == "False";
    if (!said || !world_.hold) {
      violate("no lie", "the node " + target.node + " is shown as Ready, and nobody reaches it");
    }
  }
  for (const auto& pod : world_.home.all(kube::kPods)) {
    const bool here = json::str(pod->json(), {"spec", "nodeName"}) == target.node;
    if (!here || !isActive(pod->json())) continue;
    if (condition(pod->json(), "Ready") == "True") {
      violate("no lie", pod->uid() + " is shown as Ready, and nobody reaches its delegate");
    }
  }
}

}  // namespace vkb::sim
