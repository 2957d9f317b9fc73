#include "load/life.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "load/crowd.h"
#include "load/statistics.h"

namespace vkb::load {
namespace {

struct Side {
  std::unique_ptr<kube::Client> client;
  std::unique_ptr<Crowd> crowd;  ///< after its client
};

Result<Side> openSide(Workplace& place, const LifeOptions& options, const std::string& kubeconfig,
                      const std::string& node) {
  auto client = place.connect(kubeconfig);
  if (!client) return failure(client.error());
  Side side{.client = std::move(*client), .crowd = nullptr};
  side.crowd = std::make_unique<Crowd>(place.runtime(), *side.client, place.logger(),
                                       Crowd::Options{.ns = options.ns,
                                                      .node = node,
                                                      .pods = options.pods,
                                                      .workers = options.workers,
                                                      .rate = options.rate});
  return side;
}

Status outOfPatience(const std::string& what, const Side& side) {
  return {.reason = reasons::kInternal,
          .message = what + ": " + std::to_string(side.crowd->census().present()) +
                     " pods are there, " + std::to_string(side.crowd->census().ready()) + " Ready"};
}

Result<double> makeAll(const Clock& clock, std::vector<Side>& sides, const LifeOptions& options) {
  const TimePoint start = clock.now();
  for (Side& side : sides) side.crowd->make();
  for (Side& side : sides) {
    if (!side.crowd->waitUntilAsked(options.patience) ||
        !side.crowd->census().waitUntilReady(options.pods, options.patience)) {
      return failure(outOfPatience("not all pods got Ready", side));
    }
  }
  return secondsBetween(start, clock.now());
}

Result<double> removeAll(const Clock& clock, std::vector<Side>& sides, PodCensus* also_empty,
                         const LifeOptions& options) {
  const TimePoint start = clock.now();
  for (Side& side : sides) side.crowd->remove();
  for (Side& side : sides) {
    if (!side.crowd->waitUntilAsked(options.patience) ||
        !side.crowd->census().waitUntilEmpty(options.patience)) {
      return failure(outOfPatience("not all pods went", side));
    }
  }
  if (also_empty && !also_empty->waitUntilEmpty(options.patience)) {
    return failure({.reason = reasons::kInternal, .message = "pods are left in the other cluster"});
  }
  return secondsBetween(start, clock.now());
}

Json startTimes(const Crowd& crowd, PodCensus& census) {
  std::vector<double> times;
  const auto asked = crowd.asked();
  for (const auto& [name, ready] : census.readySince()) {
    const auto begun = asked.find(name);
    if (begun != asked.end()) times.push_back(secondsBetween(begun->second, ready));
  }
  return {{"p50", percentile(times, 0.5)},
          {"p95", percentile(times, 0.95)},
          {"p99", percentile(times, 0.99)}};
}

}  // namespace

Result<void> runLife(const LifeOptions& options) {
  Workplace place(2 * options.workers + 16);
  std::vector<Side> sides;
  auto first = openSide(place, options, options.kubeconfig, options.node);
  if (!first) return failure(first.error());
  sides.push_back(std::move(*first));
  if (!options.second_kubeconfig.empty()) {
    auto second = openSide(place, options, options.second_kubeconfig, "");
    if (!second) return failure(second.error());
    sides.push_back(std::move(*second));
  }
  std::unique_ptr<kube::Client> other;
  std::unique_ptr<PodCensus> also_empty;
  if (!options.also_empty_kubeconfig.empty()) {
    auto client = place.connect(options.also_empty_kubeconfig);
    if (!client) return failure(client.error());
    other = std::move(*client);
    also_empty = std::make_unique<PodCensus>(place.runtime(), *other, place.logger(), options.ns);
  }
  Json result{{"pods", options.pods}};
  if (options.make) {
    const auto ready = makeAll(place.clock(), sides, options);
    if (!ready) return failure(ready.error());
    result["ready_s"] = *ready;
    result["start_s"] = startTimes(*sides[0].crowd, sides[0].crowd->census());
  }
  std::this_thread::sleep_for(options.hold);
  if (options.remove) {
    const auto removed = removeAll(place.clock(), sides, also_empty.get(), options);
    if (!removed) return failure(removed.error());
    result["deleted_s"] = *removed;
  }
  std::printf("%s\n", result.dump().c_str());
  place.executor().stop();  // before what its tasks use
  return {};
}

}  // namespace vkb::load
