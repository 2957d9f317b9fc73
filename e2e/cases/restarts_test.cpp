// The bridge dies at any moment, or is away while things happen: nothing is lost and nothing
// doubled. The target is reached through a relay that says when a moment has come.

#include <csignal>
#include <set>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/names.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

using Moment = Relay::Moment;

class Restarts : public WorldTest {
 protected:
  static void SetUpTestSuite() { openWorld({.name = "restart", .through_relay = true}); }
  void SetUp() override {
    WorldTest::SetUp();
    if (HasFatalFailure()) return;
    ASSERT_TRUE(world().ensureServing());
  }

  /// At the `nth` request to the target from now the bridge gets SIGKILL.
  static void armKill(std::uint64_t nth, Moment moment) {
    world().relay->atRequest(nth, moment, [] { world().bridge.signal(SIGKILL); });
  }
  static testing::AssertionResult waitKilled() {
    if (!world().relay->waitFired(seconds(40))) {
      return testing::AssertionFailure()
             << "the bridge made fewer requests than the kill waits for";
    }
    const Exit exit = world().bridge.waitExit();
    if (exit.signal == SIGKILL) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "it ended by itself, code " << exit.code;
  }
  static testing::AssertionResult waitDelegates(const std::string& ns, std::size_t count) {
    return waitFor(world().target, {"pods", ns}, std::to_string(count) + " delegates",
                   [count](const Objects& pods) { return pods.size() == count; });
  }
};

TEST_F(Restarts, WhatIsDeletedWhileTheBridgeIsDownGoesAfterTheRestartAndTheRestStays) {
  World& w = world();
  const std::string ns = w.newNamespace("away");
  w.home.createAll({makePod(ns, "deleted", w.node), makePod(ns, "forced", w.node),
                    makePod(ns, "stays", w.node)});
  ASSERT_TRUE(w.waitReady(ns, 3));
  const Json before = w.delegateOf(w.home.get("pods", ns, "stays"));
  w.bridge.killHard();

  w.home.remove("pods", ns, "deleted");
  w.home.must({"delete", "pod", "forced", "--namespace", ns, "--grace-period=0", "--force"});
  EXPECT_TRUE(w.home.find("pods", ns, "deleted")) << "nobody but the bridge may remove it";
  EXPECT_FALSE(w.home.find("pods", ns, "forced"));
  EXPECT_EQ(w.target.list({"pods", ns}).size(), 3U);

  w.bridge.start();
  ASSERT_TRUE(w.waitAskedToGo({"pods", ns, "", "metadata.name!=stays"}));
  w.hasten({"pods", ns, "", "metadata.name!=stays"});
  ASSERT_TRUE(waitDelegates(ns, 1));
  ASSERT_TRUE(waitGone(w.home, "pods", ns, "deleted"));
  ASSERT_TRUE(w.waitReady(ns, 1));
  const Json after = w.delegateOf(w.home.get("pods", ns, "stays"));
  EXPECT_EQ(uidOf(after), uidOf(before));
  EXPECT_EQ(json::at(after, {"status", "containerStatuses"}),
            json::at(before, {"status", "containerStatuses"}))
      << "its container was neither restarted nor changed";
}

TEST_F(Restarts, PodCreatedWhileTheBridgeIsDownRunsAfterTheRestart) {
  World& w = world();
  const std::string ns = w.newNamespace("late");
  EXPECT_EQ(w.bridge.stop(), (Exit{0, 0}));
  w.home.create(makePod(ns, "late", w.node));
  w.bridge.start();
  EXPECT_TRUE(w.waitReady(ns, "late"));
}

TEST_F(Restarts, NodeDeletedWhileTheBridgeRunsIsRegisteredAgain) {
  World& w = world();
  const std::string uid = w.home.uid("nodes", "", w.node);
  w.home.remove("nodes", "", w.node);
  EXPECT_TRUE(
      waitForOne(w.home, "nodes", "", w.node, "another node object, Ready", [&](const Json& node) {
        return uidOf(node) != uid && conditionOf(node, "Ready") == "True";
      }));
}

/// Twenty kills spread over the creation of thirty pods. Ten hit a bridge that is up and just gets
/// new pods: its next requests are the creations. Ten hit one that starts with pods waiting, spread
/// evenly from its first request to the creation. Half of all let the request take effect and lose
/// its answer.
TEST_F(Restarts, ThirtyPodsAreMadeExactlyOnceWhileTheBridgeIsKilledTwentyTimes) {
  constexpr std::uint64_t kKills = 20;
  World& w = world();
  const std::string ns = w.newNamespace("kill");
  std::size_t made = 0;
  const auto createPods = [&](std::size_t count) {
    std::vector<Json> pods;
    for (; count > 0; --count) {
      pods.push_back(makePod(ns, "p" + std::to_string(made++), w.node, {.grace_seconds = 1}));
    }
    w.home.createAll(pods);
  };
  // How many requests a start with one pod waiting takes, up to its delegate.
  EXPECT_EQ(w.bridge.stop(), (Exit{0, 0}));
  createPods(1);
  const std::uint64_t before = w.relay->requests();
  w.bridge.start();
  ASSERT_TRUE(waitDelegates(ns, 1));
  const std::uint64_t start_up = w.relay->requests() - before;

  for (std::uint64_t point = 0; point < kKills; ++point) {
    SCOPED_TRACE("kill " + std::to_string(point) + ", a start takes " + std::to_string(start_up));
    const Moment moment = point / 2 % 2 == 0 ? Moment::kAnswerLost : Moment::kRequestLost;
    if (point % 2 == 0) {
      if (!w.bridge.isRunning()) w.bridge.start();
      // All earlier pods have their delegates: it is up, and has repaired what the last kill left.
      ASSERT_TRUE(waitDelegates(ns, made));
      armKill(1 + point / 4 % 2, moment);  // of its two creations
      createPods(point == 0 ? 1 : 2);
    } else {
      createPods(1);
      armKill(1 + point * start_up / kKills, moment);
      w.bridge.start();
    }
    ASSERT_TRUE(waitKilled());
  }
  w.bridge.start();
  ASSERT_EQ(made, 30U);
  Objects pods;
  ASSERT_TRUE(w.waitReady(ns, made, &pods));

  const Objects delegates = w.target.list({"pods", ns});
  EXPECT_EQ(delegates.size(), made);
  auto ever = delegatesByHomeUid(w.delegates.history());
  for (const auto& [key, pod] : pods) {
    ASSERT_TRUE(delegates.count(key)) << key << " has no delegate";
    const Json& delegate = delegates.at(key);
    EXPECT_EQ(label(delegate, kHomeUidLabel), uidOf(pod)) << key;
    EXPECT_EQ(phaseOf(delegate), "Running") << key;
    EXPECT_EQ(ever[uidOf(pod)], std::set<std::string>{uidOf(delegate)})
        << key << " had another delegate at some time";
  }
}

}  // namespace
}  // namespace vkb::e2e
