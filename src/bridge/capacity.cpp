#include "bridge/capacity.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::bridge {
namespace {

/// {"cpu": "1", …} -> amounts. What cannot be read is left out: one odd entry of one node must not
/// hide the others.
Resources amounts(const Json& list) {
  Resources result;
  if (!list.is_object()) return result;
  for (const auto& [name, value] : list.items()) {
    if (!value.is_string()) continue;
    if (auto amount = json::Quantity::parse(value.get<std::string>())) result[name] = *amount;
  }
  return result;
}

void takeMax(Resources& total, const Resources& other) {
  for (const auto& [name, amount] : other) {
    const auto [entry, added] = total.try_emplace(name, amount);
    if (!added) entry->second = std::max(entry->second, amount);
  }
}

Resources requests(const Json& container) {
  return amounts(json::at(container, {"resources", "requests"}));
}

/// resource.PodRequests of k8s.io/component-helpers: sidecars that were started stay, so an init
/// container runs beside those before it, and the containers beside all of them.
Resources containerRequests(const Json& spec) {
  Resources sidecars, init_peak;
  for (const Json& container : json::array(spec, {"initContainers"})) {
    Resources here = requests(container);
    if (json::str(container, "restartPolicy") == "Always") {
      add(sidecars, here);
      here = sidecars;
    } else {
      add(here, sidecars);
    }
    takeMax(init_peak, here);
  }
  Resources total = std::move(sidecars);
  for (const Json& container : json::array(spec, {"containers"})) add(total, requests(container));
  takeMax(total, init_peak);
  return total;
}

}  // namespace

Resources parseResources(const std::map<std::string, std::string>& texts) {
  Resources result;
  for (const auto& [name, text] : texts) {
    if (auto amount = json::Quantity::parse(text)) result[name] = *amount;
  }
  return result;
}

bool isReady(const Json& node) {
  const Json* const ready = json::findBy(json::at(node, {"status", "conditions"}), "type", "Ready");
  return ready != nullptr && json::str(*ready, "status") == "True";
}

Resources allocatableOf(const Json& node) {
  if (!isReady(node) || json::boolean(node, {"spec", "unschedulable"})) return {};
  return amounts(json::at(node, {"status", "allocatable"}));
}

Resources requestsOf(const Json& pod) {
  const std::string phase = json::str(pod, {"status", "phase"});
  if (phase == "Succeeded" || phase == "Failed") return {};
  const Json& spec = json::at(pod, "spec");
  Resources total = containerRequests(spec);
  // Requests of the pod as a whole take the place of its containers' sum.
  for (const auto& [name, amount] : amounts(json::at(spec, {"resources", "requests"}))) {
    total[name] = amount;
  }
  add(total, amounts(json::at(spec, "overhead")));
  total["pods"] = json::Quantity::fromUnits(1);
  return total;
}

void add(Resources& total, const Resources& other) {
  for (const auto& [name, amount] : other) total[name] += amount;
}

void subtract(Resources& total, const Resources& other) {
  for (const auto& [name, amount] : other) {
    if (const auto entry = total.find(name); entry != total.end()) entry->second -= amount;
  }
}

void clampAtZero(Resources& total) {
  for (auto& [name, amount] : total) {
    if (amount.isNegative()) amount = {};
  }
}

void capAt(Resources& total, const Resources& limits) {
  for (auto& [name, amount] : total) {
    const auto limit = limits.find(name);
    if (limit != limits.end()) amount = std::min(amount, limit->second);
  }
}

Resources withPodLimit(Resources limits) {
  constexpr int kKubeletsMaxPods = 110;
  limits.try_emplace("pods", json::Quantity::fromUnits(kKubeletsMaxPods));
  return limits;
}

Json toCapacity(const Resources& total) {
  Json capacity = Json::object();
  for (const auto& [name, amount] : total) {
    json::Quantity shown = amount.isNegative() ? json::Quantity() : amount;
    // Only CPU is handed out in parts; API servers refuse a fraction of an extended resource.
    if (name != "cpu") shown = shown.floorUnits();
    capacity[name] = shown.toString();
  }
  return capacity;
}

}  // namespace vkb::bridge
