#include "actions.h"

#include <nlohmann/json.hpp>

#include "bridge/names.h"
#include "json/json.h"

namespace vkb::sim {
namespace {

/// A seed makes no more pods than this.
constexpr std::size_t kMaxPods = 40;

std::string nameOf(const test::VersionPtr& pod) {
  return json::str(pod->json(), {"metadata", "name"});
}
std::string phaseOf(const test::VersionPtr& pod) {
  return json::str(pod->json(), {"status", "phase"});
}
std::string homeUidOf(const test::VersionPtr& pod) {
  return json::str(pod->json(), {"metadata", "labels", bridge::kLabelHomeUid});
}

Json foreignPod(const std::string& name) {
  return {
      {"metadata", {{"name", name}, {"namespace", Actions::kNamespace}}},
      {"spec",
       {{"containers", Json::array({{{"name", "c"}, {"image", "registry.example/theirs:1"}}})}}}};
}

}  // namespace

void Actions::perform(const Action& action) {
  action_ = action;
  random_.emplace(action.seed);
  said_.clear();
  if (action.kind <= Kind::kWriteSecret) {
    performAsUser(action.kind);
  } else if (action.kind <= Kind::kSlowDeletions) {
    performInTarget(action.kind);
  } else if (action.kind <= Kind::kOrderlyEnd) {
    performFault(action.kind);
  } else if (action.kind <= Kind::kTakeOver) {
    performOnBridge(action.kind);
  } else if (action.kind < Kind::kWait) {
    performTimeTravel(action.kind);
  } else {
    say("time passes");
  }
  world_.advance(action.pause);
}

test::VersionPtr Actions::pod(test::FakeCluster& cluster) {
  if (const auto named = cluster.findPod(kNamespace, name())) return named;
  const auto pods = cluster.podsIn(kNamespace);
  return pods.empty() ? nullptr : pods[below(pods.size())];
}

/// Somebody in the target who meddles with what is ours.
test::VersionPtr Actions::delegate() {
  if (target().cluster.clusterId() != target().id) return nullptr;  // that is not there just now
  const auto found = pod(target().cluster);
  return found && checker_.isOurs(found->uid()) ? found : nullptr;
}

test::FakeCluster& Actions::usersHome() {
  const bool cloned = world_.clone && world_.second->incarnation > 0;
  return cloned && chance(3) ? *world_.clone : world_.home;
}

Target& Actions::target() { return *world_.targets.front(); }

void Actions::performAsUser(Kind kind) {
  switch (kind) {
    case Kind::kCreatePod:
      return createPod();
    case Kind::kDeletePod:
      return deletePod(false);
    case Kind::kForceDeletePod:
      return deletePod(true);
    case Kind::kRecreatePod:
      return recreatePod();
    case Kind::kUpdatePod:
      return updatePod();
    case Kind::kFailPodAtHome:
      return failPodAtHome();
    case Kind::kEditStatusAtHome:
      return editStatusAtHome();
    case Kind::kHoldByFinalizer:
      return holdByFinalizer();
    default:
      return writeSecret();
  }
}

bool Actions::createAt(test::FakeCluster& home, const std::string& name) {
  if (home.findPod(kNamespace, name) || created_ >= kMaxPods) return false;
  ++created_;
  const bool other = world_.targets.size() > 1 && chance(4);
  const bool always = !chance(3);
  Json pod{{"metadata", {{"name", name}, {"namespace", kNamespace}}},
           {"spec",
            {{"nodeName", world_.targets[other ? 1 : 0]->node},
             {"restartPolicy", always ? "Always" : "Never"},
             {"terminationGracePeriodSeconds", 5}}}};
  if (chance(4)) pod["metadata"]["annotations"][bridge::kAnnotationOnDelegateLost] = "recreate";
  if (chance(8)) {
    Json container{{"name", "c"}, {"image", "registry.example/app:1"}};
    container["env"] = Json::array(
        {{{"name", "TOKEN"},
          {"valueFrom", {{"secretKeyRef", {{"name", World::kSecret}, {"key", "t"}}}}}}});
    pod["spec"]["containers"] = Json::array({std::move(container)});
  }
  home.addPod(pod);
  return true;
}

void Actions::createPod() {
  test::FakeCluster& home = usersHome();
  if (createAt(home, name())) say("a user creates " + name() + " in " + home.name());
}

void Actions::deletePod(bool force) {
  test::FakeCluster& home = usersHome();
  const auto found = pod(home);
  if (!found) return;
  say(std::string("a user ") + (force ? "force-" : "") + "deletes " + nameOf(found) + " in " +
      home.name());
  kube::DeleteOptions options;
  if (force) options.grace_period_seconds = 0;
  static_cast<void>(home.remove("user", kube::kPods, kNamespace, nameOf(found), options));
}

void Actions::recreatePod() {
  const auto found = pod(world_.home);
  if (!found) return;
  static_cast<void>(world_.home.remove("user", kube::kPods, kNamespace, nameOf(found),
                                       {.grace_period_seconds = 0}));
  say("a user force-deletes " + nameOf(found) + " and creates it anew");
  createAt(world_.home, nameOf(found));
}

void Actions::updatePod() {
  const auto found = pod(world_.home);
  if (!found) return;
  say("a user labels " + nameOf(found));
  world_.home.edit(kube::kPods, kNamespace, nameOf(found),
                   {{"metadata", {{"labels", {{"v", std::to_string(below(100))}}}}}});
}

/// As a node lifecycle controller, or a Job that reached its deadline.
void Actions::failPodAtHome() {
  const auto found = pod(world_.home);
  if (!found || phaseOf(found) == "Succeeded" || phaseOf(found) == "Failed") return;
  say("a controller fails " + nameOf(found) + " at home");
  world_.home.setPodStatus(kNamespace, nameOf(found), {{"phase", "Failed"}}, "controller");
}

void Actions::editStatusAtHome() {
  const auto found = pod(world_.home);
  if (!found || phaseOf(found) != "Running") return;
  say("somebody edits the status of " + nameOf(found));
  world_.home.setPodStatus(kNamespace, nameOf(found), {{"message", "edited"}}, "somebody");
}

void Actions::holdByFinalizer() {
  const auto found = pod(world_.home);
  if (!found || !json::str(found->json(), {"metadata", "deletionTimestamp"}).empty()) return;
  say("somebody puts a finalizer on " + nameOf(found));
  world_.home.edit(kube::kPods, kNamespace, nameOf(found),
                   {{"metadata", {{"finalizers", Json::array({"example.com/hold"})}}}});
}

/// The one that some pods refer to. Home has it from the start.
void Actions::writeSecret() {
  test::FakeCluster& home = usersHome();
  const auto found = home.find(kube::kSecrets, kNamespace, World::kSecret);
  if (!found) {
    say("a user makes the Secret");
    return world_.addSecret(home);
  }
  if (chance(3)) {
    say("a user deletes the Secret");
    static_cast<void>(home.remove("user", kube::kSecrets, kNamespace, World::kSecret));
    return;
  }
  say("a user changes the Secret");
  home.edit(kube::kSecrets, kNamespace, World::kSecret,
            {{"data", {{"t", world_.secret + std::to_string(below(100))}}}});
}

void Actions::performInTarget(Kind kind) {
  switch (kind) {
    case Kind::kEndContainers:
      return endContainers();
    case Kind::kEvict:
      return evict();
    case Kind::kDeleteDelegate:
      return deleteDelegate(false);
    case Kind::kForceDeleteDelegate:
      return deleteDelegate(true);
    case Kind::kDisownDelegate:
      return disownDelegate();
    case Kind::kReplaceDelegate:
      return replaceDelegate();
    case Kind::kMakeForeignPod:
      return makeForeignPod();
    case Kind::kMeddleWithCopy:
      return meddleWithCopy();
    case Kind::kDeleteNamespace:
      return deleteNamespace();
    case Kind::kLoseMany:
      return loseMany();
    default:
      return slowDeletions();
  }
}

void Actions::endContainers() {
  const auto found = delegate();
  if (!found || phaseOf(found) != "Running") return;
  const int code = chance(2) ? 0 : 3;
  say("containers of " + nameOf(found) + " exit " + std::to_string(code));
  target().kubelet.exitContainers(kNamespace, nameOf(found), code);
}

void Actions::evict() {
  const auto found = delegate();
  if (!found || phaseOf(found) != "Running") return;
  say("the delegate " + nameOf(found) + " is evicted");
  target().kubelet.evict(kNamespace, nameOf(found), "The node was low on resource: memory.");
}

void Actions::deleteDelegate(bool force) {
  const auto found = delegate();
  if (!found) return;
  say(std::string("somebody ") + (force ? "force-" : "") + "deletes the delegate " + nameOf(found));
  kube::DeleteOptions options;
  if (force) options.grace_period_seconds = 0;
  static_cast<void>(
      target().cluster.remove("somebody", kube::kPods, kNamespace, nameOf(found), options));
}

void Actions::disownDelegate() {
  const auto found = delegate();
  // Without its labels, a delegate whose POST was never answered is nobody's: no one can tell.
  if (!found || !world_.first.store->wasCreated(homeUidOf(found))) return;
  if (world_.second && !world_.second->store->wasCreated(homeUidOf(found))) return;
  say("somebody takes the labels off " + nameOf(found));
  target().cluster.edit(
      kube::kPods, kNamespace, nameOf(found),
      {{"metadata",
        {{"labels", {{bridge::kLabelHomeUid, nullptr}, {bridge::kLabelNode, nullptr}}}}}},
      "somebody");
}

void Actions::replaceDelegate() {
  const auto found = delegate();
  if (!found) return;
  say("somebody puts a pod of his own in the place of " + nameOf(found));
  static_cast<void>(target().cluster.remove("somebody", kube::kPods, kNamespace, nameOf(found),
                                            {.grace_period_seconds = 0}));
  static_cast<void>(
      target().cluster.create("somebody", kube::kPods, kNamespace, foreignPod(nameOf(found))));
}

void Actions::makeForeignPod() {
  test::FakeCluster& cluster = target().cluster;
  if (!cluster.find(kube::kNamespaces, "", kNamespace)) return;
  if (cluster.findPod(kNamespace, name())) return;
  say("somebody runs a pod " + name() + " in the target");
  static_cast<void>(cluster.create("somebody", kube::kPods, kNamespace, foreignPod(name())));
}

void Actions::meddleWithCopy() {
  test::FakeCluster& cluster = target().cluster;
  if (cluster.clusterId() != target().id) return;
  if (!cluster.find(kube::kNamespaces, "", kNamespace)) return;
  const auto found = cluster.find(kube::kSecrets, kNamespace, World::kSecret);
  if (found && chance(2)) {
    say("somebody edits the copy of the Secret");
    cluster.edit(kube::kSecrets, kNamespace, World::kSecret, {{"data", {{"t", "theirs"}}}},
                 "somebody");
    return;
  }
  if (found) {
    say("somebody deletes the copy of the Secret");
    static_cast<void>(cluster.remove("somebody", kube::kSecrets, kNamespace, World::kSecret));
  }
  if (chance(3)) {
    say("somebody has a Secret of that name in the target");
    static_cast<void>(
        cluster.create("somebody", kube::kSecrets, kNamespace,
                       {{"metadata", {{"name", World::kSecret}, {"namespace", kNamespace}}},
                        {"data", {{"t", "theirs"}}}}));
  }
}

void Actions::deleteNamespace() {
  if (!target().cluster.find(kube::kNamespaces, "", kNamespace)) return;
  say("somebody deletes the namespace in the target");
  static_cast<void>(target().cluster.remove("somebody", kube::kNamespaces, "", kNamespace));
}

void Actions::loseMany() {
  if (target().cluster.clusterId() != target().id) return;
  say("somebody force-deletes every delegate");
  for (const auto& each : target().cluster.podsIn(kNamespace)) {
    if (!checker_.isOurs(each->uid())) continue;
    static_cast<void>(target().cluster.remove("somebody", kube::kPods, kNamespace, nameOf(each),
                                              {.grace_period_seconds = 0}));
  }
}

void Actions::slowDeletions() {
  const bool slow = chance(2);
  say(slow ? "containers ignore SIGTERM" : "containers heed SIGTERM");
  target().kubelet.holdDeletions(slow);
  if (!slow) target().kubelet.settle();
}

}  // namespace vkb::sim
