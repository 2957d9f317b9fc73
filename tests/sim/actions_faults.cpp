#include <nlohmann/json.hpp>

#include "actions.h"
#include "json/json.h"
#include "support/api_errors.h"

namespace vkb::sim {
namespace {

using std::chrono::seconds;

/// Long enough for three pings in a row to fail, and for home to be told.
constexpr seconds kNoticedWithin{60};
/// No backoff lasts longer, and no create whose answer was lost can take effect any more.
constexpr seconds kCalmDown{70};
/// Whoever did not reach a server for this long lists anew; before that a server that was restored
/// must not have written as much as letItAge() does, or nobody can tell that it was.
constexpr seconds kListedAnew{30};
constexpr std::uint64_t kAgeing = 60;
/// A cache may be behind a proof for a second.
constexpr seconds kAtOnce{3};

/// A backup is older than what may be written while a watch reconnects: else no resourceVersion
/// would tell that a server went back in time.
void letItAge(test::FakeCluster& cluster) {
  const Json lease{{"metadata", {{"name", "others"}, {"namespace", "kube-public"}}}};
  if (!cluster.find(kube::kLeases, "kube-public", "others")) cluster.add(kube::kLeases, lease);
  for (std::uint64_t i = 0; i < kAgeing; ++i) {
    cluster.edit(kube::kLeases, "kube-public", "others",
                 {{"metadata", {{"annotations", {{"i", std::to_string(i)}}}}}});
  }
}

bool isHome(const World& world, const test::FakeCluster& cluster) {
  return &cluster == &world.home || &cluster == world.clone.get();
}

}  // namespace

test::FakeCluster& Actions::anyCluster() {
  const auto all = world_.clusters();
  return *all[below(all.size())];
}

Installation& Actions::anyBridge() {
  return world_.second && chance(3) ? *world_.second : world_.first;
}

void Actions::performFault(Kind kind) {
  test::FakeCluster& cluster = anyCluster();
  const std::string& where = cluster.name();
  switch (kind) {
    case Kind::kLoseAnswers:
      say(where + " loses answers");
      return cluster.faults().loseAnswers(1 + static_cast<int>(below(3)));
    case Kind::kDelayWrites:
      // Those of pods, mostly: others hardly matter when they are late.
      if (chance(4)) {
        say(where + " delays writes");
        return cluster.faults().delayWrites(1 + static_cast<int>(below(2)));
      }
      say("the target delays creates of pods");
      return target().cluster.faults().delayWrites(1, test::requestsOf("create", "pods"));
    case Kind::kLateWritesArrive: {
      std::size_t released = 0;
      for (test::FakeCluster* each : world_.clusters()) released += world_.releaseLateWrites(*each);
      if (released > 0) say("late writes arrive");
      return;
    }
    case Kind::kCutWatches:
      say("watches of " + where + " break");
      return cluster.cutWatches("", chance(3) ? 200 : 0);
    case Kind::kCutWatchesSoon:
      say("watches of " + where + " break again and again");
      return cluster.cutWatchesAfter(below(4));
    case Kind::kHoldWatches:
      say("watches of " + where + " lag");
      return cluster.holdWatches(true);
    case Kind::kReleaseWatches:
      say("watches go on");
      for (test::FakeCluster* each : world_.clusters()) each->holdWatches(false);
      return;
    case Kind::kDoubleEvents: {
      const bool on = chance(2);
      say(where + (on ? " tells every event twice" : " tells every event once"));
      return cluster.doubleEvents(on);
    }
    case Kind::kRefuse:
      return refuse();
    case Kind::kCutOff:
      say(where + " is cut off");
      return cluster.setDown(true);
    case Kind::kBack:
      say("every cluster is back");
      for (test::FakeCluster* each : world_.clusters()) {
        if (world_.broken != nullptr && each == &world_.broken->cluster) continue;
        each->setDown(false);
        each->setDown(world_.first.actor, false);
        if (world_.second) each->setDown(world_.second->actor, false);
      }
      return;
    case Kind::kPartition: {
      const Installation& bridge = anyBridge();
      if (!bridge.running) return;
      say(bridge.actor + " does not reach " + where);
      return cluster.setDown(bridge.actor, true);
    }
    case Kind::kCompact:
      say("watch history of " + where + " is compacted");
      // Whoever resumes from before this has to list.
      cluster.edit(kube::kNamespaces, "", "default",
                   {{"metadata", {{"annotations", {{"tick", std::to_string(below(1000))}}}}}});
      return cluster.compact();
    case Kind::kPhantomDelete:
      return phantomDelete();
    case Kind::kOutage:
      return outage();
    default:
      return orderlyEnd();
  }
}

void Actions::refuse() {
  test::FakeCluster& cluster = anyCluster();
  const bool home = isHome(world_, cluster);
  const std::vector<Status> answers{
      test::internalError(),
      test::serverTimeout(),
      test::tooManyRequests(),
      test::tooManyRequests(seconds(1 + below(5))),
      test::unauthorizedFor(kube::kPods, "bridge", "create", kNamespace, ""),
      test::namespaceTerminating(kube::kPods, kNamespace, name()),
      test::forbidden(kube::kPods, name(), "exceeded quota: pods=10"),
      test::expired("the resourceVersion is too old"),
  };
  const std::size_t which = below(answers.size());
  // What only the admission of creates answers.
  const bool on_create = which == 5 || which == 6;
  if (on_create && home) return;
  const int times = 1 + static_cast<int>(below(6));
  say(cluster.name() + " answers " + std::to_string(answers[which].code) + " " +
      answers[which].reason + " " + std::to_string(times) + " times");
  auto matcher = on_create    ? test::requestsOf("create", "pods")
                 : which == 7 ? test::requestsOf("watch")
                 : chance(2)  ? test::anyWrite()
                              : test::anyRequest();
  cluster.faults().refuse(answers[which], times, std::move(matcher));
}

void Actions::phantomDelete() {
  const bool at_home = chance(2);
  const auto found = at_home ? pod(world_.home) : delegate();
  // The DELETED of a pod that was being deleted is believed (design §9): that is how pods go.
  if (!found || !json::str(found->json(), {"metadata", "deletionTimestamp"}).empty()) return;
  const std::string which = json::str(found->json(), {"metadata", "name"});
  say("a watch of " + std::string(at_home ? "home" : "the target") + " says that " + which +
      " is gone, which is not so");
  world_.tellDeleted(at_home ? world_.home : target().cluster, found);
}

/// Nothing is out of order, and nothing that was believed is wrong. Does the bridge run?
bool Actions::calm() {
  world_.endFaults();
  world_.start(world_.first);
  relistAll();
  world_.advance(kCalmDown);
  return world_.first.running != nullptr;
}

/// A target that nobody reaches: home must be told, in time.
void Actions::outage() {
  calm();
  say("the target cannot be reached for a minute");
  target().cluster.setDown(true);
  for (int i = 0; i < 6; ++i) {
    world_.advance(kNoticedWithin / 6);
    if (!world_.first.running) return;
  }
  if (target().cluster.faults().isDown("")) checker_.checkTold(target());
}

/// With nothing in the way, a pod that is deleted goes as soon as its delegate has.
void Actions::orderlyEnd() {
  // Two bridges may yet have to agree on who serves.
  if (world_.second && world_.second->incarnation > 0) return;
  if (!calm()) return;
  const auto found = pod(world_.home);
  if (!found || !json::array(found->json(), {"metadata", "finalizers"}).empty()) return;
  const std::string deleted = json::str(found->json(), {"metadata", "name"});
  say("a user deletes " + deleted + ", and nothing is in the way");
  static_cast<void>(
      world_.home.remove("user", kube::kPods, kNamespace, deleted, {.grace_period_seconds = 30}));
  world_.advance(kAtOnce);
  checker_.checkGone(found->uid());
}

void Actions::performOnBridge(Kind kind) {
  switch (kind) {
    case Kind::kCrash: {
      Installation& bridge = anyBridge();
      if (!bridge.running) return;
      say(bridge.actor + " is killed");
      return world_.crash(bridge);
    }
    case Kind::kCrashSoon:
      return crashSoon();
    case Kind::kStartBridge:
      if (world_.first.running) return;
      say("the bridge starts");
      return world_.start(world_.first);
    case Kind::kLoseStore: {
      Installation& bridge = anyBridge();
      say("the store of bridge " + bridge.name + " is lost");
      return world_.loseStore(bridge);
    }
    case Kind::kSecondStarts:
      return startSecond();
    case Kind::kSecondCrashes:
      if (!world_.second || !world_.second->running) return;
      say("the second bridge is killed");
      return world_.crash(*world_.second);
    default: {
      if (!world_.second || world_.second->incarnation == 0) return;
      Installation& bridge = chance(2) ? *world_.second : world_.first;
      say("bridge " + bridge.name + " is given the claim");
      return world_.takeOver(bridge);
    }
  }
}

void Actions::crashSoon() {
  Installation& bridge = anyBridge();
  if (!bridge.running) {
    say("bridge " + bridge.name + " starts");
    if (&bridge != &world_.first && bridge.incarnation == 0) return startSecond();
    return world_.start(bridge);
  }
  const int n = 1 + static_cast<int>(below(8));
  const bool after = chance(2);
  say(bridge.actor + " dies " + (after ? "after" : "before") + " its " + std::to_string(n) +
      "th step from now");
  world_.crashAt(bridge, n, after);
}

void Actions::startSecond() {
  if (!world_.second || world_.second->running) return;
  say(world_.clone ? "the bridge of a cloned home starts" : "a second bridge starts");
  if (world_.clone && world_.second->incarnation == 0) world_.cloneHome();
  world_.start(*world_.second);
}

void Actions::performTimeTravel(Kind kind) {
  switch (kind) {
    case Kind::kSnapshotTarget:
      if (own_content_ || isJustRestored(target().cluster)) return;
      say("the target is backed up");
      target().backup = backUp(target().cluster);
      return;
    case Kind::kRestoreTarget:
      if (!target().backup || own_content_ || !hasAged(target().cluster)) return;
      say("the target is restored from its backup");
      return restore(target().cluster, *target().backup);
    case Kind::kSnapshotHome:
      if (isJustRestored(world_.home) || home_is_back_) return;
      say("home is backed up");
      home_backup_ = backUp(world_.home);
      return;
    case Kind::kRestoreHome:
      return restoreHome();
    case Kind::kFlashbackHome:
      return flashbackHome();
    case Kind::kSwapTarget:
      return swapTarget();
    default:
      return swapBack();
  }
}

void Actions::restore(test::FakeCluster& cluster, const test::FakeCluster::Snapshot& backup) {
  restored_[&cluster] = world_.runtime.clock.now();
  cluster.restore(backup);
}

bool Actions::isJustRestored(const test::FakeCluster& cluster) const {
  const auto found = restored_.find(&cluster);
  return found != restored_.end() && world_.runtime.clock.now() - found->second < kListedAnew;
}

std::shared_ptr<const test::FakeCluster::Snapshot> Actions::backUp(test::FakeCluster& cluster) {
  auto backup = cluster.snapshot();
  backup_version_[&cluster] = cluster.resourceVersion();
  letItAge(cluster);
  return backup;
}

bool Actions::hasAged(const test::FakeCluster& cluster) const {
  return cluster.resourceVersion() >= backup_version_.at(&cluster) + kAgeing;
}

void Actions::restoreHome() {
  if (!home_backup_ || !hasAged(world_.home)) return;
  say("home is restored from its backup");
  restore(world_.home, *home_backup_);
}

/// One of home's servers has gone back in time, and the next request reaches another one.
void Actions::flashbackHome() {
  if (!home_backup_ || !hasAged(world_.home)) return;
  say("home goes back to its backup until the bridge has listed its pods");
  const auto now = world_.home.snapshot();
  restore(world_.home, *home_backup_);
  home_is_back_ = true;
  world_.afterNext(test::requestsOf("list", "pods"), [this, now] {
    world_.home.restore(*now);
    home_is_back_ = false;
  });
  world_.advance(seconds(below(3)));
}

/// Another cluster answers at the target's address. Whoever swaps servers breaks connections.
void Actions::swapTarget() {
  if (own_content_) return;
  test::FakeCluster& cluster = target().cluster;
  say("another cluster answers at the target's address");
  world_.releaseLateWrites(cluster);
  cluster.setDown(true);
  world_.breakConnections(target());
  world_.advance(std::chrono::milliseconds(100));
  own_content_ = cluster.snapshot();
  checker_.goesAway(target(), true);
  cluster.setClusterId("another-" + std::to_string(below(1000)));
  cluster.setDown(false);
}

void Actions::swapBack() {
  if (!own_content_) return;
  test::FakeCluster& cluster = target().cluster;
  say("the target itself answers again");
  cluster.setDown(true);
  world_.breakConnections(target());
  world_.advance(std::chrono::milliseconds(100));
  checker_.goesAway(target(), false);
  cluster.restore(*own_content_);
  own_content_.reset();
  cluster.setDown(false);
}

void Actions::restoreOrder() {
  swapBack();
  target().kubelet.holdDeletions(false);
  target().kubelet.settle();
  for (const auto& each : world_.home.podsIn(kNamespace)) {
    if (json::array(each->json(), {"metadata", "finalizers"}).empty()) continue;
    world_.home.edit(kube::kPods, kNamespace, json::str(each->json(), {"metadata", "name"}),
                     {{"metadata", {{"finalizers", nullptr}}}});
  }
  // A bridge that nobody counts on any more; what it had claimed goes back.
  if (world_.second && world_.second->incarnation > 0) {
    if (world_.second->running) world_.crash(*world_.second);
    world_.takeOver(world_.first);
  }
  relistAll();
}

/// Caches that were told what was not so are put right by the next list.
void Actions::relistAll() {
  for (test::FakeCluster* cluster : world_.clusters()) {
    const std::string tick = "at " + std::to_string(cluster->resourceVersion());
    cluster->edit(kube::kNamespaces, "", "default",
                  {{"metadata", {{"annotations", {{"tick", tick}}}}}});
    cluster->compact();
    cluster->cutWatches();
  }
}

}  // namespace vkb::sim
