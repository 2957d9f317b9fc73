#include "bridge/target_nodes.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bridge/foreign_usage.h"

namespace vkb::bridge {
namespace {

class TargetNodesTest : public ::testing::Test {
 protected:
  static Json node(const std::string& name, const char* cpu = "4") {
    return {{"metadata", {{"name", name}, {"uid", "u-" + name}, {"labels", Json::object()}}},
            {"spec", Json::object()},
            {"status",
             {{"allocatable", {{"cpu", cpu}, {"memory", "8Gi"}, {"pods", "110"}}},
              {"nodeInfo", {{"operatingSystem", "linux"}, {"architecture", "amd64"}}},
              {"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}};
  }
  void see(const Json& object) { nodes_.upsert(json::makeObject(object)); }
  void loseSight(const Json& object) { nodes_.remove(json::makeObject(object)); }
  void use(const std::string& uid, const std::string& on, const char* cpu) {
    foreign_.set(uid, on, {{"cpu", *json::Quantity::parse(cpu)}});
  }
  TargetNodes::View view() const {
    return nodes_.view(
        [this](const std::string& name, Resources& of) { subtract(of, foreign_.on(name)); });
  }
  std::string cpu() const {
    const Json shown = toCapacity(view().offered);
    return shown.contains("cpu") ? shown["cpu"].get<std::string>() : "none";
  }

  int told_ = 0;
  TargetNodes nodes_{{.selector = {}, .on_change = [this] { ++told_; }}};
  ForeignUsage foreign_;
};

TEST_F(TargetNodesTest, CapacityFollowsCordonNotReadyResizeAndDeletion) {
  Json a = node("a"), b = node("b", "8");
  see(a);
  see(b);
  EXPECT_EQ(cpu(), "12");
  a["spec"]["unschedulable"] = true;
  see(a);
  EXPECT_EQ(cpu(), "8");
  a["spec"]["unschedulable"] = false;
  see(a);
  EXPECT_EQ(cpu(), "12");
  b["status"]["conditions"][0]["status"] = "Unknown";
  see(b);
  EXPECT_EQ(cpu(), "4");
  EXPECT_EQ(view().ready, 1);
  EXPECT_EQ(view().total, 2);
  b["status"]["conditions"][0]["status"] = "True";
  b["status"]["allocatable"]["cpu"] = "16";
  see(b);
  EXPECT_EQ(cpu(), "20");
  loseSight(a);
  EXPECT_EQ(cpu(), "16");
  loseSight(b);
  EXPECT_EQ(cpu(), "0") << "and not as if nothing were known";
}

TEST_F(TargetNodesTest, WhatOthersUseIsTakenOffTheNodeThatTheyUseItOf) {
  Json a = node("a");
  see(a);
  see(node("b"));
  use("p1", "a", "3");
  use("p2", "b", "1");
  use("p3", "a node that is not known", "2");
  EXPECT_EQ(cpu(), "4");
  // The pods of a cordoned node take nothing off the others.
  a["spec"]["unschedulable"] = true;
  see(a);
  EXPECT_EQ(cpu(), "3");
  a["spec"]["unschedulable"] = false;
  see(a);
  use("p4", "a", "7");
  EXPECT_EQ(cpu(), "3") << "what one node lacks is not taken off another";
}

TEST_F(TargetNodesTest, ANodeThatNoDelegateMayGoToOffersNothing) {
  TargetNodes selected({.selector = {{"gpu", "a100"}}});
  Json with = node("a"), without = node("b");
  with["metadata"]["labels"]["gpu"] = "a100";
  selected.upsert(json::makeObject(with));
  selected.upsert(json::makeObject(without));
  const auto seen = selected.view([](const std::string&, Resources&) {});
  EXPECT_EQ(toCapacity(seen.offered)["cpu"], "4");
  EXPECT_EQ(seen.ready, 2);
}

TEST_F(TargetNodesTest, OnlyAChangeThatCountsIsTold) {
  Json a = node("a");
  see(a);
  EXPECT_EQ(told_, 1);
  a["status"]["conditions"][0]["lastHeartbeatTime"] = "2026-01-01T00:00:00Z";
  a["status"]["images"] = {{{"names", {"busybox"}}}};
  see(a);
  nodes_.replace({json::makeObject(a)});
  EXPECT_EQ(told_, 1);
  a["status"]["allocatable"]["cpu"] = "3";
  nodes_.replace({json::makeObject(a)});
  EXPECT_EQ(told_, 2);
  nodes_.replace({});
  EXPECT_EQ(told_, 3);
  loseSight(a);
  EXPECT_EQ(told_, 3);
}

TEST_F(TargetNodesTest, LabelsThatAllNodesHaveAlikeAreShown) {
  Json a = node("a"), b = node("b");
  for (Json* each : {&a, &b}) {
    (*each)["metadata"]["labels"] = {{"topology.kubernetes.io/region", "eu-1"},
                                     {"kubernetes.io/hostname", "same"},
                                     {"disk", "ssd"}};
  }
  a["metadata"]["labels"]["topology.kubernetes.io/zone"] = "eu-1a";
  b["metadata"]["labels"]["topology.kubernetes.io/zone"] = "eu-1b";
  see(a);
  see(b);
  const std::map<std::string, std::string> common{{"topology.kubernetes.io/region", "eu-1"},
                                                  {"disk", "ssd"}};
  EXPECT_EQ(view().labels, common);
  loseSight(b);
  EXPECT_EQ(view().labels.at("topology.kubernetes.io/zone"), "eu-1a");
  see(node("c"));
  EXPECT_TRUE(view().labels.empty());
}

TEST(SharedNodeLabel, IsNotOneOfAMachineOrOfWhoLooksAfterIt) {
  for (const char* kept :
       {"topology.kubernetes.io/region", "topology.kubernetes.io/zone", "disk",
        "nvidia.com/gpu.product", "node.kubernetes.io/instance-type", "example.com/team"}) {
    EXPECT_TRUE(isSharedNodeLabel(kept)) << kept;
  }
  for (const char* own :
       {"kubernetes.io/hostname", "kubernetes.io/os", "type", "vk-bridge.io/cluster",
        "node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/worker",
        "kubernetes.io/role", "alpha.eksctl.io/instance-id", "topology.ebs.csi.aws.com/zone",
        "csi.volume.kubernetes.io/nodeid",
        "node.kubernetes.io/exclude-from-external-load-balancers",
        "node-restriction.kubernetes.io/fips", "karpenter.sh/nodepool", "karpenter.k8s.aws/x",
        "eks.amazonaws.com/nodegroup", "cloud.google.com/gke-nodepool",
        "kubernetes.azure.com/agentpool", "node.cluster.x-k8s.io/instance", "liqo.io/type"}) {
    EXPECT_FALSE(isSharedNodeLabel(own)) << own;
  }
}

TEST_F(TargetNodesTest, SystemAndArchitectureAreThoseOfMostNodes) {
  EXPECT_EQ(view().arch, "");
  Json arm = node("a");
  arm["status"]["nodeInfo"]["architecture"] = "arm64";
  see(arm);
  EXPECT_EQ(view().arch, "arm64");
  see(node("b"));
  EXPECT_EQ(view().arch, "amd64") << "as many of each: the same one every time";
  arm["metadata"]["name"] = "c";
  see(arm);
  EXPECT_EQ(view().arch, "arm64");
  EXPECT_EQ(view().os, "linux");
}

TEST(ForeignUsage, IsForgottenWithItsLastPod) {
  ForeignUsage usage;
  const Resources one{{"cpu", json::Quantity::fromUnits(1)}};
  EXPECT_TRUE(usage.set("a", "n", one));
  EXPECT_FALSE(usage.set("a", "n", one));
  EXPECT_TRUE(usage.set("b", "n", one));
  EXPECT_EQ(usage.on("n").at("cpu").toString(), "2");
  EXPECT_TRUE(usage.set("a", "m", one)) << "moved";
  EXPECT_EQ(usage.on("n").at("cpu").toString(), "1");
  EXPECT_TRUE(usage.set("b", "", one));
  EXPECT_TRUE(usage.on("n").empty());
  EXPECT_FALSE(usage.set("b", "n", {}));
  EXPECT_TRUE(usage.keepOnly({}));
  EXPECT_FALSE(usage.keepOnly({}));
  EXPECT_EQ(usage.pods(), 0U);
  EXPECT_TRUE(usage.on("m").empty());
}

}  // namespace
}  // namespace vkb::bridge
