#pragma once

#include <string>
#include <vector>

#include "kube/client.h"

namespace vkb::kube {

/// One thing that a program wants to be allowed to do.
struct Permission {
  std::string verb;         ///< get, list, watch, create, patch, update, delete
  std::string group;        ///< "" for core
  std::string resource;     ///< plural
  std::string subresource;  ///< e.g. "eviction"
  std::string ns;           ///< "" for all namespaces, or a resource that has none
  bool namespaced = true;

  bool operator==(const Permission&) const = default;
};
Permission permission(std::string verb, const Resource& resource, std::string ns = "",
                      std::string subresource = "");

/// "create pods/eviction (all namespaces)", "update leases.coordination.k8s.io (namespace a)",
/// "list nodes".
std::string toString(const Permission& permission);

/// Those of `wanted` that the server does not allow this client, asked by one
/// SelfSubjectAccessReview each. Every authenticated user may ask.
Result<std::vector<Permission>> missingPermissions(Client& client, std::vector<Permission> wanted);

}  // namespace vkb::kube
