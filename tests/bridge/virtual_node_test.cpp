#include "bridge/virtual_node.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::bridge {
namespace {

TEST(VirtualNode, IsWhatDesignSaysOfIt) {
  const Json node = forgeNode({.name = "gpu-eu",
                               .version = "v1.36.1",
                               .host_ip = "10.0.0.9",
                               .kubelet_port = 10450,
                               .os = "linux",
                               .arch = "arm64",
                               .labels = {{"disk", "ssd"}},
                               .offered = Resources{{"cpu", json::Quantity::fromUnits(3)}}});
  EXPECT_EQ(node, R"({
    "metadata": {"labels": {"type": "virtual-kubelet", "kubernetes.io/hostname": "gpu-eu",
      "kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64",
      "node.kubernetes.io/exclude-disruption": "true",
      "node.kubernetes.io/exclude-from-external-load-balancers": "true",
      "vk-bridge.io/cluster": "gpu-eu", "disk": "ssd"}},
    "spec": {"taints": [{"key": "virtual-kubelet.io/provider", "value": "vk-bridge",
      "effect": "NoSchedule"}]},
    "status": {"nodeInfo": {"kubeletVersion": "v1.36.1", "operatingSystem": "linux",
      "architecture": "arm64"},
      "addresses": [{"type": "InternalIP", "address": "10.0.0.9"},
        {"type": "Hostname", "address": "gpu-eu"}],
      "daemonEndpoints": {"kubeletEndpoint": {"Port": 10450}},
      "capacity": {"cpu": "3"}, "allocatable": {"cpu": "3"}}})"_json);
}

TEST(VirtualNode, WhatIsNotKnownIsNotSaid) {
  const Json node = forgeNode({.name = "a", .version = "", .host_ip = "", .os = "", .arch = ""});
  EXPECT_FALSE(node["status"].contains("capacity"));
  EXPECT_FALSE(node["status"].contains("daemonEndpoints"));
  EXPECT_EQ(node["status"]["addresses"].size(), 1U);
  EXPECT_EQ(json::str(node, {"metadata", "labels", "kubernetes.io/os"}), "linux");
  EXPECT_EQ(json::str(node, {"metadata", "labels", "kubernetes.io/arch"}), "amd64");
}

TEST(VirtualNode, LabelsOfTheTargetsNodesNeverStandOverOurs) {
  const Json node = forgeNode({.name = "a",
                               .version = "",
                               .host_ip = "",
                               .os = "",
                               .arch = "",
                               .labels = {{"type", "worker"}, {"kubernetes.io/hostname", "x"}}});
  EXPECT_EQ(json::str(node, {"metadata", "labels", "type"}), "virtual-kubelet");
  EXPECT_EQ(json::str(node, {"metadata", "labels", "kubernetes.io/hostname"}), "a");
}

}  // namespace
}  // namespace vkb::bridge
