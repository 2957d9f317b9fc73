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
    if (known.live.empty() || !isActive(pod)) continue;
    const auto delegate = target.cluster.findPodByUid(*known.live.begin());
    if (!delegate) continue;
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

void Checker::checkSettled(const Target* except) {
  for (const auto& what : unsettled(except)) violations_.push_back(what);
  if (world_.first.store->holds(world_.secret)) {
    violate("secrets stay secrets", "one is in the state store");
  }
}

void Checker::checkTold(const Target& target) {
  const auto node = world_.home.find(kube::kNodes, "", target.node);
  if (node && condition(node->json(), "Ready") == "True") {
    violate("no lie", "the node " + target.node + " is shown as Ready, and nobody reaches it");
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
