#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "bridge/cluster_kubelet.h"
#include "cli/explain_view.h"
#include "cli/pod_flags.h"
#include "cli/session.h"
#include "cli/status_view.h"

namespace vkb::cli {

/// Each command: success, or the one sentence that stderr gets (exit code 1). Output goes to
/// stdout.

struct JoinOptions {
  /// `name` has passed state::checkClusterName().
  std::string name, kubeconfig, context;
  std::optional<std::vector<std::string>> allow_namespaces{};  ///< nothing: as joined before
  std::optional<bool> keep_labels{};
  PodFlags pods{};
  std::optional<std::string> claim_namespace{};
  std::optional<bool> recreate_lost{}, hold_unreachable{}, metrics_from_nodes{};
  std::optional<std::map<std::string, std::string>> limits{};  ///< --limit, checked
  bool take_over = false, different_cluster = false;
};
Result<void> join(Session& session, const JoinOptions& options);

struct RunOptions {
  std::string listen = "127.0.0.1:10255";
  std::string node_address;
  bridge::KubeletOptions kubelet{};
};
/// Until SIGTERM or SIGINT, which the caller has blocked in every thread.
Result<void> run(Session& session, const RunOptions& options);

struct StatusOptions {
  StatusFormat format = StatusFormat::kTable;
  std::string filter;
};
Result<void> status(Session& session, const StatusOptions& options);

struct ExplainOptions {
  std::string pod;      ///< NAMESPACE/POD of home, or:
  std::string file;     ///< a Pod as YAML or JSON; "-" is standard input
  std::string cluster;  ///< empty: the one whose node the pod is bound to
  ExplainFormat format = ExplainFormat::kYaml;
};
Result<void> explain(Session& session, const ExplainOptions& options);

struct LeaveOptions {
  std::string name;
  bool drain = false, force = false;
  std::chrono::seconds timeout{300};
};
Result<void> leave(Session& session, const LeaveOptions& options);

struct GcOptions {
  bool dry_run = false, namespaces = false, confirm = false;
};
Result<void> gc(Session& session, const GcOptions& options);

}  // namespace vkb::cli
