// One home with two targets. The first runs real containers and its pods leave when it is away; the
// second, whose pods are held, is restored from a backup and replaced by another cluster. What
// happens to one does not reach the other, and when all is well again no pod is lost or doubled.

#include <set>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/kubeconfig.h"
#include "support/names.h"
#include "support/rig.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

const Json& conditionIn(const Json& object, const std::string& type) {
  static const Json none;
  const Json* found = json::findBy(json::array(object, {"status", "conditions"}), "type", type);
  return found == nullptr ? none : *found;
}
bool isGoing(const Json& object) {
  return !json::str(object, {"metadata", "deletionTimestamp"}).empty();
}

/// The second target: joined beside the world's own, with `--when-unreachable hold`, through a
/// relay of its own; a node in memory runs its pods, because its data gets exchanged.
struct SecondTarget {
  explicit SecondTarget(World& w)
      : world(w),
        cluster(w.environment.other()),
        node(w.node + "-b"),
        worker(w.environment, cluster, "e2e-worker-" + randomSuffix(), {"--cpu", "32"}) {
    Json config = readKubeconfig(cluster);
    const Endpoint endpoint = endpointOf(config);
    relay = std::make_unique<Relay>(endpoint.host, endpoint.port);
    pointAtLoopback(config, relay->port());
    kubeconfig = writeKubeconfig(w.folder.path() / "second.kubeconfig", config);
  }
  Outcome join() const {
    return world.bridge.command(
        {"join", node, "--kubeconfig", kubeconfig.string(), "--when-unreachable", "hold"});
  }
  testing::AssertionResult waitServing() const {
    if (auto ready = worker.waitReady(); !ready) return ready;
    return waitForOne(world.home, "nodes", "", node, "node " + node + " to be Ready",
                      [](const Json& object) { return conditionOf(object, "Ready") == "True"; });
  }
  Selection ours() const {
    return {"pods", "", kHomeClusterLabel + ("=" + world.home_id + ",") + kNodeLabel + "=" + node};
  }

  World& world;
  const Cluster cluster;
  const std::string node;
  MockNode worker;
  std::unique_ptr<Relay> relay;
  std::filesystem::path kubeconfig;
};

class TwoTargets : public WorldTest {
 protected:
  static void SetUpTestSuite() {
    if (!hasRig()) return;
    openWorld({.name = "two", .through_relay = true, .join_flags = {}});
    if (!hasWorld()) return;
    second_ = std::make_unique<SecondTarget>(world());
    ordinary_ = std::make_unique<MockNode>(world().environment, world().home,
                                           "e2e-ordinary-" + randomSuffix());
    joined_ = second_->join();
  }
  static void TearDownTestSuite() {
    if (second_) {
      world().removeNamespaces();
      const Outcome left =
          world().bridge.command({"leave", second_->node, "--drain", "--timeout", "30s"});
      EXPECT_TRUE(left.ok()) << left.describe() << world().bridge.command({"status"}).out
                             << world().bridge.logTail();
      EXPECT_TRUE(second_->cluster.list(second_->ours()).empty());
    }
    ordinary_.reset();
    second_.reset();
    WorldTest::TearDownTestSuite();
  }
  void SetUp() override {
    if (!hasRig()) GTEST_SKIP() << "needs a third cluster that it may break (E2E_RIG)";
    WorldTest::SetUp();
    if (HasFatalFailure()) return;
    ASSERT_TRUE(joined_.ok()) << joined_.describe();
    ASSERT_TRUE(world().ensureServing());
    ASSERT_TRUE(second().waitServing());
    ASSERT_TRUE(ordinary_->waitReady());
  }
  static SecondTarget& second() { return *second_; }

  /// A Deployment whose pods Kubernetes evicts after 10 s on a node that is not Ready.
  static void deploy(const std::string& ns, const std::string& name, const std::string& node,
                     int replicas) {
    Json deployment = makeWorkload("Deployment", ns, name, node, replicas);
    for (const char* key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
      deployment["spec"]["template"]["spec"]["tolerations"].push_back({{"key", key},
                                                                       {"operator", "Exists"},
                                                                       {"effect", "NoExecute"},
                                                                       {"tolerationSeconds", 10}});
    }
    world().home.create(deployment);
  }
  static Selection app(const std::string& ns, const std::string& name) {
    return {"pods", ns, "app=" + name};
  }
  static testing::AssertionResult waitRunning(const std::string& ns, const std::string& name,
                                              std::size_t count, Objects* last = nullptr) {
    return waitFor(
        world().home, app(ns, name),
        "exactly " + std::to_string(count) + " pods of " + name + " that run",
        [count](const Objects& pods) {
          std::size_t running = 0;
          for (const auto& [key, pod] : pods) {
            if (isGoing(pod)) return false;
            if (phaseOf(pod) == "Failed") continue;
            if (!isRunningAndReady(pod)) return false;
            ++running;
          }
          return running == count;
        },
        last);
  }
  /// Home UID -> delegate UID, of those that are there and not on their way out.
  static std::map<std::string, std::string> delegatesIn(const Cluster& target,
                                                        const std::string& ns) {
    std::map<std::string, std::string> found;
    for (const auto& [key, pod] : target.list({"pods", ns})) {
      if (isGoing(pod)) continue;
      EXPECT_TRUE(found.emplace(label(pod, kHomeUidLabel), uidOf(pod)).second) << key << " twice";
    }
    return found;
  }
  static testing::AssertionResult waitNode(const std::string& node, const std::string& type,
                                           const std::string& status, const std::string& reason) {
    return waitForOne(
        world().home, "nodes", "", node, type + "=" + status + " " + reason,
        [&](const Json& object) {
          const Json& condition = conditionIn(object, type);
          return json::str(condition, "status") == status &&
                 (reason.empty() || json::str(condition, "reason") == reason);
        },
        nullptr, seconds(120));
  }
  /// A pod of that node comes, and goes again.
  static testing::AssertionResult aPodComesAndGoes(const std::string& ns, const std::string& node) {
    const World& w = world();
    w.home.create(makePod(ns, "passing", node, {.grace_seconds = 1}));
    if (auto ready = w.waitReady(ns, "passing"); !ready) return ready;
    w.home.remove("pods", ns, "passing");
    return waitGone(w.home, "pods", ns, "passing");
  }
  static std::set<std::string> uidsOf(const Objects& objects) {
    std::set<std::string> uids;
    for (const auto& [key, object] : objects) uids.insert(uidOf(object));
    return uids;
  }

 private:
  inline static std::unique_ptr<SecondTarget> second_;
  inline static std::unique_ptr<MockNode> ordinary_;
  inline static Outcome joined_;
};

TEST_F(TwoTargets, OneIsCutOffAndItsPodsAreEvictedThenTheOtherAndItsPodsAreHeld) {
  World& w = world();
  SecondTarget& b = second();
  const std::string ns = w.newNamespace("cut");
  deploy(ns, "leaving", w.node, 2);
  deploy(ns, "held", b.node, 2);
  Objects leaving, held;
  ASSERT_TRUE(waitRunning(ns, "leaving", 2, &leaving));
  ASSERT_TRUE(waitRunning(ns, "held", 2, &held));
  const auto held_there = delegatesIn(b.cluster, ns), left_there = delegatesIn(w.target, ns);
  Recorder in_second(b.cluster, {"pods", ns}), at_home(w.home, app(ns, "held"));

  w.relay->stall(true);
  ASSERT_TRUE(waitNode(w.node, "Ready", "False", "TargetUnreachable"));
  EXPECT_TRUE(aPodComesAndGoes(ns, b.node)) << "the other target is served as ever";
  EXPECT_TRUE(waitRunning(ns, "held", 2));
  b.relay->refuse(true);
  b.relay->cutAll();
  ASSERT_TRUE(waitFor(w.home, app(ns, "leaving"), "both evicted, two others waiting for a node",
                      [&](const Objects& pods) {
                        std::size_t going = 0, waiting = 0;
                        for (const auto& [key, pod] : pods) {
                          going += isGoing(pod) && !isReady(pod);
                          waiting += !isGoing(pod) && phaseOf(pod) == "Pending";
                        }
                        return pods.size() == 4 && going == 2 && waiting == 2;
                      }));
  EXPECT_EQ(delegatesIn(w.target, ns), left_there) << "nobody can reach them";

  // The link to the first is back, while the second is still cut.
  w.relay->stall(false);
  w.relay->cutAll();
  ASSERT_TRUE(w.waitNodeReady());
  for (const auto& [home_uid, delegate] : left_there) {
    EXPECT_TRUE(w.waitGoneOrHasten({"pods", ns, kHomeUidLabel + ("=" + home_uid)}));
  }
  Objects now;
  ASSERT_TRUE(waitRunning(ns, "leaving", 2, &now));
  std::set<std::string> served;
  for (const auto& [home_uid, delegate] : delegatesIn(w.target, ns)) served.insert(home_uid);
  EXPECT_EQ(served, uidsOf(now)) << "none lost, none doubled";

  ASSERT_TRUE(waitNode(b.node, "TargetReachable", "False", ""));
  ASSERT_TRUE(waitFor(w.home, app(ns, "held"), "both not Ready", [](const Objects& pods) {
    for (const auto& [key, pod] : pods) {
      if (conditionOf(pod, "Ready") != "False") return false;
    }
    return true;
  }));
  EXPECT_TRUE(aPodComesAndGoes(ns, w.node)) << "the first is served as ever";
  EXPECT_EQ(conditionOf(w.home.get("nodes", "", b.node), "Ready"), "True");
  // Longer than Kubernetes would take to evict them.
  EXPECT_FALSE(waitFor(
      w.home, app(ns, "held"), "one to be evicted",
      [](const Objects& pods) {
        for (const auto& [key, pod] : pods) {
          if (isGoing(pod)) return true;
        }
        return pods.size() != 2;
      },
      nullptr, seconds(16)));
  b.relay->refuse(false);
  ASSERT_TRUE(b.waitServing());
  ASSERT_TRUE(waitRunning(ns, "held", 2, &now));
  EXPECT_EQ(uidsOf(now), uidsOf(held));
  EXPECT_EQ(delegatesIn(b.cluster, ns), held_there);
  for (const auto& [home_uid, made] : delegatesByHomeUid(in_second.history())) {
    EXPECT_EQ(made.size(), 1U) << home_uid;
  }
  for (const WatchEvent& event : at_home.history()) {
    EXPECT_EQ(phaseOf(*event.object) == "Failed" || isGoing(*event.object), false)
        << keyOf(*event.object);
  }
}

TEST_F(TwoTargets, OneIsRestoredFromABackupAndNoPodIsLostOrDoubled) {
  World& w = world();
  SecondTarget& b = second();
  const Rig rig(w.environment);
  const std::filesystem::path backup = w.folder.path() / "backup";
  const std::string ns = w.newNamespace("backup");
  constexpr std::size_t kLate = 14;  // more than are believed to be lost at once
  deploy(ns, "kept", b.node, 2);
  deploy(ns, "beside", w.node, 1);
  w.home.create(makePod(ns, "removed", b.node, {.grace_seconds = 1}));
  Objects kept, beside;
  ASSERT_TRUE(waitRunning(ns, "kept", 2, &kept));
  ASSERT_TRUE(waitRunning(ns, "beside", 1, &beside));
  ASSERT_TRUE(w.waitReady(ns, "removed"));
  const auto kept_there = delegatesIn(b.cluster, ns);
  rig.save(w.environment.other_name, backup);

  // What the backup knows nothing of: pods that came, and one that went.
  deploy(ns, "late", b.node, kLate);
  Objects late;
  ASSERT_TRUE(waitRunning(ns, "late", kLate, &late));
  const std::string removed_uid = uidOf(w.home.get("pods", ns, "removed"));
  w.home.remove("pods", ns, "removed");
  ASSERT_TRUE(waitGone(w.home, "pods", ns, "removed"));
  Recorder at_home(w.home, {"pods", ns});

  b.worker.stop();
  rig.restore(w.environment.other_name, backup);
  Recorder in_second(b.cluster, {"pods", ns});
  b.worker.start();
  ASSERT_TRUE(waitNode(b.node, "MassLoss", "True", "")) << "so many at once are not believed";
  EXPECT_TRUE(aPodComesAndGoes(ns, w.node)) << "the other target is served as ever";
  const Outcome confirmed = w.bridge.command({"gc", "--confirm"});
  EXPECT_TRUE(confirmed.ok() && confirmed.out.find(b.node) != std::string::npos)
      << confirmed.describe();
  ASSERT_TRUE(waitNode(b.node, "MassLoss", "False", ""));

  Objects now;
  ASSERT_TRUE(waitRunning(ns, "late", kLate, &now));
  for (const auto& [key, pod] : now) {
    EXPECT_EQ(phaseOf(pod) == "Failed", uidsOf(late).count(uidOf(pod)) == 1)
        << key << ": its delegate was lost, its controller makes another pod";
  }
  ASSERT_TRUE(waitFor(b.cluster, {"pods", ns, kHomeUidLabel + ("=" + removed_uid)},
                      "the delegate of the removed pod to go once more",
                      [](const Objects& pods) { return pods.empty(); }));
  ASSERT_TRUE(waitRunning(ns, "kept", 2, &now));
  EXPECT_EQ(uidsOf(now), uidsOf(kept));
  const auto there = delegatesIn(b.cluster, ns);
  EXPECT_EQ(there.size(), 2 + kLate);
  for (const auto& [key, pod] : now) EXPECT_EQ(there.at(uidOf(pod)), kept_there.at(uidOf(pod)));
  for (const auto& [home_uid, made] : delegatesByHomeUid(in_second.history())) {
    EXPECT_EQ(made.size(), 1U) << home_uid;
  }
  ASSERT_TRUE(waitRunning(ns, "beside", 1, &now));
  EXPECT_EQ(uidsOf(now), uidsOf(beside));
}

TEST_F(TwoTargets, AnotherClusterUnderOnesAddressIsLeftAloneAndNothingAtHomeIsFailed) {
  World& w = world();
  SecondTarget& b = second();
  const Rig rig(w.environment);
  const std::filesystem::path copy = w.folder.path() / "copy";
  const std::string ns = w.newNamespace("swap");
  w.home.create(makeWorkload("Deployment", ns, "stays", b.node, 2));
  Objects before;
  ASSERT_TRUE(waitRunning(ns, "stays", 2, &before));
  const auto there = delegatesIn(b.cluster, ns);
  const std::string id = b.cluster.id();
  Recorder at_home(w.home, {"pods", ns});
  // Of the case before some are still on their way out. In the copy they would come back when home
  // and bridge know nothing of them any more: so many that they would not be believed.
  ASSERT_TRUE(waitFor(b.cluster, b.ours(), "only these to be there",
                      [](const Objects& pods) { return pods.size() == 2; }));
  b.worker.stop();
  rig.save(w.environment.other_name, copy);
  rig.replaceByNewCluster(w.environment.other_name);
  EXPECT_NE(b.cluster.id(), id) << "this proves nothing";

  EXPECT_TRUE(waitNode(b.node, "Ready", "False", "IdentityChanged"));
  w.home.remove("pods", ns, nameOf(before.begin()->second));
  EXPECT_TRUE(aPodComesAndGoes(ns, w.node)) << "the other target is served as ever";
  const Outcome joined = second().join();
  EXPECT_EQ(joined.exit.code, 1) << joined.describe();
  EXPECT_FALSE(b.cluster.find("namespaces", "", ns)) << "nothing is written to a stranger";
  EXPECT_FALSE(b.cluster.find("namespaces", "", "vk-bridge"));
  EXPECT_TRUE(w.home.find("pods", ns, nameOf(before.begin()->second)))
      << "nobody can say that its delegate has gone";

  rig.restore(w.environment.other_name, copy);
  b.worker.start();
  ASSERT_TRUE(b.waitServing());
  Objects now;
  ASSERT_TRUE(waitRunning(ns, "stays", 2, &now));
  const std::string stayed = uidOf(before.rbegin()->second);
  EXPECT_EQ(uidsOf(now).count(stayed), 1U);
  EXPECT_EQ(delegatesIn(b.cluster, ns).at(stayed), there.at(stayed));
  for (const WatchEvent& event : at_home.history()) {
    EXPECT_NE(phaseOf(*event.object), "Failed") << keyOf(*event.object);
  }
}

}  // namespace
}  // namespace vkb::e2e
