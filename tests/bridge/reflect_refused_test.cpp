// What real API servers refused in a pod's status (recordings of 1.36): a delegate may say any of
// it, home must not be sent it.

#include <gtest/gtest.h>

#include <fstream>

#include "node/status_patch.h"
#include "reflect_pods.h"
#include "support/fake_cluster.h"

namespace vkb::bridge {
namespace {

std::vector<Json> recordedStatuses() {
  std::ifstream file(VKB_SOURCE_DIR "/tests/support/testdata/status-refused-1.36.json");
  std::vector<Json> statuses;
  const Json recording = Json::parse(file);
  for (const Json& step : json::array(recording, {"steps"})) {
    const Json& status = json::at(step, {"request", "body", "status"});
    // A type that is wrong and an address that is none: no target's API server gives these out.
    if (!status.is_object() || json::at(status, "phase").is_number() ||
        json::str(status, "podIP") == "not-an-ip") {
      continue;
    }
    statuses.push_back(status);
  }
  return statuses;
}

TEST(ReflectRefused, NothingThatAHomeOf136RefusesIsSent) {
  const auto statuses = recordedStatuses();
  ASSERT_GT(statuses.size(), 10U);
  for (const Json& theirs : statuses) {
    test::FakeRuntime runtime;
    test::FakeCluster home(runtime, {.name = "home"});
    home.addPod(R"({"metadata": {"name": "a", "namespace": "t1"},
      "spec": {"nodeName": "vn1", "containers": [{"name": "c", "image": "i",
        "resources": {"requests": {"cpu": "100m"}}}]}})"_json);
    Json delegate = R"({"metadata": {"uid": "d", "generation": 1},
                        "spec": {"containers": [{"name": "c"}]}})"_json;
    delegate["status"] = theirs;
    const Json pod = home.findPod("t1", "a")->json();
    const Json desired = reflect(pod, delegate, {.host_ip = "192.0.2.9", .inputs_hash = "x"});
    const auto patch = node::podStatusPatch(pod, desired, Json());
    if (!patch) continue;
    const auto answer = home.patch("bridge", kube::kPods, "t1", "a",
                                   kube::PatchType::kStrategicMerge, *patch, "status");
    EXPECT_TRUE(answer) << theirs << "\n" << *patch << "\n" << answer.error().message;
  }
}

TEST(ReflectRefused, TheRecordingHoldsWhatItIsFor) {
  int refused = 0;
  for (const Json& theirs : recordedStatuses()) {
    for (const char* field : {"qosClass", "nominatedNodeName", "resourceClaimStatuses",
                              "observedGeneration", "hostIPs"}) {
      refused += theirs.contains(field);
    }
  }
  EXPECT_GE(refused, 6);
}

}  // namespace
}  // namespace vkb::bridge
