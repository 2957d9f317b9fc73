#pragma once

#include <string>
#include <vector>

#include "kube/access.h"
#include "state/pod_options.h"

namespace vkb::bridge {

/// What `run` and `leave` do at home and in a target: what `join` asks for, and README's RBAC
/// example grants.
std::vector<kube::Permission> homePermissions(const state::PodOptions& pods = {});
std::vector<kube::Permission> targetPermissions(const std::string& claim_namespace,
                                                const state::PodOptions& pods = {});
/// The same in one namespace alone: nodes and other namespaces are not looked at then.
std::vector<kube::Permission> inNamespace(std::vector<kube::Permission> permissions,
                                          const std::string& ns);
/// What logs, exec and metrics need besides; without it pods run all the same.
std::vector<kube::Permission> homeAccessPermissions();
std::vector<kube::Permission> targetStreamPermissions();
std::vector<kube::Permission> targetMetricsPermissions(bool from_nodes);

}  // namespace vkb::bridge
