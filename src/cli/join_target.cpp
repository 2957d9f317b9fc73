#include "cli/join_target.h"

#include <algorithm>

#include "bridge/permissions.h"
#include "kube/identity.h"

namespace vkb::cli {
namespace {

/// A different answer is not always a different cluster: it may be told by another namespace.
Status anotherCluster(const state::ClusterConfig& joined, const TargetIdentity& target) {
  const std::string if_meant =
      "; if it is meant to become another one, add --different-cluster: pods of the former one are "
      "then lost";
  if (joined.identity_namespace != target.ns) {
    return invalid("these credentials may not read namespace " + joined.identity_namespace +
                   ", by which the cluster behind the name " + joined.name +
                   " is known, so it cannot be told whether this is the same" + if_meant)
        .value();
  }
  return invalid("the name " + joined.name + " is joined to another cluster (" + joined.server +
                 "); choose another name" + if_meant)
      .value();
}

}  // namespace

bool suitsOneNamespace(const state::ClusterOptions& options) {
  return options.pods.namespace_strategy == state::NamespaceStrategy::kSingle &&
         options.limits.contains("cpu") && options.limits.contains("memory");
}

Result<TargetIdentity> readIdentity(kube::Reader& target, const state::ClusterOptions& options,
                                    const std::optional<state::ClusterConfig>& before) {
  std::string ns = before ? before->identity_namespace : std::string(kube::kIdentityNamespace);
  auto id = kube::readClusterId(target, ns);
  if (!id && id.error().code == 403 && suitsOneNamespace(options)) {
    ns = options.pods.namespace_text;
    id = kube::readClusterId(target, ns);
  }
  if (!id) return failure(id.error());
  return TargetIdentity{.id = std::move(*id), .ns = std::move(ns)};
}

Result<bool> isHome(kube::Reader& home, const std::string& home_id, const TargetIdentity& target) {
  if (target.ns == kube::kIdentityNamespace) return target.id == home_id;
  const auto same_name = kube::readClusterId(home, target.ns);
  if (same_name) return *same_name == target.id;
  if (same_name.error().reason == "NotKubernetes") return false;  // home has no such namespace
  return failure(same_name.error());
}

Result<void> checkJoined(const std::vector<state::ClusterConfig>& joined, const std::string& name,
                         const TargetIdentity& target, bool different_cluster) {
  for (const auto& cluster : joined) {
    if (cluster.name == name && cluster.target_id != target.id && !different_cluster) {
      return failure(anotherCluster(cluster, target));
    }
    if (cluster.name != name && cluster.target_id == target.id) {
      return invalid("this target cluster is joined already, as " + cluster.name +
                     "; a target has one virtual node");
    }
  }
  return {};
}

void setTarget(state::ClusterConfig& config, const TargetIdentity& target) {
  auto& former = config.former_target_ids;
  if (!config.target_id.empty() && config.target_id != target.id) {
    former.push_back(config.target_id);
  }
  std::erase(former, target.id);
  config.target_id = target.id;
  config.identity_namespace = target.ns;
}

Result<std::vector<kube::Permission>> decideRights(kube::Client& target,
                                                   state::ClusterConfig& config, bool claim_named) {
  state::ClusterOptions& options = config.options;
  options.one_namespace = false;
  auto missing = kube::missingPermissions(
      target, bridge::targetPermissions(options.claim_namespace, options.pods));
  if (!missing || missing->empty() || !suitsOneNamespace(options)) return missing;

  const std::string& ns = options.pods.namespace_text;
  if (!claim_named && options.claim_namespace == state::ClusterOptions{}.claim_namespace) {
    options.claim_namespace = ns;
  }
  options.one_namespace = true;
  return kube::missingPermissions(
      target,
      bridge::inNamespace(bridge::targetPermissions(options.claim_namespace, options.pods), ns));
}

}  // namespace vkb::cli
