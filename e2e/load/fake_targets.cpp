#include "load/fake_targets.h"

#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "load/pod_template.h"
#include "load/workplace.h"
#include "support/fake_api_server.h"

namespace vkb::load {
namespace {

/// One of them, with time of its own, which stands still.
struct FakeTarget {
  FakeTarget(std::size_t number, const FakeTargetOptions& options)
      : runtime(number + 1),
        cluster(runtime, {.name = "target-" + std::to_string(number), .seed = number + 1}),
        server(runtime, cluster, {.tokens = {{"bench", "vk-bridge"}}}) {
    server.with([&](test::FakeCluster& fake) {
      fake.record_requests = false;
      for (std::size_t i = 0; i < options.nodes; ++i) fake.addNode("node-" + std::to_string(i));
      for (std::size_t i = 0; i < options.pods; ++i) {
        const std::string node = "node-" + std::to_string(i % options.nodes);
        fake.addPod(foreignPod("foreign", "foreign-" + std::to_string(i), node));
      }
    });
  }

  test::FakeRuntime runtime;
  test::FakeCluster cluster;
  test::FakeApiServer server;
};

}  // namespace

Result<void> runFakeTargets(const FakeTargetOptions& options) {
  blockSignals();
  std::vector<std::unique_ptr<FakeTarget>> targets;
  for (std::size_t i = 0; i < options.count; ++i) {
    targets.push_back(std::make_unique<FakeTarget>(i, options));
    const std::string file = options.folder + "/target-" + std::to_string(i) + ".kubeconfig";
    kube::ClusterAccess access = targets.back()->server.access("bench");
    access.context = "target-" + std::to_string(i);
    std::ofstream(file) << kube::flatten(access);
  }
  std::printf("ready\n");
  std::fflush(stdout);
  waitForSignal();
  return {};
}

}  // namespace vkb::load
