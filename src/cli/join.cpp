#include <cstdio>
#include <nlohmann/json.hpp>

#include "bridge/claim.h"
#include "bridge/cluster.h"
#include "bridge/permissions.h"
#include "cli/commands.h"
#include "json/json.h"
#include "kube/access.h"
#include "kube/identity.h"
#include "kube/version.h"
#include "node/node_controller.h"
#include "state/database.h"

namespace vkb::cli {
namespace {

/// The oldest API server that the bridge is tested with.
constexpr int kOldestMajor = 1, kOldestMinor = 20;

struct Target {
  kube::ClusterAccess access;
  std::unique_ptr<kube::Client> client;
  std::string id;
  kube::ServerVersion version;
};

Status prefixed(const std::string& prefix, Status status) {
  status.message = prefix + status.message;
  return status;
}

Result<void> checkVersion(const char* which, const kube::ServerVersion& version) {
  if (!version.known() || version.atLeast(kOldestMajor, kOldestMinor)) return {};
  return invalid(std::string("the ") + which + " cluster runs Kubernetes " + version.git_version +
                 "; vk-bridge needs 1.20 or newer");
}

Result<void> checkPermissions(const char* which, kube::Client& client,
                              std::vector<kube::Permission> wanted) {
  auto missing = kube::missingPermissions(client, std::move(wanted));
  if (!missing)
    return failure(prefixed(std::string("the ") + which + " cluster: ", missing.error()));
  if (missing->empty()) return {};
  std::string list;
  for (const auto& permission : *missing) list += "\n  " + kube::toString(permission);
  return failure({.code = 403,
                  .reason = "Forbidden",
                  .message = std::string("the ") + which +
                             " cluster does not allow this kubeconfig's user what the bridge "
                             "needs; grant these:" +
                             list,
                  .retry = Retry::kNever});
}

/// Rights that pods do not need: without them only `what` is missing. To stderr; the join goes on.
void warnOfMissing(const char* which, const std::string& what, kube::Client& client,
                   std::vector<kube::Permission> wanted) {
  const auto missing = kube::missingPermissions(client, std::move(wanted));
  if (!missing || missing->empty()) return;
  std::string list;
  for (const auto& permission : *missing) list += "\n  " + kube::toString(permission);
  std::fprintf(stderr,
               "vk-bridge: warning: %s: the %s cluster does not allow this kubeconfig's user:%s\n",
               what.c_str(), which, list.c_str());
}

std::string claimNamespace(const JoinOptions& options) {
  return options.claim_namespace.value_or(state::ClusterOptions{}.claim_namespace);
}

Result<Target> connectTarget(Session& session, const JoinOptions& options) {
  Target target;
  auto access = kube::loadKubeconfig(options.kubeconfig, options.context);
  if (!access) return failure(access.error());
  target.access = std::move(*access);
  auto client = session.connect(target.access, options.name);
  if (!client) return failure(client.error());
  target.client = std::move(*client);
  const std::string who = "the target cluster: ";
  auto version = kube::readServerVersion(*target.client);
  if (!version) return failure(prefixed(who, version.error()));
  target.version = *version;
  if (auto fits = checkVersion("target", target.version); !fits) return failure(fits.error());
  auto id = kube::readClusterId(*target.client);
  if (!id && id.error().code == 403) {
    // Not even that is allowed: the whole list helps more than the first refusal.
    auto may = checkPermissions("target", *target.client,
                                bridge::targetPermissions(claimNamespace(options)));
    if (!may) return failure(may.error());
  }
  if (!id) return failure(prefixed(who, id.error()));
  target.id = std::move(*id);
  return target;
}

/// Against what is joined already.
Result<void> checkJoined(const std::vector<state::ClusterConfig>& joined,
                         const JoinOptions& options, const std::string& target_id) {
  for (const auto& cluster : joined) {
    if (cluster.name == options.name && cluster.target_id != target_id) {
      return invalid("the name " + options.name + " is joined to another cluster (" +
                     cluster.server + "); choose another name, or first run: vk-bridge leave " +
                     options.name);
    }
    if (cluster.name != options.name && cluster.target_id == target_id) {
      return invalid("this target cluster is joined already, as " + cluster.name +
                     "; a target has one virtual node");
    }
  }
  return {};
}

/// Against the nodes that home has.
Result<void> checkNodes(kube::Client& home, const JoinOptions& options,
                        const std::string& target_id) {
  const std::string provider_id = bridge::providerIdOf(target_id);
  auto same_name = home.get(kube::kNodes, "", options.name);
  if (!same_name) return failure(prefixed("the home cluster: ", same_name.error()));
  if (*same_name && !node::isOurNode(**same_name, provider_id)) {
    return invalid("the home cluster has a node named " + options.name +
                   " already; choose another name for the target");
  }
  auto virtual_nodes =
      kube::listAll(home, kube::kNodes, {.label_selector = "type=virtual-kubelet"});
  if (!virtual_nodes) return failure(prefixed("the home cluster: ", virtual_nodes.error()));
  for (const auto& object : virtual_nodes->items) {
    if (object->name != options.name && node::isOurNode(object->parse(), provider_id)) {
      return invalid("this target cluster is served already, as node " + object->name +
                     " (by another state folder); a target has one virtual node");
    }
  }
  return {};
}

Result<state::ClusterConfig> makeConfig(const JoinOptions& options, const Target& target,
                                        const Session::Home& home,
                                        const std::optional<state::ClusterConfig>& before,
                                        WallTime now) {
  state::ClusterConfig config = before.value_or(state::ClusterConfig{});
  config.name = options.name;
  config.target_id = target.id;
  config.server = target.access.server;
  config.leaving = false;
  config.forget_target = false;
  if (!before) config.joined_at = now;
  if (options.allow_namespaces) config.options.allow_namespaces = *options.allow_namespaces;
  if (options.keep_labels) config.options.keep_labels = *options.keep_labels;
  auto pods =
      applyPodFlags(options.pods, std::move(config.options.pods), home.id, home.access.server);
  if (!pods) return failure(pods.error());
  config.options.pods = std::move(*pods);
  if (options.claim_namespace) config.options.claim_namespace = *options.claim_namespace;
  if (options.recreate_lost) config.options.recreate_lost = *options.recreate_lost;
  if (options.hold_unreachable) config.options.hold_unreachable = *options.hold_unreachable;
  if (options.metrics_from_nodes) config.options.metrics_from_nodes = *options.metrics_from_nodes;
  return config;
}

/// A running bridge picks the cluster up by itself; wait to see that it does.
void waitForBridge(Session& session, const state::StateFolder& folder, const std::string& name,
                   WallTime since) {
  std::string message;
  const bool ready = session.waitUntil(
      std::chrono::seconds(30),
      [&] {
        auto database = state::Database::openReadOnly(folder);
        if (!database || !*database) return false;
        auto health = (*database)->loadHealth();
        if (!health) return false;
        for (const auto& cluster : *health) {
          if (cluster.name != name || cluster.updated_at < since) continue;
          message = cluster.message;
          return cluster.state == "Ready";
        }
        return false;
      },
      [&] {
        return "waiting for the running bridge to serve " + name +
               (message.empty() ? "" : " (" + message + ")");
      });
  if (ready) {
    std::printf("The running bridge serves it: node %s is Ready.\n", name.c_str());
  } else {
    std::printf("The running bridge does not serve it yet; see: vk-bridge status %s\n",
                name.c_str());
  }
}

}  // namespace

Result<void> join(Session& session, const JoinOptions& options) {
  auto target = connectTarget(session, options);
  if (!target) return failure(target.error());
  auto home = session.connectHome();
  if (!home) return failure(home.error());
  const auto home_version = kube::readServerVersion(*home->client);
  if (!home_version) return failure(prefixed("the home cluster: ", home_version.error()));
  if (auto fits = checkVersion("home", *home_version); !fits) return fits;
  if (target->id == home->id) {
    return invalid("the kubeconfig " + options.kubeconfig +
                   " leads to the home cluster itself; a cluster cannot be its own target");
  }

  // Nothing is written before every check has passed, so that a refused join changes nothing.
  std::vector<state::ClusterConfig> joined;
  if (auto present = state::StateFolder::openExisting(session.options().stateDir()); present) {
    auto clusters = present->clusters();
    if (!clusters) return failure(clusters.error());
    joined = std::move(*clusters);
  }
  if (auto fits = checkJoined(joined, options, target->id); !fits) return fits;
  if (auto fits = checkNodes(*home->client, options, target->id); !fits) return fits;
  std::optional<state::ClusterConfig> before;
  for (const auto& cluster : joined) {
    if (cluster.name == options.name) before = cluster;
  }
  const WallTime now = session.clock().wallNow();
  const auto made = makeConfig(options, *target, *home, before, now);
  if (!made) return failure(made.error());
  const state::ClusterConfig& config = *made;
  const state::PodOptions& pods = config.options.pods;
  if (auto may = checkPermissions("home", *home->client, bridge::homePermissions(pods)); !may) {
    return may;
  }
  const std::string& claims_in = config.options.claim_namespace;
  if (auto may =
          checkPermissions("target", *target->client, bridge::targetPermissions(claims_in, pods));
      !may) {
    return may;
  }

  const bool from_nodes = options.metrics_from_nodes.value_or(false);
  warnOfMissing("target", "kubectl logs, exec, attach, cp or port-forward will not work",
                *target->client, bridge::targetStreamPermissions());
  warnOfMissing("target", "kubectl top will show nothing", *target->client,
                bridge::targetMetricsPermissions(from_nodes));
  warnOfMissing("home", "nobody will be let in to logs, exec and metrics", *home->client,
                bridge::homeAccessPermissions());

  auto folder = state::StateFolder::open(session.options().stateDir());
  if (!folder) return failure(folder.error());
  if (auto bound = folder->bindHome(home->id); !bound) return bound;
  if (options.take_over) {
    const bridge::Claim::Options claim{.ns = config.options.claim_namespace,
                                       .home_id = home->id,
                                       .node = config.name,
                                       .installation = folder->installationId(),
                                       .changed = {}};
    if (auto taken = bridge::takeOverClaim(session.clock(), *target->client, claim); !taken) {
      return failure(prefixed("the target cluster: ", taken.error()));
    }
  }
  if (auto written = folder->writeCluster(config, kube::flatten(target->access)); !written) {
    return written;
  }
  std::printf("%s cluster %s (Kubernetes %s at %s).\n", before ? "Updated" : "Joined",
              options.name.c_str(), target->version.git_version.c_str(), config.server.c_str());
  if (state::StateLock::holder(*folder)) {
    waitForBridge(session, *folder, options.name, now);
  } else {
    std::printf("Serve it with:  vk-bridge run\n");
  }
  std::printf(
      "Pods reach it by tolerating the taint virtual-kubelet.io/provider and choosing the node, "
      "e.g.\n"
      "  nodeSelector: {kubernetes.io/hostname: %s}\n"
      "  tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}]\n",
      options.name.c_str());
  return {};
}

}  // namespace vkb::cli
