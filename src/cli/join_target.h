#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kube/access.h"
#include "kube/client.h"
#include "state/state_folder.h"

/// What `join` decides about the target before anything is written.
namespace vkb::cli {

/// The UID that a target is known by, and whose it is.
struct TargetIdentity {
  std::string id, ns;
};

/// Credentials for one namespace do: all pods go into one, and what the node offers is said, by
/// --limit, where the target's nodes cannot be asked.
bool suitsOneNamespace(const state::ClusterOptions& options);

/// The identity by the namespace that it was read by before, else by kube-system; where that may
/// not be read (403) and credentials for one namespace do, by that one.
Result<TargetIdentity> readIdentity(kube::Reader& target, const state::ClusterOptions& options,
                                    const std::optional<state::ClusterConfig>& before);

/// Does that identity say that the target is home itself?
Result<bool> isHome(kube::Reader& home, const std::string& home_id, const TargetIdentity& target);

/// Against what is joined already. `different_cluster`: the name may pass to another cluster.
Result<void> checkJoined(const std::vector<state::ClusterConfig>& joined, const std::string& name,
                         const TargetIdentity& target, bool different_cluster);

/// `config` says from now on that its name stands for this target.
void setTarget(state::ClusterConfig& config, const TargetIdentity& target);

/// Asks for the rights that the bridge needs: in the whole target or, where those are not there and
/// credentials for one namespace do, in that one; `config` then says so, and without
/// `claim_named` the claim's Lease goes there. Nothing: all are there. Else those to be granted.
Result<std::vector<kube::Permission>> decideRights(kube::Client& target,
                                                   state::ClusterConfig& config, bool claim_named);

}  // namespace vkb::cli
