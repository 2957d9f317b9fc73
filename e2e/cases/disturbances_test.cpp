// Others do as they please in the target: delegates are edited, evicted and deleted there,
// workloads of the target's own look just like home's. Home is told the truth and nobody loses a
// pod.

#include <set>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/names.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

class Disturbances : public WorldTest {
 protected:
  static void SetUpTestSuite() {
    openWorld({.name = "disturb", .join_flags = {"--allow-namespace", shared()}});
  }
  static void TearDownTestSuite() {
    if (hasWorld()) world().target.run({"label", "nodes", "--all", pickKey() + "-"});
    WorldTest::TearDownTestSuite();
  }
  void SetUp() override {
    WorldTest::SetUp();
    if (HasFatalFailure()) return;
    ASSERT_TRUE(world().ensureServing());
  }

  /// A namespace of the target that is not ours and that the operator allowed.
  static const std::string& shared() {
    static const std::string name = "e2e-native-" + randomSuffix();
    return name;
  }
  /// A label of all of the target's nodes, and so of the virtual node: one and the same template
  /// chooses nodes in either cluster.
  static const std::string& pickKey() {
    static const std::string key = "e2e.example.com/pick-" + randomSuffix();
    return key;
  }
  static testing::AssertionResult labelNodes() {
    const World& w = world();
    w.target.must({"label", "nodes", "--all", "--overwrite", pickKey() + "=here"});
    return waitForOne(w.home, "nodes", "", w.node, "the label that all target nodes have",
                      [](const Json& node) { return label(node, pickKey().c_str()) == "here"; });
  }
  /// The same object for home and target.
  static Json makeTwin(const std::string& ns, int replicas) {
    Json twin = makeWorkload("Deployment", ns, "web", world().node, replicas);
    twin["spec"]["template"]["spec"]["nodeSelector"] = {{pickKey(), "here"}};
    return twin;
  }
  static Objects delegatesIn(const std::string& ns) {
    const std::string homes = world().home_id;
    return world().target.list({"pods", ns, kHomeClusterLabel + ("=" + homes)});
  }
  static Selection nativesIn(const std::string& ns) {
    return {"pods", ns, std::string("!") + kHomeClusterLabel};
  }
  static std::set<std::string> uidsOf(const Objects& objects) {
    std::set<std::string> uids;
    for (const auto& [key, object] : objects) uids.insert(uidOf(object));
    return uids;
  }
  static testing::AssertionResult waitNatives(const std::string& ns, std::size_t count,
                                              Objects* last = nullptr) {
    return waitFor(
        world().target, nativesIn(ns), std::to_string(count) + " pods of the target's own",
        [count](const Objects& pods) {
          std::size_t staying = 0;
          for (const auto& [key, pod] : pods) {
            if (!json::str(pod, {"metadata", "deletionTimestamp"}).empty()) continue;
            if (!isRunningAndReady(pod)) return false;
            ++staying;
          }
          return staying == count;
        },
        last);
  }
  static void scale(const Cluster& cluster, const std::string& ns, int replicas) {
    cluster.must(
        {"scale", "deployment/web", "--replicas=" + std::to_string(replicas), "--namespace", ns});
  }

  /// The first that the target has: budgets and evictions moved from one to the other.
  static std::string policyVersion() {
    return world().target.run({"get", "--raw", "/apis/policy/v1"}).ok() ? "policy/v1"
                                                                        : "policy/v1beta1";
  }
  enum class How { kEvicted, kDeleted };
  static void takeAway(How how, const std::string& ns, const std::string& name) {
    const Cluster& target = world().target;
    if (how == How::kDeleted) return target.remove("pods", ns, name);
    const Json eviction{{"apiVersion", policyVersion()},
                        {"kind", "Eviction"},
                        {"metadata", {{"namespace", ns}, {"name", name}}}};
    target.must({"create", "--raw", pathOf("pods", ns, name) + "/eviction", "-f", "-"},
                eviction.dump());
  }
  /// Two pods, of whose delegates one is evicted and one deleted, as seen from home until both
  /// delegates have gone.
  struct Taken {
    std::string ns;
    std::map<std::string, Json> pods, delegates;  ///< before, by name
    std::vector<WatchEvent> history;
  };
  static Taken takeTwoAway(const std::string& hint) {
    World& w = world();
    Taken taken{.ns = w.newNamespace(hint), .pods = {}, .delegates = {}, .history = {}};
    w.home.createAll({makePod(taken.ns, "evicted", w.node), makePod(taken.ns, "deleted", w.node)});
    Objects pods;
    if (const auto ready = w.waitReady(taken.ns, 2, &pods); !ready) {
      throw std::runtime_error(ready.message());
    }
    std::string before;
    for (const auto& [key, pod] : pods) {
      taken.pods[nameOf(pod)] = pod;
      taken.delegates[nameOf(pod)] = w.delegateOf(pod);
      before += (before.empty() ? "" : ",") + uidOf(taken.delegates[nameOf(pod)]);
    }
    Recorder at_home(w.home, {"pods", taken.ns});
    takeAway(How::kEvicted, taken.ns, "evicted");
    takeAway(How::kDeleted, taken.ns, "deleted");
    if (const auto told =
            waitFor(w.home, {"pods", taken.ns}, "both to be Ready no more", noneReady);
        !told) {
      throw std::runtime_error(told.message());
    }
    hastenIfSlow(taken);
    taken.history = at_home.history();
    return taken;
  }
  static bool noneReady(const Objects& pods) {
    for (const auto& [key, pod] : pods) {
      if (isReady(pod)) return false;
    }
    return true;
  }
  /// Those of before, and not what may have been made since.
  static void hastenIfSlow(const Taken& taken) {
    const World& w = world();
    const auto gone = [&](const Objects& pods) {
      for (const auto& [key, pod] : pods) {
        if (uidOf(pod) == uidOf(taken.delegates.at(nameOf(pod)))) return false;
      }
      return true;
    };
    const Selection theirs{"pods", taken.ns};
    if (waitFor(w.target, theirs, "the old delegates to go", gone, nullptr, seconds(15))) return;
    for (const auto& [key, pod] : w.target.list(theirs)) {
      if (uidOf(pod) != uidOf(taken.delegates.at(nameOf(pod)))) continue;
      w.target.remove("pods", taken.ns, nameOf(pod), {"--force", "--grace-period=0"});
    }
    EXPECT_TRUE(waitFor(w.target, theirs, "the old delegates to go", gone));
  }
  /// While its delegate was on its way out home said so: alive, not Ready, and why.
  static void expectWarnedOfItsEnd(const Taken& taken, const std::string& name) {
    bool warned = false;
    for (const WatchEvent& event : taken.history) {
      const Json& pod = *event.object;
      if (nameOf(pod) != name || conditionOf(pod, "DisruptionTarget") != "True") continue;
      EXPECT_FALSE(isReady(pod)) << name;
      warned |= phaseOf(pod) == "Running";
    }
    EXPECT_TRUE(warned) << name << " was not said to be about to go";
  }
};

TEST_F(Disturbances, DelegateRelabelledByHandIsPutBackAndNotDoubled) {
  World& w = world();
  const std::string ns = w.newNamespace("relabel");
  w.home.create(makePod(ns, "web", w.node));
  Json pod;
  ASSERT_TRUE(w.waitReady(ns, "web", &pod));
  const Json delegate = w.delegateOf(pod);
  Recorder at_home(w.home, {"pods", ns});
  const std::vector<std::string> edits{std::string(kHomeUidLabel) + "-",
                                       std::string(kHomeClusterLabel) + "=somebody-else",
                                       std::string(kNodeLabel) + "=another"};
  for (const std::string& edit : edits) {
    SCOPED_TRACE(edit);
    w.target.must({"label", "pod", "web", "--namespace", ns, "--overwrite", edit});
    Json now;
    EXPECT_TRUE(waitForOne(
        w.target, "pods", ns, "web", "our labels to be back",
        [&](const Json& there) {
          return label(there, kHomeUidLabel) == uidOf(pod) &&
                 label(there, kHomeClusterLabel) == w.home_id && label(there, kNodeLabel) == w.node;
        },
        &now));
    EXPECT_EQ(uidOf(now), uidOf(delegate));
    EXPECT_EQ(json::at(now, {"status", "containerStatuses"}),
              json::at(delegate, {"status", "containerStatuses"}));
  }
  // A later pod has come all the way: whatever the edits had set going has happened.
  w.home.create(makePod(ns, "later", w.node));
  ASSERT_TRUE(w.waitReady(ns, "later"));
  EXPECT_EQ(w.target.list({"pods", ns}).size(), 2U);
  for (const WatchEvent& event : at_home.history()) {
    if (nameOf(*event.object) != "web") continue;
    EXPECT_TRUE(isRunningAndReady(*event.object)) << "home never saw it end";
  }
}

TEST_F(Disturbances, EvictedAndDeletedDelegatesFailTheirPodsUnderPolicyFail) {
  World& w = world();
  const Taken taken = takeTwoAway("fail");
  for (const auto& [name, before] : taken.pods) {
    SCOPED_TRACE(name);
    expectWarnedOfItsEnd(taken, name);
    Json pod;
    ASSERT_TRUE(waitForOne(
        w.home, "pods", taken.ns, name, "phase Failed",
        [](const Json& p) { return phaseOf(p) == "Failed"; }, &pod));
    EXPECT_EQ(uidOf(pod), uidOf(before));
    const std::string reason = json::str(pod, {"status", "reason"});
    // An eviction is one where the target says so, which older ones do not.
    EXPECT_TRUE(reason == "DelegateLost" || (name == "evicted" && reason == "Evicted")) << reason;
    EXPECT_TRUE(w.waitEvent(pod, "DelegateLost"));
  }
  w.home.create(makePod(taken.ns, "later", w.node));
  ASSERT_TRUE(w.waitReady(taken.ns, "later"));
  auto made = delegatesByHomeUid(w.delegates.history());
  for (const auto& [name, pod] : taken.pods) {
    EXPECT_EQ(made[uidOf(pod)].size(), 1U) << name << " was made again";
  }
}

TEST_F(Disturbances, EvictedAndDeletedDelegatesAreMadeAnewUnderPolicyRecreate) {
  World& w = world();
  ASSERT_TRUE(w.join({"--on-delegate-lost", "recreate"}).ok());
  const Taken taken = takeTwoAway("recreate");
  for (const auto& [name, before] : taken.pods) {
    SCOPED_TRACE(name);
    w.allowRemade(uidOf(before));
    expectWarnedOfItsEnd(taken, name);
    Json pod;
    ASSERT_TRUE(w.waitReady(taken.ns, name, &pod));
    EXPECT_EQ(uidOf(pod), uidOf(before)) << "home's pod is the same";
    const Json delegate = w.delegateOf(pod);
    EXPECT_NE(uidOf(delegate), uidOf(taken.delegates.at(name)));
    EXPECT_EQ(annotation(pod, kDelegateAnnotation), taken.ns + "/" + name + "/" + uidOf(delegate));
    EXPECT_EQ(conditionOf(pod, "DisruptionTarget"), "") << "it is no longer about to go";
  }
  EXPECT_TRUE(w.join({"--on-delegate-lost", "fail"}).ok());
}

TEST_F(Disturbances, TheSameDeploymentInTheTargetKeepsItsPodsItsEndpointsBudgetAndAutoscaler) {
  World& w = world();
  const std::string& ns = shared();
  ASSERT_TRUE(labelNodes());
  w.makeHomeNamespace(ns);
  w.makeForeignNamespace(ns);
  w.target.create(makeTwin(ns, 2));
  w.target.must({"expose", "deployment", "web", "--port", "80", "--namespace", ns});
  w.target.must({"create", "poddisruptionbudget", "web", "--selector", "app=web",
                 "--max-unavailable", "1", "--namespace", ns});
  w.target.must({"autoscale", "deployment", "web", "--min", "1", "--max", "10", "--cpu-percent",
                 "80", "--namespace", ns});
  ASSERT_TRUE(waitNatives(ns, 2));
  w.home.create(makeTwin(ns, 3));
  ASSERT_TRUE(w.waitReady(ns, 3));
  EXPECT_EQ(delegatesIn(ns).size(), 3U);

  // The target's controllers count once more, with our pods there: three of its own, no more.
  scale(w.target, ns, 3);
  Objects natives;
  ASSERT_TRUE(waitNatives(ns, 3, &natives));
  EXPECT_TRUE(waitForOne(w.target, "deployments", ns, "web", "3 replicas", [](const Json& d) {
    return json::integer(d, {"status", "readyReplicas"}) == 3 &&
           json::integer(d, {"status", "replicas"}) == 3;
  }));
  std::set<std::string> addresses;
  for (const auto& [key, pod] : natives) addresses.insert(json::str(pod, {"status", "podIP"}));
  EXPECT_TRUE(waitForOne(w.target, "endpoints", ns, "web", "exactly the native pods",
                         [&](const Json& endpoints) {
                           std::set<std::string> found;
                           for (const Json& subset : json::array(endpoints, {"subsets"})) {
                             for (const Json& address : json::array(subset, {"addresses"})) {
                               found.insert(json::str(address, "ip"));
                             }
                           }
                           return found == addresses;
                         }));
  EXPECT_TRUE(waitForOne(w.target, policyVersion() + "/poddisruptionbudgets", ns, "web",
                         "three pods, one may go", [](const Json& budget) {
                           const auto count = [&](const char* field) {
                             return json::integer(budget, {"status", field});
                           };
                           return count("expectedPods") == 3 && count("currentHealthy") == 3 &&
                                  count("disruptionsAllowed") == 1;
                         }));
  EXPECT_TRUE(waitForOne(w.target, "horizontalpodautoscalers", ns, "web", "three replicas",
                         [](const Json& scaler) {
                           return json::integer(scaler, {"status", "currentReplicas"}) == 3;
                         }));

  // Each side's scale is its own.
  const std::set<std::string> before = uidsOf(natives);
  scale(w.home, ns, 1);
  ASSERT_TRUE(
      waitFor(w.home, {"pods", ns}, "all but one to be being deleted", [](const Objects& pods) {
        std::size_t staying = 0;
        for (const auto& [key, pod] : pods) {
          staying += json::str(pod, {"metadata", "deletionTimestamp"}).empty();
        }
        return staying == 1;
      }));
  EXPECT_TRUE(waitFor(w.target, {"pods", ns, kHomeClusterLabel + ("=" + w.home_id)},
                      "the delegates of those to go, too", [](const Objects& pods) {
                        std::size_t staying = 0;
                        for (const auto& [key, pod] : pods) {
                          staying += json::str(pod, {"metadata", "deletionTimestamp"}).empty();
                        }
                        return staying == 1;
                      }));
  EXPECT_TRUE(waitNatives(ns, 3, &natives));
  EXPECT_EQ(uidsOf(natives), before);
}

TEST_F(Disturbances, TheSameDeploymentMadeInANamespaceOfOursAdoptsNoDelegate) {
  World& w = world();
  ASSERT_TRUE(labelNodes());
  const std::string ns = w.newNamespace("adopt");
  w.home.create(makeTwin(ns, 2));
  Objects pods;
  ASSERT_TRUE(w.waitReady(ns, 2, &pods));
  const std::set<std::string> before = uidsOf(delegatesIn(ns));
  // Its selector, by the same template hash, matches our delegates in every label.
  w.target.create(makeTwin(ns, 1));
  ASSERT_TRUE(waitNatives(ns, 1));
  EXPECT_EQ(label(w.target.list(nativesIn(ns)).begin()->second, "pod-template-hash"),
            label(pods.begin()->second, "pod-template-hash"))
      << "the templates differ: this proves nothing";
  scale(w.target, ns, 0);
  ASSERT_TRUE(waitNatives(ns, 0));
  EXPECT_TRUE(waitForOne(
      w.target, "deployments", ns, "web", "its scale to be done", [](const Json& deployment) {
        return json::integer(deployment, {"status", "replicas"}).value_or(0) == 0 &&
               json::integer(deployment, {"status", "observedGeneration"}) ==
                   json::integer(deployment, {"metadata", "generation"});
      }));
  EXPECT_EQ(uidsOf(delegatesIn(ns)), before);
  EXPECT_TRUE(w.waitReady(ns, 2));
  w.target.remove("deployments", ns, "web");
}

}  // namespace
}  // namespace vkb::e2e
