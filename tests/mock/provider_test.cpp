#include "mock/provider.h"

#include <gtest/gtest.h>

#include <algorithm>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "mock/fleet.h"
#include "support/fake_cluster.h"

namespace vkb::mock {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class FleetTest : public ::testing::Test {
 protected:
  ~FleetTest() override {
    if (fleet_) fleet_->stop();
  }
  void start(Fleet::Options options = {}) {
    client_ = cluster_.client("mock");
    fleet_ = std::make_unique<Fleet>(Fleet::Deps{rt_.runtime(), *client_, logger_, metrics_},
                                     std::move(options));
    ASSERT_TRUE(fleet_->start());
    rt_.settle();
  }
  void addPod(const std::string& name, const Json& annotations = Json::object(),
              const std::string& policy = "Never", const std::string& node = "mock-0") {
    cluster_.addPod(
        {{"metadata", {{"name", name}, {"namespace", "default"}, {"annotations", annotations}}},
         {"spec",
          {{"nodeName", node},
           {"restartPolicy", policy},
           {"containers", Json::array({{{"name", "c"}, {"image", "app:1"}}})}}}});
    rt_.settle();
  }
  Json pod(const std::string& name) const {
    const auto found = cluster_.findPod("default", name);
    return found ? found->json() : Json();
  }
  std::string phase(const std::string& name) const {
    return json::str(pod(name), {"status", "phase"});
  }
  std::string condition(const std::string& name, const std::string& type) const {
    const Json shown = pod(name);
    const Json* entry = json::findBy(json::array(shown, {"status", "conditions"}), "type", type);
    return entry ? json::str(*entry, "status") : "";
  }
  Json container(const std::string& name) const {
    const Json shown = pod(name);
    const Json& statuses = json::array(shown, {"status", "containerStatuses"});
    return statuses.empty() ? Json() : statuses[0];
  }
  std::ptrdiff_t requests(const std::string& verb, const std::string& resource) const {
    return std::count_if(cluster_.requests.begin(), cluster_.requests.end(), [&](const auto& r) {
      return r.actor == "mock" && r.verb == verb && r.resource == resource;
    });
  }

  test::FakeRuntime rt_;
  test::FakeCluster cluster_{rt_};
  base::NullLogger logger_;
  base::Metrics metrics_;
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<Fleet> fleet_;
};

TEST_F(FleetTest, NodesAreRegisteredReadyAndAlive) {
  start({.nodes = 3, .cpu = "7", .labels = {{"pool", "mock"}}, .taints = {"gpu=yes:NoExecute"}});
  rt_.advance(seconds(30));
  for (const char* name : {"mock-0", "mock-1", "mock-2"}) {
    const auto node = cluster_.find(kube::kNodes, "", name);
    ASSERT_TRUE(node) << name;
    EXPECT_EQ(json::str(node->json(), {"status", "allocatable", "cpu"}), "7");
    EXPECT_EQ(json::str(node->json(), {"metadata", "labels", "pool"}), "mock");
    EXPECT_EQ(json::array(node->json(), {"spec", "taints"})[0],
              (Json{{"key", "gpu"}, {"value", "yes"}, {"effect", "NoExecute"}}));
    EXPECT_TRUE(cluster_.find(kube::kLeases, "kube-node-lease", name)) << name;
  }
}

TEST_F(FleetTest, HowManyNodesThereAreThereIsOneWatchOfPodsAndOneOfNodes) {
  start({.nodes = 50});
  rt_.advance(seconds(60));
  EXPECT_EQ(requests("watch", "pods"), 1);
  EXPECT_EQ(requests("watch", "nodes"), 1);
}

TEST_F(FleetTest, APodBoundToANodeRunsAndIsReadyAfterOnePatch) {
  start({.nodes = 2});
  addPod("web", Json::object(), "Always", "mock-1");
  EXPECT_EQ(phase("web"), "Running");
  EXPECT_EQ(condition("web", "Ready"), "True");
  EXPECT_FALSE(json::str(pod("web"), {"status", "podIP"}).empty());
  EXPECT_FALSE(json::at(container("web"), {"state", "running"}).is_null());
  EXPECT_EQ(requests("patch", "pods"), 1);
}

TEST_F(FleetTest, APodOfAnotherNodeIsLeftAlone) {
  start();
  addPod("web", Json::object(), "Always", "worker-1");
  EXPECT_EQ(phase("web"), "Pending");
  EXPECT_EQ(requests("patch", "pods"), 0);
}

TEST_F(FleetTest, ADeletedPodGoesAtOnceAndOnlyWhenItsContainersEnded) {
  start();
  addPod("quick");
  addPod("slow", {{"mock.vk-bridge.io/delete-after", "5s"}});
  ASSERT_TRUE(
      cluster_.remove("user", kube::kPods, "default", "quick", {.grace_period_seconds = 30}));
  ASSERT_TRUE(
      cluster_.remove("user", kube::kPods, "default", "slow", {.grace_period_seconds = 30}));
  rt_.settle();
  EXPECT_TRUE(pod("quick").is_null());
  EXPECT_EQ(phase("slow"), "Running");
  rt_.advance(seconds(5));
  EXPECT_TRUE(pod("slow").is_null());
  EXPECT_EQ(fleet_->pods(), 0u);
}

TEST_F(FleetTest, PodsStartBecomeReadyAndEndWhenTheirAnnotationsSaySo) {
  start();
  addPod("job", {{"mock.vk-bridge.io/run-after", "200ms"},
                 {"mock.vk-bridge.io/ready-after", "1s"},
                 {"mock.vk-bridge.io/exit-after", "2s"},
                 {"mock.vk-bridge.io/exit-code", "3"}});
  EXPECT_EQ(phase("job"), "Pending");
  rt_.advance(milliseconds(200));
  EXPECT_EQ(phase("job"), "Running");
  EXPECT_EQ(condition("job", "Ready"), "False");
  rt_.advance(seconds(1));
  EXPECT_EQ(condition("job", "Ready"), "True");
  rt_.advance(seconds(2));
  EXPECT_EQ(phase("job"), "Failed");
  EXPECT_EQ(json::integer(container("job"), {"state", "terminated", "exitCode"}), 3);
}

TEST_F(FleetTest, AnEndIsASuccessWithCodeZeroAndARestartByPolicy) {
  start();
  const Json ends{{"mock.vk-bridge.io/exit-after", "1s"}};
  addPod("once", ends);
  addPod("always", ends, "Always");
  addPod("on-failure", ends, "OnFailure");
  rt_.advance(seconds(2));
  EXPECT_EQ(phase("once"), "Succeeded");
  EXPECT_EQ(phase("always"), "Running");
  EXPECT_EQ(json::integer(container("always"), {"restartCount"}), 2);
  EXPECT_EQ(phase("on-failure"), "Succeeded");
}

TEST_F(FleetTest, EvictedVanishedAndNeverStartingPodsLookAsTheyDoOnRealNodes) {
  start();
  addPod("evicted", {{"mock.vk-bridge.io/evict-after", "1s"}}, "Always");
  addPod("vanished", {{"mock.vk-bridge.io/vanish-after", "1s"}}, "Always");
  addPod("stuck", {{"mock.vk-bridge.io/waiting", "ImagePullBackOff"}});
  rt_.advance(seconds(2));
  EXPECT_EQ(json::str(pod("evicted"), {"status", "reason"}), "Evicted");
  EXPECT_EQ(json::str(pod("vanished"), {"status", "reason"}), "DelegateLost");
  EXPECT_EQ(phase("stuck"), "Pending");
  EXPECT_EQ(json::str(container("stuck"), {"state", "waiting", "reason"}), "ImagePullBackOff");
}

TEST_F(FleetTest, CreatesFailAsOftenAsToldAndThePodRunsAfterwards) {
  start();
  addPod("flaky", {{"mock.vk-bridge.io/create-error", "retryable:3"}});
  addPod("refused", {{"mock.vk-bridge.io/create-error", "permanent"}});
  addPod("misspelt", {{"mock.vk-bridge.io/run-after", "soon"}});
  rt_.advance(seconds(10));
  EXPECT_EQ(phase("flaky"), "Running");
  EXPECT_EQ(json::str(container("refused"), {"state", "waiting", "reason"}), "MockRefused");
  EXPECT_EQ(json::str(container("misspelt"), {"state", "waiting", "reason"}), "InvalidInput");
}

TEST_F(FleetTest, AProcessThatIsStartedAgainGoesOnWithItsPodsAndWritesNothing) {
  start();
  addPod("web", Json::object(), "Always");
  fleet_->stop();
  fleet_.reset();
  const Json before = pod("web");
  const auto patches = requests("patch", "pods");
  rt_.advance(seconds(60));
  start();
  EXPECT_EQ(pod("web"), before);
  EXPECT_EQ(requests("patch", "pods"), patches);
  EXPECT_EQ(fleet_->pods(), 1u);
}

TEST_F(FleetTest, AThousandPodsAtOnceCostOnePatchEach) {
  start({.nodes = 10});
  for (int i = 0; i < 1000; ++i) {
    cluster_.addPod({{"metadata", {{"name", "p" + std::to_string(i)}}},
                     {"spec",
                      {{"nodeName", "mock-" + std::to_string(i % 10)},
                       {"containers", Json::array({{{"name", "c"}, {"image", "app:1"}}})}}}});
  }
  rt_.settle();
  EXPECT_EQ(fleet_->pods(), 1000u);
  EXPECT_EQ(requests("patch", "pods"), 1000);
}

TEST_F(FleetTest, NodesAreRemovedWhenAsked) {
  start({.nodes = 2});
  fleet_->stop();
  EXPECT_TRUE(fleet_->removeNodes());
  EXPECT_FALSE(cluster_.find(kube::kNodes, "", "mock-0"));
  EXPECT_FALSE(cluster_.find(kube::kNodes, "", "mock-1"));
}

TEST(ParseDuration, ReadsWhatGoWrites) {
  EXPECT_EQ(*parseDuration("200ms"), Duration(milliseconds(200)));
  EXPECT_EQ(*parseDuration("1.5s"), Duration(milliseconds(1500)));
  EXPECT_EQ(*parseDuration("2m"), Duration(seconds(120)));
  EXPECT_EQ(*parseDuration("0"), Duration::zero());
  for (const char* bad : {"", "5", "s", "-1s", "1e99s", "nans", "infs", "1 s", "1sx"}) {
    EXPECT_FALSE(parseDuration(bad)) << bad;
  }
}

}  // namespace
}  // namespace vkb::mock
