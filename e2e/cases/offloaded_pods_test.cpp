// The ordinary life of pods: they run in the target, home shows what the target says, and they go.

#include <set>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/names.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

class OffloadedPods : public WorldTest {
 protected:
  static void SetUpTestSuite() { openWorld({.name = "pods"}); }

  /// Each of these home pods shows what its delegate says, and the delegate carries our ownership.
  static void expectIsItsDelegate(const Json& pod, const Json& delegate) {
    const World& w = world();
    const std::string key = keyOf(pod);
    EXPECT_EQ(keyOf(delegate), key);
    EXPECT_EQ(label(delegate, kHomeUidLabel), uidOf(pod));
    EXPECT_EQ(label(delegate, kHomeClusterLabel), w.home_id);
    EXPECT_EQ(label(delegate, kNodeLabel), w.node);
    EXPECT_EQ(label(delegate, "app"), label(pod, "app")) << "the pod's own labels go over";
    EXPECT_EQ(annotation(delegate, kHomePodAnnotation), key);
    EXPECT_EQ(annotation(pod, kDelegateAnnotation), key + "/" + uidOf(delegate));
    EXPECT_FALSE(json::str(delegate, {"status", "podIP"}).empty());
    EXPECT_EQ(json::str(pod, {"status", "podIP"}), json::str(delegate, {"status", "podIP"}));
    EXPECT_EQ(json::at(pod, {"status", "podIPs"}), json::at(delegate, {"status", "podIPs"}));
    EXPECT_EQ(json::str(pod, {"spec", "nodeName"}), w.node);
    EXPECT_NE(json::str(delegate, {"spec", "nodeName"}), w.node);
    const Json& mine = json::array(pod, {"status", "containerStatuses"});
    const Json& theirs = json::array(delegate, {"status", "containerStatuses"});
    ASSERT_EQ(mine.size(), 1U);
    ASSERT_EQ(theirs.size(), 1U);
    EXPECT_EQ(json::str(mine[0], "containerID"), json::str(theirs[0], "containerID"));
    EXPECT_EQ(json::at(mine[0], "state"), json::at(theirs[0], "state"));
  }

  /// Every pod that went from home went after its delegate, and on that event. The two histories
  /// come over two watches, so that "after" has a little play.
  static void expectWentAfterTheirDelegates(const std::vector<WatchEvent>& home_history) {
    std::map<std::string, Deadline> delegate_gone;
    for (const WatchEvent& event : world().delegates.history()) {
      if (event.type == "DELETED") delegate_gone[label(*event.object, kHomeUidLabel)] = event.seen;
    }
    for (const WatchEvent& event : home_history) {
      if (event.type != "DELETED") continue;
      const auto gone = delegate_gone.find(uidOf(*event.object));
      ASSERT_NE(gone, delegate_gone.end()) << keyOf(*event.object) << " went before its delegate";
      const auto later = std::chrono::duration_cast<milliseconds>(event.seen - gone->second);
      EXPECT_GT(later.count(), -300) << keyOf(*event.object) << " went before its delegate";
      EXPECT_LT(later.count(), 3000) << keyOf(*event.object) << " went long after its delegate";
    }
  }

  /// The target's namespace holds exactly these home pods' delegates.
  static void expectExactlyTheDelegatesOf(const std::string& ns, const Objects& pods) {
    const Objects delegates = world().target.list({"pods", ns});
    EXPECT_EQ(delegates.size(), pods.size());
    for (const auto& [key, pod] : pods) {
      const auto found = delegates.find(key);
      ASSERT_NE(found, delegates.end()) << "no delegate of " << key;
      expectIsItsDelegate(pod, found->second);
    }
  }
};

TEST_F(OffloadedPods, DeploymentRunsInTheTargetAndFollowsItsScaleExactly) {
  World& w = world();
  const std::string ns = w.newNamespace("deploy");
  w.home.create(makeWorkload("Deployment", ns, "web", w.node, 3));
  Objects pods;
  ASSERT_TRUE(w.waitReady(ns, 3, &pods));
  expectExactlyTheDelegatesOf(ns, pods);

  const Json target_ns = w.target.get("namespaces", "", ns);
  EXPECT_EQ(label(target_ns, kHomeClusterLabel), w.home_id) << "a namespace we made is marked";
  // The adoption guard: no controller of the target can take a delegate for its own.
  for (const auto& [key, delegate] : w.target.list({"pods", ns})) {
    const Json& owners = json::array(delegate, {"metadata", "ownerReferences"});
    ASSERT_EQ(owners.size(), 1U) << key;
    EXPECT_EQ(json::str(owners[0], "kind"), "Namespace");
    EXPECT_EQ(json::str(owners[0], "uid"), uidOf(target_ns));
    EXPECT_TRUE(json::boolean(owners[0], {"controller"}));
  }
  EXPECT_TRUE(waitForOne(w.home, "deployments", ns, "web", "3 ready replicas", [](const Json& d) {
    return json::integer(d, {"status", "readyReplicas"}) == 3;
  }));

  w.home.must({"scale", "deployment/web", "--replicas=6", "--namespace", ns});
  ASSERT_TRUE(w.waitReady(ns, 6, &pods));
  expectExactlyTheDelegatesOf(ns, pods);

  Recorder at_home(w.home, {"pods", ns});
  w.home.must({"scale", "deployment/web", "--replicas=1", "--namespace", ns});
  std::string kept;
  ASSERT_TRUE(
      waitFor(w.home, {"pods", ns}, "all but one to be being deleted", [&](const Objects& found) {
        std::size_t staying = 0;
        for (const auto& [key, pod] : found) {
          if (!json::str(pod, {"metadata", "deletionTimestamp"}).empty()) continue;
          kept = nameOf(pod);
          ++staying;
        }
        return staying == 1;
      }));
  ASSERT_TRUE(w.waitGoneOrHasten({"pods", ns, "", "metadata.name!=" + kept}));
  ASSERT_TRUE(w.waitReady(ns, 1, &pods));
  expectExactlyTheDelegatesOf(ns, pods);
  expectWentAfterTheirDelegates(at_home.history());
}

TEST_F(OffloadedPods, JobCompletes) {
  World& w = world();
  const std::string ns = w.newNamespace("job");
  w.home.create(
      makeJob(ns, "sum", w.node, 2, {.script = "echo $((1 + 2))", .restart_policy = "Never"}));
  ASSERT_TRUE(waitForOne(w.home, "jobs", ns, "sum", "the Job to be Complete",
                         [](const Json& job) { return conditionOf(job, "Complete") == "True"; }));
  const Objects pods = w.home.list({"pods", ns});
  EXPECT_EQ(pods.size(), 2U);
  for (const auto& [key, pod] : pods) {
    EXPECT_EQ(phaseOf(pod), "Succeeded") << key;
    EXPECT_EQ(phaseOf(w.delegateOf(pod)), "Succeeded") << key;
  }
}

TEST_F(OffloadedPods, PodThatExits3IsFailedWithThatCodeAndNeverRunsAgain) {
  World& w = world();
  const std::string ns = w.newNamespace("exit");
  const Shape exits{.script = "exit 3", .restart_policy = "Never"};
  const std::string uid = uidOf(w.home.create(makePod(ns, "three", w.node, exits)));
  const auto failed = [](const Json& pod) { return phaseOf(pod) == "Failed"; };
  Json pod;
  ASSERT_TRUE(waitForOne(w.home, "pods", ns, "three", "phase Failed", failed, &pod));
  const Json& containers = json::array(pod, {"status", "containerStatuses"});
  ASSERT_EQ(containers.size(), 1U);
  EXPECT_EQ(json::integer(containers[0], {"state", "terminated", "exitCode"}), 3);
  EXPECT_EQ(json::integer(containers[0], {"restartCount"}), 0);

  // Its delegate is taken away, as the target's pod garbage collector does, while the bridge is
  // down; a restarted bridge must neither make it anew nor change what home was told.
  EXPECT_EQ(w.bridge.stop(), (Exit{0, 0}));
  w.target.must({"delete", "pod", "three", "--namespace", ns, "--grace-period=0", "--force"});
  ASSERT_TRUE(w.ensureServing());
  // A later pod that has come all the way shows that the bridge has dealt with what was before.
  w.home.create(makePod(ns, "later", w.node));
  ASSERT_TRUE(w.waitReady(ns, "later"));
  EXPECT_TRUE(w.delegatesOf(uid).empty());
  EXPECT_EQ(delegatesByHomeUid(w.delegates.history())[uid].size(), 1U);
  pod = w.home.get("pods", ns, "three");
  EXPECT_EQ(phaseOf(pod), "Failed");
  EXPECT_EQ(json::integer(json::array(pod, {"status", "containerStatuses"})[0],
                          {"state", "terminated", "exitCode"}),
            3);
}

TEST_F(OffloadedPods, PodWithLongGraceGoesAsSoonAsItsContainerHasExited) {
  World& w = world();
  const std::string ns = w.newNamespace("grace");
  const Shape quick{.script = "trap 'exit 0' TERM; touch /tmp/up; sleep 100000 & wait",
                    .grace_seconds = 60,
                    .ready_file = "/tmp/up"};
  w.home.create(makePod(ns, "quick", w.node, quick));
  Json pod;
  ASSERT_TRUE(w.waitReady(ns, "quick", &pod));
  const Json delegate = w.delegateOf(pod);

  Recorder at_home(w.home, {"pods", ns});

  w.home.remove("pods", ns, "quick");
  const auto asked = Clock::now();
  ASSERT_TRUE(w.waitGoneOrHasten({"pods", ns}));
  ASSERT_TRUE(waitGone(w.home, "pods", ns, "quick"));
  EXPECT_LT(Clock::now() - asked, seconds(40))
      << "the grace is 60 s, the container took none of it";
  std::optional<std::int64_t> grace;
  for (const WatchEvent& event : w.delegates.history()) {
    if (uidOf(*event.object) != uidOf(delegate)) continue;
    const auto given = json::integer(*event.object, {"metadata", "deletionGracePeriodSeconds"});
    if (given && !grace) grace = given;
  }
  EXPECT_EQ(grace, 60) << "the delegate was given the same grace";
  expectWentAfterTheirDelegates(at_home.history());
}

TEST_F(OffloadedPods, ForceDeletedStatefulSetPodNeverSharesADelegateWithItsSuccessor) {
  World& w = world();
  const std::string ns = w.newNamespace("sts");
  // Takes two seconds to go, so that the successor comes while its predecessor still runs.
  const Shape slow{.script = "trap 'sleep 2; exit 0' TERM; touch /tmp/up; sleep 100000 & wait",
                   .grace_seconds = 10,
                   .ready_file = "/tmp/up"};
  w.home.create(makeWorkload("StatefulSet", ns, "db", w.node, 1, slow));
  Json first;
  ASSERT_TRUE(w.waitReady(ns, "db-0", &first));
  const std::string first_delegate = uidOf(w.delegateOf(first));

  w.home.must({"delete", "pod", "db-0", "--namespace", ns, "--grace-period=0", "--force"});
  ASSERT_TRUE(w.waitGoneOrHasten({"pods", ns, kHomeUidLabel + ("=" + uidOf(first))}));
  Json second;
  ASSERT_TRUE(waitForOne(
      w.home, "pods", ns, "db-0", "the recreated pod to be Ready",
      [&](const Json& pod) { return uidOf(pod) != uidOf(first) && isRunningAndReady(pod); },
      &second));
  const Json delegate = w.delegateOf(second);
  EXPECT_NE(uidOf(delegate), first_delegate);
  expectIsItsDelegate(second, delegate);

  auto made = delegatesByHomeUid(w.delegates.history());
  EXPECT_EQ(made[uidOf(first)], std::set<std::string>{first_delegate});
  EXPECT_EQ(made[uidOf(second)], std::set<std::string>{uidOf(delegate)});
  // In the order of the target's own history: the old one had gone when the new one came.
  bool old_gone = false;
  for (const WatchEvent& event : w.delegates.history()) {
    const std::string uid = uidOf(*event.object);
    if (uid == first_delegate && event.type == "DELETED") old_gone = true;
    if (uid == uidOf(delegate)) {
      EXPECT_TRUE(old_gone);
      break;
    }
  }
}

TEST_F(OffloadedPods, StatefulSetPodThatIsDeletedComesBackWithADelegateOfItsOwn) {
  World& w = world();
  const std::string ns = w.newNamespace("stsname");
  const Shape slow{.script = "trap 'sleep 1; exit 0' TERM; touch /tmp/up; sleep 100000 & wait",
                   .grace_seconds = 10,
                   .ready_file = "/tmp/up"};
  w.home.create(makeWorkload("StatefulSet", ns, "db", w.node, 1, slow));
  Recorder in_target(w.target, {"pods", ns});
  std::vector<std::string> home_uids;
  const auto nextRuns = [&] {
    Json pod;
    const auto result = waitForOne(
        w.home, "pods", ns, "db-0", "a new db-0 to be Ready",
        [&](const Json& found) {
          return (home_uids.empty() || uidOf(found) != home_uids.back()) &&
                 isRunningAndReady(found);
        },
        &pod);
    if (result) {
      home_uids.push_back(uidOf(pod));
      expectIsItsDelegate(pod, w.delegateOf(pod));
    }
    return result;
  };
  ASSERT_TRUE(nextRuns());
  w.home.remove("pods", ns, "db-0");
  ASSERT_TRUE(w.waitGoneOrHasten({"pods", ns, kHomeUidLabel + ("=" + home_uids.back())}));
  ASSERT_TRUE(nextRuns());

  const std::vector<WatchEvent> history = in_target.history();
  std::set<std::string> live, ever;
  for (const WatchEvent& event : history) {
    const std::string uid = uidOf(*event.object);
    event.type == "DELETED" ? live.erase(uid) : live.insert(uid).second;
    ever.insert(uid);
    EXPECT_LE(live.size(), 1U) << "two delegates of one name at once";
  }
  EXPECT_EQ(ever.size(), 2U);
  auto made = delegatesByHomeUid(history);
  EXPECT_EQ(made.size(), 2U) << "the second home pod was another one";
  for (const std::string& uid : home_uids) EXPECT_EQ(made[uid].size(), 1U) << uid;
}

TEST_F(OffloadedPods, ReadinessGateThatIsSetLateAtHomeMakesThePodReadyThen) {
  World& w = world();
  const std::string ns = w.newNamespace("gate");
  constexpr const char* kGate = "example.com/registered";
  Json gated = makePod(ns, "gated", w.node);
  gated["spec"]["readinessGates"] = Json::array({{{"conditionType", kGate}}});
  w.home.create(gated);
  Json pod;
  ASSERT_TRUE(waitForOne(
      w.home, "pods", ns, "gated", "Running with ContainersReady",
      [](const Json& found) {
        return phaseOf(found) == "Running" && conditionOf(found, "ContainersReady") == "True";
      },
      &pod));
  EXPECT_EQ(conditionOf(pod, "Ready"), "False");
  const Json delegate = w.delegateOf(pod);
  EXPECT_TRUE(json::at(delegate, {"spec", "readinessGates"}).is_null());
  EXPECT_TRUE(isReady(delegate)) << "there it waits for nobody";
  // Whoever owns the gate sets it, as a load balancer's controller does.
  const auto setGate = [&](const char* value) {
    w.home.changeStatus("pods", ns, "gated", [&](Json& found) {
      Json kept = Json::array();
      for (const Json& condition : json::array(found, {"status", "conditions"})) {
        if (json::str(condition, "type") != kGate) kept.push_back(condition);
      }
      kept.push_back({{"type", kGate}, {"status", value}});
      found["status"]["conditions"] = kept;
    });
  };
  setGate("True");
  ASSERT_TRUE(w.waitReady(ns, "gated", &pod));
  EXPECT_EQ(conditionOf(pod, kGate), "True") << "the gate's condition is left to its owner";
  setGate("False");
  EXPECT_TRUE(waitForOne(w.home, "pods", ns, "gated", "Ready=False again",
                         [](const Json& found) { return conditionOf(found, "Ready") == "False"; }));
  EXPECT_EQ(phaseOf(w.home.get("pods", ns, "gated")), "Running");
  EXPECT_EQ(uidOf(w.delegateOf(pod)), uidOf(delegate));
}

}  // namespace
}  // namespace vkb::e2e
