#include "bridge/permissions.h"

namespace vkb::bridge {

using kube::permission;

std::vector<kube::Permission> homePermissions() {
  return {
      permission("get", kube::kPods),
      permission("list", kube::kPods),
      permission("watch", kube::kPods),
      permission("delete", kube::kPods),
      permission("patch", kube::kPods, "", "status"),
      permission("create", kube::kPods, "", "eviction"),
      permission("get", kube::kNodes),
      permission("list", kube::kNodes),
      permission("watch", kube::kNodes),
      permission("create", kube::kNodes),
      permission("patch", kube::kNodes),
      permission("delete", kube::kNodes),
      permission("patch", kube::kNodes, "", "status"),
      permission("get", kube::kNamespaces),
      permission("create", kube::kEvents),
      permission("patch", kube::kEvents),
      permission("get", kube::kLeases, "kube-node-lease"),
      permission("create", kube::kLeases, "kube-node-lease"),
      permission("update", kube::kLeases, "kube-node-lease"),
  };
}

std::vector<kube::Permission> targetPermissions(const std::string& claim_namespace) {
  return {
      permission("get", kube::kPods),
      permission("list", kube::kPods),
      permission("watch", kube::kPods),
      permission("create", kube::kPods),
      permission("patch", kube::kPods),
      permission("delete", kube::kPods),
      permission("list", kube::kNodes),
      permission("watch", kube::kNodes),
      permission("get", kube::kNamespaces),
      permission("list", kube::kNamespaces),
      permission("watch", kube::kNamespaces),
      permission("create", kube::kNamespaces),
      permission("get", kube::kLeases, claim_namespace),
      permission("create", kube::kLeases, claim_namespace),
      permission("update", kube::kLeases, claim_namespace),
      permission("delete", kube::kLeases, claim_namespace),
  };
}

}  // namespace vkb::bridge
