#include <algorithm>
#include <array>

#include "bridge/forge_parts.h"

namespace vkb::bridge {
namespace {

constexpr const char* kOurs = "keys of vk-bridge.io are this bridge's alone";
constexpr const char* kOtherBridge =
    "a mark of another multi-cluster bridge, which would take the delegate for its own";
constexpr const char* kApplied =
    "says who manages home's object; that tool would take the delegate for an object of its own";
constexpr const char* kQueue = "home's queue or gang scheduler read it; the delegate is placed";
constexpr const char* kLoadBalancer =
    "written for or by a load balancer or ingress controller, which would act on the delegate";
constexpr const char* kNetwork = "home's pod network wrote it about home's pod";

struct Skipped {
  std::string_view key;  ///< ending in '*': all that begin so
  const char* reason;
};

/// Keys of labels and annotations by which somebody acts on an object, and would misread its copy.
constexpr std::array kSkipped{
    Skipped{"vk-bridge.io/*", kOurs},
    Skipped{"home.vk-bridge.io/*", kOurs},
    Skipped{"clusterSelector", "this bridge read it: it says which of the target's nodes will do"},

    Skipped{"virtual-pod", kOtherBridge},  // tensile-kube deletes pods that carry it
    Skipped{"tripped-labels", kOtherBridge},
    Skipped{"liqo.io/*", kOtherBridge},
    Skipped{"offloading.liqo.io/*", kOtherBridge},
    Skipped{"multicluster.admiralty.io/*", kOtherBridge},

    Skipped{"kubectl.kubernetes.io/last-applied-configuration", kApplied},
    Skipped{"applyset.kubernetes.io/*", kApplied},
    Skipped{"config.k8s.io/owning-inventory", kApplied},
    Skipped{"argocd.argoproj.io/*", kApplied},
    Skipped{"kustomize.toolkit.fluxcd.io/*", kApplied},
    Skipped{"helm.toolkit.fluxcd.io/*", kApplied},
    Skipped{"meta.helm.sh/*", kApplied},
    Skipped{"helm.sh/hook*", kApplied},
    Skipped{"helm.sh/resource-policy", kApplied},
    Skipped{"kapp.k14s.io/*", kApplied},
    Skipped{"fleet.cattle.io/*", kApplied},
    Skipped{"objectset.rio.cattle.io/*", kApplied},
    Skipped{"kubernetes.io/config.*", "says where home's kubelet found a static pod"},

    Skipped{"kueue.x-k8s.io/*", kQueue},
    Skipped{"scheduling.x-k8s.io/*", kQueue},
    Skipped{"scheduling.k8s.io/group-name", kQueue},
    Skipped{"pod-group.scheduling.sigs.k8s.io*", kQueue},

    Skipped{"cloud.google.com/neg*", kLoadBalancer},
    Skipped{"ingress.kubernetes.io/*", kLoadBalancer},
    Skipped{"alb.ingress.kubernetes.io/*", kLoadBalancer},
    Skipped{"nginx.ingress.kubernetes.io/*", kLoadBalancer},
    Skipped{"service.beta.kubernetes.io/*", kLoadBalancer},
    Skipped{"service.kubernetes.io/*", kLoadBalancer},
    Skipped{"elbv2.k8s.aws/*", kLoadBalancer},
    Skipped{"kubernetes.digitalocean.com/load-balancer-id", kLoadBalancer},
    Skipped{"loadbalancer.openstack.org/*", kLoadBalancer},
    Skipped{"metallb.universe.tf/*", kLoadBalancer},
    Skipped{"metallb.io/*", kLoadBalancer},

    Skipped{"k8s.ovn.org/*", kNetwork},
    Skipped{"cni.projectcalico.org/containerID", kNetwork},
    Skipped{"cni.projectcalico.org/podIP*", kNetwork},
    Skipped{"k8s.v1.cni.cncf.io/network-status", kNetwork},
    Skipped{"k8s.v1.cni.cncf.io/networks-status", kNetwork},
};

}  // namespace

const char* whyKeyStays(std::string_view key) {
  const auto found = std::find_if(kSkipped.begin(), kSkipped.end(), [&](const Skipped& skipped) {
    if (!skipped.key.ends_with('*')) return key == skipped.key;
    return key.starts_with(skipped.key.substr(0, skipped.key.size() - 1));
  });
  return found == kSkipped.end() ? nullptr : found->reason;
}

}  // namespace vkb::bridge
