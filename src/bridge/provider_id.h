#pragma once

#include <set>
#include <string>

#include "state/state_folder.h"
#include "vkbridge/json.h"

namespace vkb::bridge {

/// spec.providerID of the node that stands for a target.
std::string providerIdOf(const std::string& target_id);
/// Those of the clusters that stood behind this name before.
std::set<std::string> formerProviderIds(const state::ClusterConfig& config);
/// Is this node of home's this cluster's, now or from before?
bool isNodeOf(const Json& node, const state::ClusterConfig& config);

}  // namespace vkb::bridge
