#include "bridge/provider_id.h"

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "node/node_controller.h"

namespace vkb::bridge {

std::string providerIdOf(const std::string& target_id) { return "vk-bridge://" + target_id; }

std::set<std::string> formerProviderIds(const state::ClusterConfig& config) {
  std::set<std::string> result;
  for (const auto& id : config.former_target_ids) result.insert(providerIdOf(id));
  return result;
}

bool isNodeOf(const Json& node, const state::ClusterConfig& config) {
  return node::isOurNode(node, providerIdOf(config.target_id)) ||
         formerProviderIds(config).contains(json::str(node, {"spec", "providerID"}));
}

}  // namespace vkb::bridge
