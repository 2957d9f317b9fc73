#pragma once

#include <string>
#include <string_view>

#include "state/state_folder.h"

namespace vkb::state {

/// The text of clusters/NAME/cluster.json. Times are microseconds since 1970.
std::string formatClusterConfig(const ClusterConfig& config);

/// `file` is for messages. Fields of a newer format are refused, because an option that is not
/// understood might be one that protects a namespace; missing options have their defaults.
Result<ClusterConfig> parseClusterConfig(std::string_view text, const std::string& file);

}  // namespace vkb::state
