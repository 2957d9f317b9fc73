#include <gtest/gtest.h>

#include "bridge/forge_parts.h"
#include "forge_pods.h"

namespace vkb::bridge {
namespace {

class StaysAtHome : public testing::TestWithParam<const char*> {};

TEST_P(StaysAtHome, AsLabelAndAsAnnotationWithAReason) {
  const std::string key = GetParam();
  Json home = homePod120();
  home["metadata"]["labels"][key] = "x";
  home["metadata"]["annotations"][key] = "x";
  std::vector<Change> changes;
  const Json metadata = forge(home, contextFor(home), Reasons(changes))["metadata"];
  for (const char* field : {"labels", "annotations"}) {
    EXPECT_FALSE(metadata[field].contains(key)) << field;
    const std::string path = std::string("metadata.") + field + "[" + key + "]";
    EXPECT_TRUE(std::any_of(changes.begin(), changes.end(), [&](const Change& change) {
      return change.path == path && !change.reason.empty();
    })) << path;
  }
}

INSTANTIATE_TEST_SUITE_P(
    OtherControllersKeys, StaysAtHome,
    testing::Values(
        "vk-bridge.io/extra", "home.vk-bridge.io/app", "clusterSelector", "virtual-pod",
        "tripped-labels", "liqo.io/shadowPod", "offloading.liqo.io/origin",
        "multicluster.admiralty.io/elect", "kubectl.kubernetes.io/last-applied-configuration",
        "applyset.kubernetes.io/part-of", "config.k8s.io/owning-inventory",
        "argocd.argoproj.io/tracking-id", "argocd.argoproj.io/instance",
        "kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name",
        "meta.helm.sh/release-name", "helm.sh/hook", "helm.sh/hook-delete-policy",
        "helm.sh/resource-policy", "kapp.k14s.io/app", "fleet.cattle.io/bundle-id",
        "objectset.rio.cattle.io/hash", "kubernetes.io/config.source", "kueue.x-k8s.io/queue-name",
        "scheduling.x-k8s.io/pod-group", "scheduling.k8s.io/group-name",
        "pod-group.scheduling.sigs.k8s.io", "pod-group.scheduling.sigs.k8s.io/name",
        "cloud.google.com/neg", "cloud.google.com/neg-status", "ingress.kubernetes.io/backends",
        "alb.ingress.kubernetes.io/scheme", "nginx.ingress.kubernetes.io/rewrite",
        "service.beta.kubernetes.io/aws-load-balancer-type", "service.kubernetes.io/topology-mode",
        "elbv2.k8s.aws/pod-readiness-gate-inject", "kubernetes.digitalocean.com/load-balancer-id",
        "loadbalancer.openstack.org/keep-floatingip", "metallb.universe.tf/ip-allocated-from-pool",
        "metallb.io/address-pool", "k8s.ovn.org/pod-networks", "cni.projectcalico.org/containerID",
        "cni.projectcalico.org/podIPs", "k8s.v1.cni.cncf.io/network-status",
        "k8s.v1.cni.cncf.io/networks-status"));

TEST(SkipList, WhatOnlyLooksAlikeGoesOver) {
  for (const char* key :
       {"app", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "helm.sh/chart",
        "virtual-pods", "my.vk-bridge.io.example.com/x", "example.com/argocd.argoproj.io",
        "kubectl.kubernetes.io/default-container", "kubectl.kubernetes.io/restartedAt",
        "kubernetes.io/limit-ranger", "kubernetes.io/ingress-bandwidth", "prometheus.io/scrape",
        "cluster-autoscaler.kubernetes.io/safe-to-evict", "statefulset.kubernetes.io/pod-name",
        "batch.kubernetes.io/job-completion-index", "sidecar.istio.io/inject",
        "k8s.v1.cni.cncf.io/networks", "cni.projectcalico.org/ipAddrs"}) {
    EXPECT_EQ(whyKeyStays(key), nullptr) << key;
  }
}

}  // namespace
}  // namespace vkb::bridge
