#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "json/json.h"
#include "support/api_errors.h"
#include "support/fake_cluster.h"

namespace vkb::test {

/// Notes what a watch brings as "TYPE name".
class Recorder final : public kube::WatchHandler {
 public:
  void onEvent(json::RawEvent event) override {
    lines.push_back(event.type + " " + event.object->name);
    versions.push_back(event.object->resource_version);
    if (on_event) on_event();
  }
  void onClosed(Status status) override {
    ++closed;
    end = std::move(status);
    if (on_closed) on_closed();
  }
  std::vector<std::string> lines, versions;
  int closed = 0;
  Status end;
  std::function<void()> on_event, on_closed;
};

class ClusterTest : public ::testing::Test {
 protected:
  static Json pod(const std::string& name, const std::string& node = "", Json labels = Json()) {
    Json out{{"metadata", {{"name", name}, {"namespace", "t1"}}}, {"spec", Json::object()}};
    if (!node.empty()) out["spec"]["nodeName"] = node;
    if (!labels.is_null()) out["metadata"]["labels"] = std::move(labels);
    return out;
  }
  static Json fullPod(const std::string& name, const std::string& node = "") {
    Json out = pod(name, node);
    out["spec"]["containers"] = Json::array({{{"name", "c"}, {"image", "registry.example/app:1"}}});
    return out;
  }
  static Json running() { return {{"status", {{"phase", "Running"}}}}; }

  ClusterTest() { cluster_.addNamespace("t1"); }

  Result<Json> patchStatus(const std::string& name, const Json& patch) {
    return json::parsed(
        client_->patch(kube::kPods, "t1", name, kube::PatchType::kStrategicMerge, patch, "status"));
  }
  std::unique_ptr<kube::WatchHandle> watchPods(kube::WatchHandler& handler,
                                               kube::WatchOptions options = {}) {
    if (options.resource_version.empty())
      options.resource_version = std::to_string(cluster_.resourceVersion());
    return client_->watch(kube::kPods, options, handler);
  }

  FakeRuntime rt_;
  FakeCluster cluster_{rt_};
  std::unique_ptr<kube::Client> client_ = cluster_.client("bridge");
};

using Lines = std::vector<std::string>;

}  // namespace vkb::test
