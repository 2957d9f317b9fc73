#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "state/database.h"
#include "state/state_folder.h"
#include "vkbridge/json.h"
#include "vkbridge/pod_record.h"
#include "vkbridge/status.h"

namespace vkb::cli {

/// Everything that `status` shows, as read from the state folder at one moment.
struct StatusData {
  struct Cluster {
    state::ClusterConfig config;
    std::optional<state::ClusterHealth> health{};  ///< none: no bridge has served it yet
  };
  std::optional<pid_t> bridge_pid{};  ///< none: no bridge runs on this folder
  std::string state_dir;
  std::vector<Cluster> clusters;
  std::vector<PodRecord> pods;  ///< of every cluster
  WallTime now{};
};

enum class StatusFormat { kTable, kWide, kJson, kYaml };
std::optional<StatusFormat> parseStatusFormat(std::string_view name);

/// Pairs each joined cluster with its health by name. Health of clusters that left is dropped.
std::vector<StatusData::Cluster> joinHealth(std::vector<state::ClusterConfig> configs,
                                            const std::vector<state::ClusterHealth>& health);

/// What `vk-bridge status -o FORMAT FILTER` prints; pure. `filter` is empty, CLUSTER, or NS/POD
/// (as a table: everything about that pod, in words). One that matches nothing is an error
/// sentence.
Result<std::string> renderStatus(const StatusData& data, StatusFormat format,
                                 const std::string& filter);

/// The document behind -o json and -o yaml (unfiltered):
///   {"bridge": {"running", "pid": int|null, "stateDir"},
///    "clusters": [{"name", "server", "targetId", "state", "reachable": bool|null, "message",
///                  "since", "version", "nodesReady", "nodesTotal", "cpu", "memory", "pods",
///                  "podCount", "leaving"}],
///    "pods": [{"namespace", "name", "uid", "cluster", "delegate": {"namespace", "name", "uid"},
///              "state", "phase", "ready", "restarts", "created", "node", "lagMs": int|null,
///              "lastError", "lastErrorAt"}]}
/// Times are RFC 3339 or null; unknown texts are "". `reachable` is null where it is not known, as
/// it always is while no bridge runs.
Json statusJson(const StatusData& data);

}  // namespace vkb::cli
