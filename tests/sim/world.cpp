#include "world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/metrics.h"
#include "bridge/claim.h"
#include "bridge/cluster.h"
#include "bridge/names.h"
#include "json/json.h"
#include "kube/identity.h"
#include "support/api_errors.h"
#include "watching.h"

namespace vkb::sim {
namespace {

/// What SQLite makes of files as kill -9 leaves them is seen at every fourth crash: it costs as
/// much as all the rest of one.
constexpr int kCrashesToOneOfTheFiles = 4;

bool verbose() {
  static const bool on = std::getenv("SIM_LOG") != nullptr;
  return on;
}

void tell(const Clock& clock, const std::string& who, const std::string& what) {
  const auto at = std::chrono::duration_cast<std::chrono::milliseconds>(
      clock.now().time_since_epoch() - std::chrono::hours(1));
  std::fprintf(stderr, "%9.3f %s: %s\n", static_cast<double>(at.count()) / 1000, who.c_str(),
               what.c_str());
}

/// Finds a secret in what is logged; prints it all where SIM_LOG is set.
class LeakLogger final : public base::Logger {
 public:
  LeakLogger(std::string secret, const std::string& actor, const Clock& clock)
      : secret_(std::move(secret)), actor_(actor), clock_(clock) {}
  bool enabled(base::LogLevel level) const override {
    return verbose() || level >= base::LogLevel::kInfo;
  }
  void write(base::LogLevel, std::string_view message,
             std::initializer_list<base::LogField> fields) override {
    if (verbose()) {
      std::string text(message);
      for (const auto& field : fields) text += " " + std::string(field.key) + "=" + field.value;
      tell(clock_, actor_, text);
    }
    leaked_ |= message.find(secret_) != std::string_view::npos;
    for (const auto& field : fields) leaked_ |= field.value.find(secret_) != std::string::npos;
  }
  bool leaked() const { return leaked_; }

 private:
  const std::string secret_, actor_;
  const Clock& clock_;
  bool leaked_ = false;
};

/// A write as it takes effect.
void tellChange(const Clock& clock, const std::string& cluster, const test::Change& change) {
  const bool node = change.resource == "nodes";
  if (change.resource != "pods" && !node && change.verb != "restore" && change.verb != "identity") {
    return;
  }
  const auto& version = change.after ? change.after : change.before;
  std::string text = cluster + " " + change.verb + " " + change.ns + "/" + change.name;
  if (version && node) {
    for (const auto& condition : json::array(version->json(), {"status", "conditions"})) {
      text += " " + json::str(condition, "type") + "=" + json::str(condition, "status");
    }
  } else if (version) {
    text += " " + version->uid().substr(0, 8) + " " +
            json::str(version->json(), {"status", "phase"}) + " " +
            json::str(version->json(), {"status", "reason"});
  }
  tell(clock, change.actor, text + (change.after ? "" : " GONE"));
}

test::FakeClusterOptions options(const std::string& name, std::uint64_t seed) {
  return {.name = name, .seed = seed, .pod_defaults = false};
}

}  // namespace

/// One incarnation.
struct Bridge {
  Bridge(const std::string& secret, const std::string& actor, const Clock& clock)
      : logger(secret, actor, clock) {}
  std::unique_ptr<test::ExecutorScope> executor;
  LeakLogger logger;
  base::Metrics metrics;
  std::unique_ptr<bridge::HomeObjects> home_objects;
  std::vector<std::unique_ptr<bridge::Cluster>> clusters;
  std::vector<std::shared_ptr<kube::IdentityProof>> proofs;  ///< one a target
};

Target::Target(test::FakeRuntime& runtime, std::string n, std::uint64_t seed)
    : node(std::move(n)),
      cluster(runtime, options("target-" + node, seed)),
      scheduler(cluster),
      kubelet(cluster, "worker-1"),
      id(cluster.clusterId()) {
  cluster.addNode("worker-1");
  scheduler.runAutomatically();
  kubelet.runAutomatically();
}

World::World(const Script& script)
    : runtime(script.seed),
      home(runtime, options("home", script.seed * 2 + 1)),
      first{.name = "a", .home = home},
      secret("s3cr3t-" + std::to_string(script.seed)),
      hold(script.hold),
      watching_(std::make_unique<Watching>()) {
  runtime.executor.shuffle(script.seed);
  const int count = script.company == Company::kBrokenTarget ? 2 : 1;
  for (int i = 1; i <= count; ++i) {
    targets.push_back(std::make_unique<Target>(runtime, "t" + std::to_string(i),
                                               script.seed * 2 + static_cast<std::uint64_t>(i)));
  }
  if (script.company == Company::kClonedHome) {
    clone = std::make_unique<test::FakeCluster>(runtime, options("clone", script.seed * 2 + 9));
  }
  if (script.company == Company::kSecondBridge || clone) {
    second =
        std::make_unique<Installation>(Installation{.name = "b", .home = clone ? *clone : home});
    second->store = newStore(*second);
  }
  first.store = newStore(first);
  for (test::FakeCluster* cluster : clusters()) {
    cluster->record_requests = false;
    if (verbose()) {
      cluster->onChange([this, name = cluster->name()](const test::Change& change) {
        tellChange(runtime.clock, name, change);
      });
    }
    cluster->beforeRequest = [this](const test::Request& request) { onRequest(request, false); };
    cluster->afterRequest = [this](const test::Request& request) { onRequest(request, true); };
  }
  home.addNamespace("work");
  addSecret(home);
}

void World::addSecret(test::FakeCluster& cluster) {
  cluster.add(kube::kSecrets, {{"metadata", {{"name", kSecret}, {"namespace", "work"}}},
                               {"data", {{"t", secret}}}});
}

World::~World() {
  if (first.running) crash(first);
  if (second && second->running) crash(*second);
  // A killed program runs no destructors, and those of a half-finished turn would wait for it for
  // ever: the dead stay where they are, for as long as this process lives.
  static auto* const graveyard = new std::vector<std::unique_ptr<Bridge>>;
  for (auto& bridge : dead_) graveyard->push_back(std::move(bridge));
  static auto* const watched = new std::vector<std::unique_ptr<Watching>>;
  watched->push_back(std::move(watching_));
}

std::unique_ptr<SimStore> World::newStore(Installation& installation) {
  return std::make_unique<SimStore>(secret, [this, owner = &installation](bool after) {
    if (owner->running) onStep(*owner, after);
  });
}

std::vector<test::FakeCluster*> World::clusters() {
  std::vector<test::FakeCluster*> all{&home};
  for (const auto& target : targets) all.push_back(&target->cluster);
  if (clone) all.push_back(clone.get());
  return all;
}

Target& World::targetOf(const std::string& node) {
  for (const auto& target : targets) {
    if (target->node == node) return *target;
  }
  return *targets.front();
}

Installation* World::installationOf(const std::string& actor) {
  if (actor.starts_with("bridge-a-")) return &first;
  return second && actor.starts_with("bridge-b-") ? second.get() : nullptr;
}

void World::start(Installation& installation) {
  if (installation.running) return;
  installation.store->open();
  installation.started = runtime.clock.now();
  installation.actor =
      "bridge-" + installation.name + "-" + std::to_string(++installation.incarnation);
  auto bridge = std::make_unique<Bridge>(secret, installation.actor, runtime.clock);
  bridge->executor = runtime.executor.scope();
  const Runtime parts{runtime.clock, *bridge->executor, runtime.random};
  bridge->home_objects = std::make_unique<bridge::HomeObjects>(
      parts, watching_->client(installation.home, installation.actor), bridge->logger);
  for (const auto& target : targets) {
    auto proof = bridge->proofs.emplace_back(std::make_shared<kube::IdentityProof>());
    auto guard = std::make_unique<kube::IdentityGuard>(
        watching_->client(target->cluster, installation.actor), target->id, std::move(proof));
    const kube::IdentityGuard* identity = guard.get();
    state::ClusterConfig config;
    config.name = target->node;
    config.target_id = target->id;
    config.options.hold_unreachable = hold;
    bridge->clusters.push_back(std::make_unique<bridge::Cluster>(
        bridge::Cluster::Deps{
            .runtime = parts,
            .home = watching_->client(installation.home, installation.actor),
            .home_objects = *bridge->home_objects,
            .target = std::move(guard),
            .identity_differs = [identity] { return identity->identityDiffers(); },
            .store = *installation.store,
            .dependencies = *installation.store,
            .publish = [](const state::ClusterHealth&) {},
            .logger = bridge->logger,
            .metrics = bridge->metrics},
        bridge::Cluster::Options{.config = config,
                                 .home_id = installation.home.clusterId(),
                                 .installation_id = installation.name,
                                 .host_ip = "192.0.2.1",
                                 .concurrency = 4}));
  }
  installation.running = std::move(bridge);
  try {
    for (const auto& cluster : installation.running->clusters) {
      static_cast<void>(cluster->start());
    }
  } catch (const Killed&) {
    crash(installation);
  }
}

void World::crash(Installation& installation) {
  installation.running->executor->drop();
  for (test::FakeCluster* cluster : clusters()) {
    cluster->setDown(installation.actor, true);
    cluster->cutWatches(installation.actor);
  }
  if (fall_ && fall_->installation == &installation) fall_.reset();
  dead_.push_back(std::move(installation.running));
  installation.store->crash(++crashes_ % kCrashesToOneOfTheFiles == 0);
}

void World::crashAt(Installation& installation, int n, bool after) {
  fall_ = Fall{&installation, n, after};
}

/// Whoever puts a machine back in order takes longer than a request can stay under way.
void World::loseStore(Installation& installation) {
  if (installation.running) crash(installation);
  const std::set<std::string> known = installation.store->created();
  installation.store->lose();
  advance(kube::kWriteTimeout + std::chrono::seconds(1));
  for (const auto& pod : installation.home.all(kube::kPods)) {
    const std::string delegate =
        json::str(pod->json(), {"metadata", "annotations", bridge::kAnnotationDelegate});
    if (known.contains(pod->uid()) && !delegate.empty() && hasStarted(pod->json())) {
      installation.store->remember(pod->uid(), delegate.substr(delegate.rfind('/') + 1));
    }
  }
}

void World::takeOver(Installation& installation) {
  for (const auto& target : targets) {
    const auto client = target->cluster.client("operator");
    static_cast<void>(bridge::takeOverClaim(runtime.clock, *client,
                                            {.ns = state::ClusterOptions{}.claim_namespace,
                                             .home_id = installation.home.clusterId(),
                                             .node = target->node,
                                             .installation = installation.name,
                                             .changed = [] {}}));
  }
}

bool World::leaked() const {
  const auto by = [](const std::unique_ptr<Bridge>& bridge) {
    return bridge && bridge->logger.leaked();
  };
  return by(first.running) || (second && by(second->running)) || std::ranges::any_of(dead_, by);
}

void World::cloneHome() { clone->restore(*home.snapshot()); }

void World::onStep(Installation& installation, bool after) {
  if (!fall_ || fall_->installation != &installation || fall_->after != after) return;
  if (--fall_->left > 0) return;
  fall_.reset();
  throw Killed{&installation};
}

void World::onRequest(const test::Request& request, bool after) {
  Installation* installation = installationOf(request.actor);
  if (installation == nullptr || !installation->running || request.actor != installation->actor) {
    return;
  }
  if (after) {
    for (auto it = triggers_.begin(); it != triggers_.end(); ++it) {
      if (!it->matches(request)) continue;
      const auto what = std::move(it->what);
      triggers_.erase(it);
      what();
      break;
    }
  }
  onStep(*installation, after);
}

void World::afterNext(test::Matcher matcher, std::function<void()> what) {
  triggers_.push_back({std::move(matcher), std::move(what)});
}

void World::onPost(std::function<void(const std::string&, const Json&)> observer) {
  watching_->on_post = std::move(observer);
}

bool World::mustKnowOfEnd(const std::string& actor, const std::string& home_uid) {
  if (watching_->told_of_end.contains({actor, home_uid})) return true;
  return !watching_->isWatching(installationOf(actor)->home, actor);
}

bool World::knowsPod(const std::string& actor, const std::string& uid) const {
  return watching_->told_of.contains({actor, uid});
}

void World::forgetWhoKnows() { watching_->told_of_end.clear(); }

void World::breakConnections(const Target& target) {
  for (const auto* bridge : {first.running.get(), second ? second->running.get() : nullptr}) {
    if (bridge == nullptr) continue;
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (targets[i].get() == &target) bridge->proofs[i]->broke();
    }
  }
}

void World::advance(Duration by) {
  const TimePoint end = runtime.clock.now() + by;
  while (runtime.clock.now() < end || runtime.executor.ready() > 0) {
    try {
      runtime.advance(std::max(Duration::zero(), end - runtime.clock.now()));
    } catch (const Killed& killed) {
      crash(*killed.installation);
    }
  }
}

std::size_t World::releaseLateWrites(test::FakeCluster& cluster) {
  late_writes_arrive_ = true;
  const std::size_t released = cluster.faults().releaseLateWrites();
  late_writes_arrive_ = false;
  return released;
}

void World::endFaults() {
  fall_.reset();
  triggers_.clear();
  for (test::FakeCluster* cluster : clusters()) {
    if (broken != nullptr && cluster == &broken->cluster) continue;
    cluster->faults().clear();
    cluster->setDown(false);
    for (const std::string& actor : {std::string(), first.actor}) {
      cluster->holdWatches(false, actor);
      cluster->cutWatchesAfter(0, actor);
    }
    if (second) cluster->holdWatches(false, second->actor);
    cluster->doubleEvents(false);
    releaseLateWrites(*cluster);
  }
}

void World::breakSecondTarget(std::uint64_t way) {
  broken = targets[1].get();
  test::FakeCluster& cluster = broken->cluster;
  switch (way % 5) {
    case 0:
      return cluster.setDown(true);
    case 1:
      return cluster.faults().refuse(test::unauthorizedFor(kube::kPods, "bridge", "list", "", ""),
                                     test::Fault::kForever);
    case 2:
      return cluster.setClusterId("another");
    case 3:
      return cluster.faults().refuse(test::forbidden(kube::kPods, "", "exceeded quota: pods=0"),
                                     test::Fault::kForever, test::requestsOf("create", "pods"));
    default:
      return cluster.faults().loseAnswers(test::Fault::kForever);
  }
}

void World::mendBrokenTarget() {
  if (broken == nullptr) return;
  if (broken->cluster.clusterId() != broken->id) {
    broken->cluster.setDown(true);
    breakConnections(*broken);
    advance(std::chrono::milliseconds(100));
    broken->cluster.setClusterId(broken->id);
  }
  broken = nullptr;
  endFaults();
}

bool hasStarted(const Json& pod) {
  if (json::str(pod, {"status", "phase"}) == "Running") return true;
  for (const char* list : {"containerStatuses", "initContainerStatuses"}) {
    for (const auto& container : json::array(pod, {"status", list})) {
      if (!json::str(container, "containerID").empty()) return true;
    }
  }
  return false;
}

}  // namespace vkb::sim
