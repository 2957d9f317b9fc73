// Several bridges and one target: another home, a copy of home, a new state folder. Each touches
// what is its own, and nobody takes what another still serves without being told to.

#include <set>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/kubeconfig.h"
#include "support/names.h"
#include "support/rig.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

class SharedTarget : public WorldTest {
 protected:
  static void SetUpTestSuite() {
    if (hasRig()) openWorld({.name = "shared"});
  }
  void SetUp() override {
    if (!hasRig()) GTEST_SKIP() << "needs a third cluster that it may break (E2E_RIG)";
    WorldTest::SetUp();
    if (HasFatalFailure()) return;
    ASSERT_TRUE(world().ensureServing());
  }
  static testing::AssertionResult aLaterPodRuns(World& w) {
    const std::string ns = w.newNamespace("later");
    w.home.create(makePod(ns, "later", w.node));
    return w.waitReady(ns, "later");
  }
  /// UID and version of every pod there.
  static std::set<std::string> footprint(const std::string& ns) {
    std::set<std::string> versions;
    for (const auto& [key, pod] : world().target.list({"pods", ns})) {
      versions.insert(key + " " + uidOf(pod) + " " +
                      json::str(pod, {"metadata", "resourceVersion"}));
    }
    return versions;
  }
};

TEST_F(SharedTarget, TwoHomesRunTheirPodsSideBySideAndTouchNothingOfEachOther) {
  World& w = world();
  const std::string ns = w.newNamespace("both");
  w.home.create(makePod(ns, "web", w.node));
  Json pod;
  ASSERT_TRUE(w.waitReady(ns, "web", &pod));
  const Json delegate = w.delegateOf(pod);

  World second({.name = "second", .home_is_other = true, .join_flags = {}});
  // The same namespace and name there: the place is taken, by the first home.
  second.home.create(makeNamespace(ns));
  ASSERT_TRUE(waitForOne(second.home, "serviceaccounts", ns, "default", "the default account",
                         [](const Json& account) { return account.is_object(); }));
  const Json refused = second.home.create(makePod(ns, "web", second.node));
  EXPECT_TRUE(second.waitEvent(refused, "NamespaceNotAllowed"));
  const std::string own = second.newNamespace("own");
  second.home.create(makePod(own, "web", second.node));
  Json other_pod;
  ASSERT_TRUE(second.waitReady(own, "web", &other_pod));
  const Json other_delegate = second.delegateOf(other_pod);
  EXPECT_EQ(label(other_delegate, kHomeClusterLabel), second.home_id);

  // Allowed in by its operator it still takes nobody's name.
  ASSERT_TRUE(second.join({"--allow-namespace", ns}).ok());
  EXPECT_TRUE(second.waitEvent(refused, "NameTaken"));
  second.home.create(makePod(ns, "guest", second.node));
  Json guest;
  ASSERT_TRUE(second.waitReady(ns, "guest", &guest));

  // What each clears away at its start is its own.
  EXPECT_EQ(w.bridge.stop(), (Exit{0, 0}));
  EXPECT_EQ(second.bridge.stop(), (Exit{0, 0}));
  w.bridge.start();
  second.bridge.start();
  ASSERT_TRUE(aLaterPodRuns(w));
  ASSERT_TRUE(aLaterPodRuns(second));
  EXPECT_EQ(uidOf(w.delegateOf(pod)), uidOf(delegate));
  EXPECT_EQ(uidOf(second.delegateOf(other_pod)), uidOf(other_delegate));

  second.home.remove("namespaces", "", ns);
  for (const std::string& problem : second.close()) {
    ADD_FAILURE() << problem << "\n" << second.bridge.logTail();
  }
  const Json now = w.delegateOf(pod);
  EXPECT_EQ(uidOf(now), uidOf(delegate));
  EXPECT_EQ(json::at(now, {"status", "containerStatuses"}),
            json::at(delegate, {"status", "containerStatuses"}));
  EXPECT_TRUE(isRunningAndReady(w.home.get("pods", ns, "web")));
}

TEST_F(SharedTarget, ACopyOfHomeTouchesNothingInTheTarget) {
  World& w = world();
  const Environment& environment = w.environment;
  const Cluster copy = environment.other();
  const Rig rig(environment);
  const std::string ns = w.newNamespace("cloned");
  w.home.create(makeWorkload("Deployment", ns, "web", w.node, 2, {.grace_seconds = 1}));
  Objects pods;
  ASSERT_TRUE(w.waitReady(ns, 2, &pods));
  rig.save(environment.home_name, w.folder.path() / "home-etcd");
  rig.restore(environment.other_name, w.folder.path() / "home-etcd");
  ASSERT_EQ(copy.id(), w.home_id) << "this proves nothing";
  ASSERT_TRUE(aLaterPodRuns(w));
  const std::set<std::string> before = footprint(ns);

  Environment of_copy = environment;
  of_copy.home_kubeconfig = environment.other_kubeconfig;
  const TemporaryFolder folder;
  Bridge bridge(of_copy, folder.path());
  const Outcome joined =
      bridge.command({"join", w.node, "--kubeconfig", environment.target_kubeconfig});
  EXPECT_TRUE(joined.ok()) << joined.describe();
  bridge.start();
  // Whatever its users do.
  const std::string first = nameOf(pods.begin()->second), last = nameOf(pods.rbegin()->second);
  copy.remove("pods", ns, first);
  copy.remove("pods", ns, last, {"--force", "--grace-period=0"});
  copy.remove("deployments", ns, "web");
  Json extra = makePod(ns, "extra", w.node);
  extra["spec"]["nodeName"] = w.node;
  copy.create(extra);
  // While another pod goes all its way, the copy's bridge had its chance.
  ASSERT_TRUE(aLaterPodRuns(w));
  EXPECT_EQ(footprint(ns), before) << bridge.logTail();
  EXPECT_EQ(bridge.status()["clusters"][0]["state"], "ClaimedElsewhere");
  EXPECT_EQ(bridge.stop(), (Exit{0, 0}));
  EXPECT_EQ(footprint(ns), before) << "also by its end";
  EXPECT_TRUE(w.waitReady(ns, 2));
  rig.replaceByNewCluster(environment.other_name);
}

TEST_F(SharedTarget, ANewStateFolderServesTheTargetOnceItIsToldToTakeItOver) {
  World& w = world();
  const std::string ns = w.newNamespace("taken");
  w.home.createAll({makePod(ns, "stays", w.node), makePod(ns, "goes", w.node)});
  ASSERT_TRUE(w.waitReady(ns, 2));
  const Json stays = w.home.get("pods", ns, "stays"), goes = w.home.get("pods", ns, "goes");
  const Json before = w.delegateOf(stays);
  // The machine that ran the bridge is lost with all that was on it.
  w.bridge.killHard();
  std::filesystem::remove_all(w.bridge.stateDir());
  const Outcome joined = w.join();
  ASSERT_TRUE(joined.ok()) << joined.describe();
  w.bridge.start();
  w.home.remove("pods", ns, "goes");
  ASSERT_TRUE(waitForOne(w.home, "pods", ns, "goes", "it to be being deleted", [](const Json& pod) {
    return !json::str(pod, {"metadata", "deletionTimestamp"}).empty();
  }));
  const Outcome taken = w.join({"--take-over"});
  ASSERT_TRUE(taken.ok()) << taken.describe();
  ASSERT_TRUE(w.waitNodeReady());
  ASSERT_TRUE(w.waitGoneOrHasten({"pods", ns, kHomeUidLabel + ("=" + uidOf(goes))}));
  ASSERT_TRUE(waitGone(w.home, "pods", ns, "goes"));
  ASSERT_TRUE(w.waitReady(ns, 1));
  const Json after = w.delegateOf(stays);
  EXPECT_EQ(uidOf(after), uidOf(before));
  EXPECT_EQ(json::at(after, {"status", "containerStatuses"}),
            json::at(before, {"status", "containerStatuses"}));
  EXPECT_TRUE(aLaterPodRuns(w));
}

}  // namespace
}  // namespace vkb::e2e
