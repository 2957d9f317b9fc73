// What the bridge does not take over, or not into that place: it says so on the home pod, touches
// nothing in the target, and stands in nobody's way at home.

#include <array>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/names.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

class Refusals : public WorldTest {
 protected:
  static void SetUpTestSuite() {
    openWorld(
        {.name = "refuse", .join_flags = {"--allow-namespace", allowed(0) + "," + allowed(1)}});
  }
  /// Namespaces of the target that are not ours and that the operator allowed: one a test.
  static const std::string& allowed(std::size_t i) {
    static const std::array<std::string, 2> names{"e2e-shared-" + randomSuffix(),
                                                  "e2e-shared-" + randomSuffix()};
    return names.at(i);
  }
  /// Makes sure that the bridge had its chance to do what it must not: a later pod of another
  /// namespace has come all the way.
  static testing::AssertionResult aLaterPodRuns() {
    World& w = world();
    const std::string ns = w.newNamespace("later");
    w.home.create(makePod(ns, "later", w.node));
    return w.waitReady(ns, "later");
  }
  /// A refused home pod that is deleted goes at once, whatever its grace.
  static void expectDeletedAtOnce(const Json& pod) {
    World& w = world();
    const std::string ns = json::str(pod, {"metadata", "namespace"});
    w.home.remove("pods", ns, nameOf(pod));
    EXPECT_TRUE(waitGone(w.home, "pods", ns, nameOf(pod), seconds(15)));
  }
};

TEST_F(Refusals, NamespaceThatIsNotOursIsLeftAloneAndThePodSaysSo) {
  World& w = world();
  const std::string ns = w.newNamespace("taken");
  w.makeForeignNamespace(ns);
  const Json before = w.target.get("namespaces", "", ns);
  const Json pod = w.home.create(makePod(ns, "worker", w.node, {.grace_seconds = 30}));
  ASSERT_TRUE(w.waitEvent(pod, "NamespaceNotAllowed"));
  ASSERT_TRUE(
      waitForOne(w.home, "pods", ns, "worker", "the reason at the container",
                 [](const Json& p) { return waitingReasonOf(p) == "NamespaceNotAllowed"; }));
  EXPECT_EQ(phaseOf(w.home.get("pods", ns, "worker")), "Pending");
  ASSERT_TRUE(aLaterPodRuns());
  EXPECT_TRUE(w.target.list({"pods", ns}).empty());
  EXPECT_EQ(w.target.get("namespaces", "", ns), before) << "the namespace is untouched";
  expectDeletedAtOnce(pod);
}

TEST_F(Refusals, ForeignPodOfTheSameNameIsNeverTouchedAndThePodSaysSo) {
  World& w = world();
  const std::string ns = allowed(0);
  w.makeHomeNamespace(ns);
  w.makeForeignNamespace(ns);
  w.target.create(makePlainPod(ns, "worker"));
  Json before;
  ASSERT_TRUE(waitForOne(w.target, "pods", ns, "worker", "the foreign pod to run",
                         isRunningAndReady, &before));
  const Json pod = w.home.create(makePod(ns, "worker", w.node, {.grace_seconds = 30}));
  ASSERT_TRUE(w.waitEvent(pod, "NameTaken"));
  ASSERT_TRUE(waitForOne(w.home, "pods", ns, "worker", "the reason at the container",
                         [](const Json& p) { return waitingReasonOf(p) == "NameTaken"; }));
  ASSERT_TRUE(aLaterPodRuns());
  EXPECT_EQ(w.target.get("pods", ns, "worker"), before) << "the foreign pod is untouched";
  expectDeletedAtOnce(pod);
  EXPECT_EQ(w.target.get("pods", ns, "worker"), before) << "by the deletion as well";
  EXPECT_TRUE(delegatesByHomeUid(w.delegates.history())[uidOf(pod)].empty());
}

TEST_F(Refusals, AllowedNamespaceIsUsedWithLabelsThatItsOwnSelectorsDoNotSee) {
  World& w = world();
  const std::string ns = allowed(1);
  w.makeHomeNamespace(ns);
  w.makeForeignNamespace(ns);
  const Json before = w.target.get("namespaces", "", ns);
  w.home.create(makePod(ns, "guest", w.node));
  Json pod;
  ASSERT_TRUE(w.waitReady(ns, "guest", &pod));
  const Json delegate = w.delegateOf(pod);
  EXPECT_EQ(label(delegate, "app"), "");
  EXPECT_EQ(label(delegate, "home.vk-bridge.io/app"), "guest");
  EXPECT_EQ(w.target.get("namespaces", "", ns), before) << "the namespace is not marked as ours";
}

TEST_F(Refusals, DaemonSetPodIsLeftAloneAndItsRolloutAndDeletionFinish) {
  World& w = world();
  const std::string ns = w.newNamespace("daemon");
  w.home.create(makeWorkload("DaemonSet", ns, "agent", w.node, 0, {.grace_seconds = 30}));
  Objects pods;
  const auto one = [](const Objects& found) { return found.size() == 1; };
  ASSERT_TRUE(waitFor(w.home, {"pods", ns}, "the DaemonSet's pod", one, &pods));
  const Json first = pods.begin()->second;
  ASSERT_TRUE(w.waitEvent(first, "NotOffloaded"));
  ASSERT_TRUE(aLaterPodRuns());
  EXPECT_EQ(phaseOf(w.home.get("pods", ns, nameOf(first))), "Pending");
  EXPECT_FALSE(w.target.find("namespaces", "", ns)) << "nothing of it goes to the target";

  const std::string change = R"({"spec":{"template":{"metadata":{"annotations":{"v":"2"}}}}})";
  w.home.must({"patch", "daemonset", "agent", "--namespace", ns, "--patch", change});
  ASSERT_TRUE(
      waitForOne(w.home, "daemonsets", ns, "agent", "the rollout to finish", [](const Json& set) {
        const auto status = [&](const char* field) {
          return json::integer(set, {"status", field});
        };
        return status("observedGeneration") == 2 && status("desiredNumberScheduled") == 1 &&
               status("updatedNumberScheduled") == 1;
      }));
  ASSERT_TRUE(waitFor(
      w.home, {"pods", ns}, "a new pod in place of the old one",
      [&](const Objects& found) {
        return found.size() == 1 && uidOf(found.begin()->second) != uidOf(first);
      },
      &pods));

  w.home.remove("daemonsets", ns, "agent");
  ASSERT_TRUE(waitFor(w.home, {"pods", ns}, "the DaemonSet's pod to go",
                      [](const Objects& found) { return found.empty(); }));
  EXPECT_TRUE(delegatesByHomeUid(w.delegates.history())[uidOf(first)].empty());
}

TEST_F(Refusals, PodsThatNeedWhatIsNotThereWaitWithTheReason) {
  World& w = world();
  const std::string ns = w.newNamespace("needs");
  Json with_config = makePod(ns, "config", w.node), with_claim = makePod(ns, "claim", w.node);
  with_config["spec"]["volumes"] =
      Json::array({{{"name", "data"}, {"configMap", {{"name", "settings"}}}}});
  with_claim["spec"]["volumes"] =
      Json::array({{{"name", "data"}, {"persistentVolumeClaim", {{"claimName", "disk"}}}}});
  with_claim["spec"]["nodeName"] = w.node;  // the scheduler would wait for the claim
  const Json config_pod = w.home.create(with_config), claim_pod = w.home.create(with_claim);
  EXPECT_TRUE(w.waitEvent(config_pod, "DependencyMissing"));
  EXPECT_TRUE(w.waitEvent(claim_pod, "VolumesNotOffloaded"));
  EXPECT_TRUE(w.delegatesOf(uidOf(config_pod)).empty());
  EXPECT_TRUE(w.delegatesOf(uidOf(claim_pod)).empty());
  expectDeletedAtOnce(config_pod);
  expectDeletedAtOnce(claim_pod);
}

}  // namespace
}  // namespace vkb::e2e
