#include "support/fake_kubelet.h"

#include "cluster_fixture.h"

namespace vkb::test {
namespace {

class FakeKubeletTest : public ClusterTest {
 protected:
  FakeKubeletTest() { cluster_.addNode("n1"); }
  std::string phase(const std::string& name) {
    const VersionPtr found = cluster_.findPod("t1", name);
    return found ? json::str(found->json(), {"status", "phase"}) : "gone";
  }
  FakeScheduler scheduler_{cluster_};
  FakeKubelet kubelet_{cluster_, "n1"};
};

TEST_F(FakeKubeletTest, APodIsBoundAndRunsAndEndsStepByStep) {
  cluster_.addPod(pod("a"));
  EXPECT_FALSE(kubelet_.step());
  EXPECT_TRUE(scheduler_.step());
  EXPECT_TRUE(kubelet_.step());
  EXPECT_EQ(phase("a"), "Running");
  EXPECT_EQ(json::str(cluster_.findPod("t1", "a")->json(), {"status", "podIP"}), "10.88.0.2");
  EXPECT_FALSE(kubelet_.step());
  ASSERT_TRUE(client_->remove(kube::kPods, "t1", "a", {}));
  EXPECT_TRUE(kubelet_.step());
  EXPECT_EQ(phase("a"), "Succeeded");
  EXPECT_TRUE(kubelet_.step());
  EXPECT_EQ(phase("a"), "gone");
}

TEST_F(FakeKubeletTest, PodsThatFitNowhereAreMarkedOnce) {
  Json picky = pod("a");
  picky["spec"]["nodeSelector"] = {{"zone", "mars"}};
  cluster_.addPod(picky);
  EXPECT_EQ(scheduler_.settle(), 1U);
  const Json* scheduled =
      json::findBy(json::array(cluster_.findPod("t1", "a")->json(), {"status", "conditions"}),
                   "type", "PodScheduled");
  ASSERT_TRUE(scheduled);
  EXPECT_EQ(json::str(*scheduled, "reason"), "Unschedulable");
}

TEST_F(FakeKubeletTest, TaintsKeepPodsAwayUnlessTolerated) {
  cluster_.edit(kube::kNodes, "", "n1",
                {{"spec", {{"taints", Json::array({{{"key", "k"}, {"effect", "NoSchedule"}}})}}}});
  cluster_.addPod(pod("a"));
  Json tolerant = pod("b");
  tolerant["spec"]["tolerations"] = Json::array({{{"key", "k"}, {"operator", "Exists"}}});
  cluster_.addPod(tolerant);
  scheduler_.settle();
  EXPECT_EQ(json::str(cluster_.findPod("t1", "a")->json(), {"spec", "nodeName"}), "");
  EXPECT_EQ(json::str(cluster_.findPod("t1", "b")->json(), {"spec", "nodeName"}), "n1");
}

TEST_F(FakeKubeletTest, ContainersEndByTheRestartPolicy) {
  Json once = pod("once", "n1");
  once["spec"]["restartPolicy"] = "Never";
  cluster_.addPod(once);
  cluster_.addPod(pod("always", "n1"));
  kubelet_.settle();
  kubelet_.exitContainers("t1", "once", 3);
  kubelet_.exitContainers("t1", "always", 3);
  EXPECT_EQ(phase("once"), "Failed");
  EXPECT_EQ(phase("always"), "Running");
  const Json& status =
      json::array(cluster_.findPod("t1", "always")->json(), {"status", "containerStatuses"})[0];
  EXPECT_EQ(json::integer(status, {"restartCount"}), 1);
}

TEST_F(FakeKubeletTest, AHeldPodStaysPendingAndAFinalizerKeepsTheObject) {
  Json held = pod("a", "n1");
  held["metadata"]["finalizers"] = {"example.com/hold"};
  cluster_.addPod(held);
  kubelet_.hold("t1", "a");
  EXPECT_EQ(kubelet_.settle(), 0U);
  kubelet_.hold("t1", "a", false);
  EXPECT_EQ(kubelet_.settle(), 1U);
  ASSERT_TRUE(client_->remove(kube::kPods, "t1", "a", {}));
  EXPECT_EQ(kubelet_.settle(), 2U);
  EXPECT_EQ(phase("a"), "Succeeded") << "the object waits for its finalizer";
}

TEST_F(FakeKubeletTest, OnTheirOwnTheyBringAPodUpWithinSettle) {
  scheduler_.runAutomatically();
  kubelet_.runAutomatically();
  cluster_.addPod(pod("a"));
  rt_.settle();
  EXPECT_EQ(phase("a"), "Running");
  ASSERT_TRUE(client_->remove(kube::kPods, "t1", "a", {}));
  rt_.settle();
  EXPECT_EQ(phase("a"), "gone");
}

}  // namespace
}  // namespace vkb::test
