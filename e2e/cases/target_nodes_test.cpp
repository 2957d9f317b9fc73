// The target's own nodes come, are cordoned, drained, and vanish: what the virtual node offers and
// where the pods run follow.

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "json/quantity.h"
#include "support/names.h"
#include "support/rig.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

class TargetNodes : public WorldTest {
 protected:
  static void SetUpTestSuite() { openWorld({.name = "nodes"}); }

  static json::Quantity cpuOf(const Json& node) {
    return json::Quantity::parse(json::str(node, {"status", "allocatable", "cpu"}))
        .value_or(json::Quantity());
  }
  /// The virtual node offers exactly what it did at first and these whole CPUs.
  static testing::AssertionResult waitOffers(const json::Quantity& at_first, std::int64_t cpus) {
    json::Quantity wanted = at_first;
    wanted += json::Quantity::fromUnits(cpus);
    return waitForOne(world().home, "nodes", "", world().node, wanted.toString() + " CPUs",
                      [&](const Json& node) { return cpuOf(node) == wanted; });
  }
  /// The Deployment's two pods run with their delegates on that node of the target; `ended` others
  /// are what went on the way: as lost, or with the exit that their containers took.
  static testing::AssertionResult waitTwoOn(const std::string& ns, const std::string& target_node,
                                            std::size_t ended) {
    const World& w = world();
    Objects pods;
    const auto result = waitFor(
        w.home, {"pods", ns}, "two pods that run and " + std::to_string(ended) + " that have ended",
        [ended](const Objects& found) {
          std::size_t running = 0, gone = 0;
          for (const auto& [key, pod] : found) {
            running += isRunningAndReady(pod);
            gone += phaseOf(pod) == "Failed" || phaseOf(pod) == "Succeeded";
          }
          return running == 2 && gone == ended && found.size() == 2 + ended;
        },
        &pods, seconds(150));
    if (!result) return result;
    for (const auto& [key, pod] : pods) {
      if (!isRunningAndReady(pod)) continue;
      const std::string where = json::str(w.delegateOf(pod), {"spec", "nodeName"});
      if (where != target_node) return testing::AssertionFailure() << key << " runs on " << where;
    }
    return testing::AssertionSuccess();
  }
};

TEST_F(TargetNodes, CapacityAndPodsFollowNodesThatAreCordonedDrainedAndGone) {
  World& w = world();
  const std::string pool = randomSuffix(), pool_label = "e2e.vk-bridge.io/pool=" + pool;
  const json::Quantity at_first = cpuOf(w.home.get("nodes", "", w.node));
  const auto addNode = [&](const std::string& name, const std::string& cpu) {
    return std::make_unique<MockNode>(
        w.environment, w.target, "e2e-" + name + "-" + pool,
        std::vector<std::string>{"--cpu", cpu, "--label", pool_label});
  };
  const auto drained = addNode("drained", "7");
  ASSERT_TRUE(drained->waitReady());
  ASSERT_TRUE(waitOffers(at_first, 7));

  const std::string ns = w.newNamespace("pool");
  Json deployment = makeWorkload("Deployment", ns, "web", w.node, 2);
  const Json selector{{"nodeSelector", {{"e2e.vk-bridge.io/pool", pool}}}};
  deployment["spec"]["template"]["metadata"]["annotations"] = {
      {"clusterSelector", selector.dump()}};
  w.home.create(deployment);
  ASSERT_TRUE(waitTwoOn(ns, drained->name(), 0));
  EXPECT_TRUE(waitOffers(at_first, 7)) << "what ours take is not taken off";

  const std::string foreign = "e2e-foreign-" + pool;
  w.makeForeignNamespace(foreign);
  Json neighbour = makePlainPod(foreign, "neighbour");
  neighbour["spec"]["containers"][0]["resources"] = {{"requests", {{"cpu", "2"}}}};
  neighbour["spec"]["nodeName"] = drained->name();
  w.target.create(neighbour);
  ASSERT_TRUE(waitOffers(at_first, 5)) << "what others take is taken off";
  const auto vanishing = addNode("gone", "3");
  ASSERT_TRUE(waitOffers(at_first, 8));

  w.target.must({"cordon", drained->name()});
  EXPECT_TRUE(waitOffers(at_first, 3)) << "neither the node nor what others have there counts";
  EXPECT_TRUE(waitTwoOn(ns, drained->name(), 0)) << "they run on";
  w.target.must({"drain", drained->name(), "--force", "--ignore-daemonsets", "--grace-period=1"});
  EXPECT_TRUE(waitTwoOn(ns, vanishing->name(), 2));
  EXPECT_TRUE(waitOffers(at_first, 3));
  w.target.must({"uncordon", drained->name()});
  ASSERT_TRUE(waitOffers(at_first, 10));

  vanishing->vanish();
  EXPECT_TRUE(waitOffers(at_first, 7));
  // The target's pod garbage collector takes its pods away, after 40 to 60 s.
  EXPECT_TRUE(waitTwoOn(ns, drained->name(), 4));
}

}  // namespace
}  // namespace vkb::e2e
