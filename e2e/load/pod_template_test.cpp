#include "load/pod_template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "load/pod_census.h"
#include "support/fake_cluster.h"

namespace vkb::load {
namespace {

TEST(LoadPod, HasTwoContainersThirtyVariablesAndFourVolumes) {
  const Json pod = loadPod("load", 7, "gpu-eu");
  std::size_t variables = 0;
  for (const auto& container : json::array(pod, {"spec", "containers"})) {
    variables += json::array(container, {"env"}).size();
  }
  EXPECT_EQ(json::array(pod, {"spec", "containers"}).size(), 2u);
  EXPECT_EQ(variables, 30u);
  EXPECT_EQ(json::array(pod, {"spec", "volumes"}).size(), 4u);
  EXPECT_EQ(json::str(pod, {"metadata", "name"}), "load-7");
  EXPECT_EQ(json::str(pod, {"spec", "nodeName"}), "gpu-eu");
}

TEST(LoadPod, WithoutANodeItIsForTheScheduler) {
  EXPECT_FALSE(loadPod("load", 0, "")["spec"].contains("nodeName"));
}

/// Without managedFields and status, which make it 6 KB on a real server.
TEST(LoadPod, IsOfRealisticSize) {
  test::FakeRuntime runtime;
  test::FakeCluster cluster(runtime);
  const auto stored = cluster.addPod(loadPod("load", 0, "gpu-eu"));
  EXPECT_GT(stored->raw()->raw.size(), 3500u);
  EXPECT_LT(stored->raw()->raw.size(), 6500u);
}

TEST(RunningAndReady, TakesPhaseAndConditionTogether) {
  const auto judge = [](const char* phase, const char* ready) {
    const Json pod{{"metadata", {{"name", "a"}, {"uid", "u"}}},
                   {"status",
                    {{"phase", phase},
                     {"conditions", Json::array({{{"type", "ContainersReady"}, {"status", "True"}},
                                                 {{"type", "Ready"}, {"status", ready}}})}}}};
    return isRunningAndReady(*json::makeObject(pod));
  };
  EXPECT_TRUE(judge("Running", "True"));
  EXPECT_FALSE(judge("Running", "False"));
  EXPECT_FALSE(judge("Pending", "True"));
}

}  // namespace
}  // namespace vkb::load
