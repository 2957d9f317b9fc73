#include "world.h"

#include <nlohmann/json.hpp>

#include "bridge/cluster.h"
#include "kube/identity.h"

namespace vkb::sim {

Result<std::vector<PodRecord>> MemoryStore::load(std::string_view node) {
  std::vector<PodRecord> result;
  for (const auto& [uid, record] : records_) {
    if (record.node == node) result.push_back(record);
  }
  return result;
}

Result<void> MemoryStore::put(const PodRecord& record) {
  records_[record.uid] = record;
  if (!record.provider_uid.empty()) created_.insert(record.uid);
  return {};
}

Result<void> MemoryStore::erase(std::string_view uid) {
  records_.erase(std::string(uid));
  return {};
}

struct World::Bridge {
  std::string actor;
  std::unique_ptr<test::ExecutorScope> executor;
  base::NullLogger logger;
  base::Metrics metrics;
  std::unique_ptr<bridge::Cluster> cluster;
};

World::World(std::uint64_t seed)
    : runtime(seed),
      home(runtime, {.name = "home", .seed = seed * 2 + 1}),
      target(runtime, {.name = "target", .seed = seed * 2 + 2}),
      target_scheduler(target),
      kubelet(target, "worker-1") {
  runtime.executor.shuffle(seed);
  target.addNode("worker-1");
  target_scheduler.runAutomatically();
  kubelet.runAutomatically();
  home.beforeRequest =
      target.beforeRequest = [this](const test::Request& request) { onRequest(request, false); };
  home.afterRequest =
      target.afterRequest = [this](const test::Request& request) { onRequest(request, true); };
}

World::~World() {
  if (bridge_) crashBridge();
  // A killed program runs no destructors, and those of a half-finished turn would wait for it for
  // ever: the dead stay where they are, for as long as this process lives.
  static auto* const graveyard = new std::vector<std::unique_ptr<Bridge>>;
  for (auto& bridge : dead_) graveyard->push_back(std::move(bridge));
}

void World::startBridge() {
  auto bridge = std::make_unique<Bridge>();
  bridge->actor = "bridge-" + std::to_string(++incarnation_);
  bridge->executor = runtime.executor.scope();
  auto guard =
      std::make_unique<kube::IdentityGuard>(target.client(bridge->actor), target.clusterId());
  const kube::IdentityGuard* identity = guard.get();
  state::ClusterConfig config;
  config.name = kNode;
  config.target_id = target.clusterId();
  bridge->cluster = std::make_unique<bridge::Cluster>(
      bridge::Cluster::Deps{.runtime = {runtime.clock, *bridge->executor, runtime.random},
                            .home = home.client(bridge->actor),
                            .target = std::move(guard),
                            .identity_differs = [identity] { return identity->identityDiffers(); },
                            .store = store,
                            .publish = [](const state::ClusterHealth&) {},
                            .logger = bridge->logger,
                            .metrics = bridge->metrics},
      bridge::Cluster::Options{.config = config,
                               .home_id = home.clusterId(),
                               .installation_id = "installation-1",
                               .host_ip = "192.0.2.1",
                               .concurrency = 4});
  bridge_ = std::move(bridge);
  try {
    static_cast<void>(bridge_->cluster->start());
  } catch (const Killed&) {
    crashBridge();
  }
}

void World::crashBridge() {
  bridge_->executor->drop();
  for (test::FakeCluster* cluster : {&home, &target}) {
    cluster->setDown(bridge_->actor, true);
    cluster->cutWatches(bridge_->actor);
  }
  crash_in_.reset();
  dead_.push_back(std::move(bridge_));
}

void World::crashAtRequest(int n, bool after) {
  crash_in_ = n;
  crash_after_ = after;
}

void World::onRequest(const test::Request& request, bool after) {
  if (!bridge_ || request.actor != bridge_->actor || !crash_in_ || after != crash_after_) return;
  if (--*crash_in_ <= 0) {
    crash_in_.reset();
    throw Killed{};
  }
}

void World::advance(Duration by) {
  const TimePoint end = runtime.clock.now() + by;
  while (runtime.clock.now() < end || runtime.executor.ready() > 0) {
    try {
      runtime.advance(std::max(Duration::zero(), end - runtime.clock.now()));
    } catch (const Killed&) {
      crashBridge();
    }
  }
}

std::size_t World::releaseLateWrites(test::FakeCluster& cluster) {
  late_writes_arrive_ = true;
  const std::size_t released = cluster.faults().releaseLateWrites();
  late_writes_arrive_ = false;
  return released;
}

void World::heal() {
  crash_in_.reset();
  for (test::FakeCluster* cluster : {&home, &target}) {
    cluster->faults().clear();
    cluster->setDown(false);
    cluster->holdWatches(false);
    cluster->doubleEvents(false);
    releaseLateWrites(*cluster);
  }
  if (!bridge_) startBridge();
  // Longer than any backoff, attempt window or brake.
  advance(std::chrono::minutes(25));
}

}  // namespace vkb::sim
