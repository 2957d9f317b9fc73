#pragma once

#include <filesystem>
#include <string>

#include "support/cluster.h"

namespace vkb::e2e {

/// Where the clusters and the program under test are. Throws std::runtime_error with one sentence
/// that says what to set when something is missing: the tests then fail, they never skip.
struct Environment {
  std::string kubectl, home_kubeconfig, target_kubeconfig, bridge_program, mock_program;
  /// A third cluster, without nodes, whose data tests exchange; scripts/rig/cluster.sh and the
  /// names of the clusters for it. Empty where the clusters are the user's own: see hasRig().
  std::string other_kubeconfig, rig, home_name, other_name;

  bool hasRig() const { return !rig.empty() && !other_kubeconfig.empty(); }
  static Environment read();
  Cluster home() const { return {kubectl, home_kubeconfig}; }
  Cluster target() const { return {kubectl, target_kubeconfig}; }
  Cluster other() const { return {kubectl, other_kubeconfig}; }
};

/// A folder of its own under the system's temporary folder, removed with all it holds.
class TemporaryFolder {
 public:
  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Six random letters and digits: names that no other run has used.
std::string randomSuffix();

/// Every file below `folder` with its content; for "nothing has changed".
std::map<std::string, std::string> snapshotOf(const std::filesystem::path& folder);

}  // namespace vkb::e2e
