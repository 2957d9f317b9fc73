#include "actions.h"

#include <nlohmann/json.hpp>

#include "bridge/names.h"
#include "json/json.h"

namespace vkb::sim {
namespace {

constexpr const char* kNamespace = "work";

}  // namespace

std::string Actions::anyName() { return "pod-" + std::to_string(below(5)); }

test::VersionPtr Actions::anyPod(test::FakeCluster& cluster) {
  const auto pods = cluster.podsIn(kNamespace);
  return pods.empty() ? nullptr : pods[below(pods.size())];
}

void Actions::createPod() {
  const std::string name = anyName();
  if (world_.home.findPod(kNamespace, name)) return;
  note("user creates " + name);
  world_.home.addPod({{"metadata", {{"name", name}, {"namespace", kNamespace}}},
                      {"spec",
                       {{"nodeName", World::kNode},
                        {"restartPolicy", below(2) ? "Always" : "Never"},
                        {"terminationGracePeriodSeconds", 5}}}});
}

void Actions::deletePod(bool force) {
  const auto pod = anyPod(world_.home);
  if (!pod) return;
  const std::string name = json::str(pod->json(), {"metadata", "name"});
  note(std::string("user ") + (force ? "force-" : "") + "deletes " + name);
  kube::DeleteOptions options;
  if (force) options.grace_period_seconds = 0;
  static_cast<void>(world_.home.remove("user", kube::kPods, kNamespace, name, options));
}

void Actions::endContainers() {
  const auto pod = anyPod(world_.target);
  if (!pod || json::str(pod->json(), {"status", "phase"}) != "Running") return;
  const std::string name = json::str(pod->json(), {"metadata", "name"});
  const int code = below(2) ? 0 : 3;
  note("containers of " + name + " exit " + std::to_string(code));
  world_.kubelet.exitContainers(kNamespace, name, code);
}

void Actions::deleteDelegate(bool force) {
  const auto pod = anyPod(world_.target);
  if (!pod) return;
  const std::string name = json::str(pod->json(), {"metadata", "name"});
  note(std::string("somebody ") + (force ? "force-" : "") + "deletes the delegate " + name);
  kube::DeleteOptions options;
  if (force) options.grace_period_seconds = 0;
  static_cast<void>(world_.target.remove("somebody", kube::kPods, kNamespace, name, options));
}

void Actions::relabelDelegate() {
  const auto pod = anyPod(world_.target);
  // Without its labels, a delegate whose POST was never answered is nobody's: no one can tell.
  if (!pod || !world_.store.wasCreated(
                  json::str(pod->json(), {"metadata", "labels", bridge::kLabelHomeUid}))) {
    return;
  }
  const std::string name = json::str(pod->json(), {"metadata", "name"});
  note("somebody takes the labels off " + name);
  world_.target.edit(
      kube::kPods, kNamespace, name,
      {{"metadata",
        {{"labels", {{bridge::kLabelHomeUid, nullptr}, {bridge::kLabelNode, nullptr}}}}}},
      "somebody");
}

void Actions::makeForeignPod() {
  const std::string name = anyName();
  if (!world_.target.find(kube::kNamespaces, "", kNamespace)) return;
  if (world_.target.findPod(kNamespace, name)) return;
  note("somebody runs a pod " + name + " in the target");
  world_.target.addPod({{"metadata", {{"name", name}, {"namespace", kNamespace}}}}, "somebody");
}

void Actions::fault() {
  test::FakeCluster& cluster = below(2) ? world_.home : world_.target;
  switch (below(8)) {
    case 0:
      note(cluster.name() + " loses answers");
      return cluster.faults().loseAnswers(1 + static_cast<int>(below(3)));
    case 1:
      note(cluster.name() + " delays writes");
      return cluster.faults().delayWrites(1 + static_cast<int>(below(2)));
    case 2: {
      const auto released = world_.releaseLateWrites(cluster);
      if (released > 0) note(cluster.name() + " carries out late writes");
      return;
    }
    case 3:
      note("watches of " + cluster.name() + " break");
      return cluster.cutWatches();
    case 4:
      note(cluster.name() + " answers 500");
      return cluster.faults().refuse(
          {.code = 500, .reason = "InternalError", .message = "etcdserver: request timed out"},
          1 + static_cast<int>(below(4)));
    case 5: {
      const bool down = below(2) == 1;
      note(cluster.name() + (down ? " is cut off" : " is back"));
      return cluster.setDown(down);
    }
    case 6: {
      const bool hold = below(2) == 1;
      note("watches of " + cluster.name() + (hold ? " lag" : " go on"));
      return cluster.holdWatches(hold);
    }
    default:
      note("watch history of " + cluster.name() + " is compacted");
      return cluster.compact();
  }
}

void Actions::crash() {
  if (!world_.bridgeRuns()) {
    note("bridge starts");
    return world_.startBridge();
  }
  const int n = 1 + static_cast<int>(below(6));
  const bool after = below(2) == 1;
  note("bridge dies " + std::string(after ? "after" : "before") + " its " + std::to_string(n) +
       "th request from now");
  world_.crashAtRequest(n, after);
}

void Actions::step() {
  switch (below(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
      createPod();
      break;
    case 4:
    case 5:
      deletePod(false);
      break;
    case 6:
      deletePod(true);
      break;
    case 7:
      endContainers();
      break;
    case 8:
      deleteDelegate(below(3) == 0);
      break;
    case 9:
      relabelDelegate();
      break;
    case 10:
      if (below(3) == 0) makeForeignPod();
      break;
    case 11:
    case 12:
    case 13:
      fault();
      break;
    default:
      crash();
      break;
  }
  const std::uint64_t choice = below(10);
  const Duration pause = choice < 5   ? std::chrono::milliseconds(below(50))
                         : choice < 9 ? std::chrono::milliseconds(below(3000))
                                      : std::chrono::seconds(below(60));
  world_.advance(pause);
}

}  // namespace vkb::sim
