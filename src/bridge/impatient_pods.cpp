#include "bridge/impatient_pods.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "json/json.h"
#include "json/object_parts.h"

namespace vkb::bridge {
namespace {

using std::chrono::seconds;

bool tolerates(const Json& toleration, const char* taint) {
  const std::string effect = json::str(toleration, "effect");
  if (!effect.empty() && effect != "NoExecute") return false;
  const std::string key = json::str(toleration, "key");
  const bool exists = json::str(toleration, "operator") == "Exists";
  if (key.empty()) return exists;
  return key == taint && (exists || json::str(toleration, "value").empty());
}

/// The shortest time of those that match counts, as in Kubernetes' taint eviction.
std::optional<seconds> toleratedTime(const Json& tolerations, const char* taint) {
  std::optional<seconds> shortest;
  bool any = false;
  for (const Json& toleration : json::array(tolerations, {})) {
    if (!tolerates(toleration, taint)) continue;
    any = true;
    const auto time = json::integer(toleration, {"tolerationSeconds"});
    if (!time) continue;
    const seconds stays{std::max<std::int64_t>(*time, 0)};
    shortest = shortest ? std::min(*shortest, stays) : stays;
  }
  return any ? shortest : seconds(0);
}

}  // namespace

std::optional<seconds> toleratedOutage(const Json& tolerations) {
  std::optional<seconds> result;
  for (const char* taint : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    const auto time = toleratedTime(tolerations, taint);
    if (time && (!result || *time < *result)) result = time;
  }
  return result;
}

void ImpatientPods::onPod(const json::ObjectPtr& before, const json::ObjectPtr& after) {
  if (before && after) return;
  if (!after) {
    const std::lock_guard lock(mutex_);
    pods_.erase(before->uid);
    return;
  }
  const auto time = toleratedOutage(json::parseAt(*after, {"spec", "tolerations"}));
  if (!time || *time >= kShortOutage) return;
  const std::lock_guard lock(mutex_);
  pods_[after->uid] = {after->key(), *time};
}

std::string ImpatientPods::warning() const {
  const std::lock_guard lock(mutex_);
  if (pods_.empty()) return {};
  const auto first = std::min_element(pods_.begin(), pods_.end(), [](const auto& a, const auto& b) {
    return std::tie(a.second.tolerates, a.second.name) <
           std::tie(b.second.tolerates, b.second.name);
  });
  const std::string many = pods_.size() == 1 ? "1 pod" : std::to_string(pods_.size()) + " pods";
  return many + " would be evicted during an outage of less than a minute, " + first->second.name +
         " after " + std::to_string(first->second.tolerates.count()) +
         " s (tolerationSeconds); join --when-unreachable=hold keeps them";
}

}  // namespace vkb::bridge
