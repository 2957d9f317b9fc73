#include "bridge/permissions.h"

#include <initializer_list>

namespace vkb::bridge {

using kube::permission;

namespace {

void allow(std::vector<kube::Permission>& permissions, const kube::Resource& resource,
           std::initializer_list<const char*> verbs) {
  for (const char* verb : verbs) permissions.push_back(permission(verb, resource));
}

}  // namespace

std::vector<kube::Permission> homePermissions(const state::PodOptions& pods) {
  std::vector<kube::Permission> permissions{
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
  allow(permissions, kube::kConfigMaps, {"get", "list", "watch"});
  allow(permissions, kube::kSecrets, {"get", "list", "watch"});
  if (pods.service_accounts == state::ServiceAccounts::kHome) {
    permissions.push_back(permission("create", kube::kServiceAccounts, "", "token"));
  }
  return permissions;
}

std::vector<kube::Permission> inNamespace(std::vector<kube::Permission> permissions,
                                          const std::string& ns) {
  std::erase_if(permissions, [](const kube::Permission& permission) {
    if (permission.resource == kube::kNamespaces.plural) return permission.verb != "get";
    return permission.resource == kube::kNodes.plural && permission.subresource.empty();
  });
  for (kube::Permission& permission : permissions) {
    if (!permission.ns.empty() || permission.resource == kube::kNodes.plural) continue;
    permission.ns = ns;
    permission.namespaced = true;  // a Role may grant "get" of the namespace that it is in
  }
  return permissions;
}

std::vector<kube::Permission> homeAccessPermissions() {
  constexpr kube::Resource kTokenReviews{"authentication.k8s.io", "v1", "tokenreviews", false};
  constexpr kube::Resource kAccessReviews{"authorization.k8s.io", "v1", "subjectaccessreviews",
                                          false};
  return {permission("create", kTokenReviews), permission("create", kAccessReviews)};
}

std::vector<kube::Permission> targetStreamPermissions() {
  std::vector<kube::Permission> wanted{permission("get", kube::kPods, "", "log")};
  for (const char* subresource : {"exec", "attach", "portforward"}) {
    // WebSocket clients come with GET, which newer servers want to see allowed as create too.
    for (const char* verb : {"create", "get"}) {
      wanted.push_back(permission(verb, kube::kPods, "", subresource));
    }
  }
  return wanted;
}

std::vector<kube::Permission> targetMetricsPermissions(bool from_nodes) {
  constexpr kube::Resource kPodMetrics{"metrics.k8s.io", "v1beta1", "pods", true};
  if (from_nodes) return {permission("get", kube::kNodes, "", "proxy")};
  return {permission("list", kPodMetrics)};
}

std::vector<kube::Permission> targetPermissions(const std::string& claim_namespace,
                                                const state::PodOptions& pods) {
  std::vector<kube::Permission> permissions{
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
  for (const kube::Resource& resource : {kube::kConfigMaps, kube::kSecrets}) {
    allow(permissions, resource, {"get", "list", "watch", "create", "update", "delete"});
  }
  if (pods.use_existing) allow(permissions, kube::kPersistentVolumeClaims, {"get"});
  return permissions;
}

}  // namespace vkb::bridge
