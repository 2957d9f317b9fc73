#pragma once

#include <string>

#include "cli/status_view.h"

namespace vkb::cli {

/// "Joined" until a bridge has served the cluster, then what that bridge last wrote.
std::string clusterState(const StatusData::Cluster& cluster, bool bridge_running);

/// Does the target answer, as the running bridge knows it? Nothing: not known.
std::optional<bool> clusterReachable(const StatusData::Cluster& cluster, bool bridge_running);

/// "bridge: running (pid 123)", or since when not.
std::string bridgeLine(const StatusData& data);

/// How long ago `time` was; "" for a time that was never set.
std::string ageOf(WallTime time, WallTime now);

/// One pod as `key: value` lines that explain what the words mean.
std::string describePod(const StatusData& data, const PodRecord& pod);

}  // namespace vkb::cli
