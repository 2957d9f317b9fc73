#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bridge/claim.h"
#include "bridge/cluster.h"
#include "bridge/permissions.h"
#include "bridge/provider_id.h"
#include "cli/commands.h"
#include "cli/join_target.h"
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

Result<void> refuseWithout(const char* which, const std::vector<kube::Permission>& missing,
                           const std::string& hint = "") {
  if (missing.empty()) return {};
  std::string list;
  for (const auto& permission : missing) list += "\n  " + kube::toString(permission);
  return failure({.code = 403,
                  .reason = "Forbidden",
                  .message = std::string("the ") + which +
                             " cluster does not allow this kubeconfig's user what the bridge "
                             "needs; grant these:" +
                             list + hint,
                  .retry = Retry::kNever});
}

Result<void> checkHome(const Session::Home& home, const state::PodOptions& pods) {
  const auto missing = kube::missingPermissions(*home.client, bridge::homePermissions(pods));
  if (!missing) return failure(prefixed("the home cluster: ", missing.error()));
  return refuseWithout("home", *missing);
}

Result<void> checkTarget(kube::Client& target, state::ClusterConfig& config, bool claim_named) {
  const auto missing = decideRights(target, config, claim_named);
  if (!missing) return failure(prefixed("the target cluster: ", missing.error()));
  const char* hint =
      "\nWith rights in one namespace alone, add: --namespace-strategy single=NAMESPACE --limit "
      "cpu=AMOUNT,memory=AMOUNT";
  return refuseWithout("target", *missing, suitsOneNamespace(config.options) ? "" : hint);
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
  return target;
}

/// Against the nodes that home has.
Result<void> checkNodes(kube::Client& home, const state::ClusterConfig& config) {
  const std::string provider_id = bridge::providerIdOf(config.target_id);
  auto same_name = home.get(kube::kNodes, "", config.name);
  if (!same_name) return failure(prefixed("the home cluster: ", same_name.error()));
  if (*same_name && !bridge::isNodeOf(**same_name, config)) {
    return invalid("the home cluster has a node named " + config.name +
                   " already; choose another name for the target");
  }
  auto virtual_nodes =
      kube::listAll(home, kube::kNodes, {.label_selector = "type=virtual-kubelet"});
  if (!virtual_nodes) return failure(prefixed("the home cluster: ", virtual_nodes.error()));
  for (const auto& object : virtual_nodes->items) {
    if (object->name != config.name && node::isOurNode(object->parse(), provider_id)) {
      return invalid("this target cluster is served already, as node " + object->name +
                     " (by another state folder); a target has one virtual node");
    }
  }
  return {};
}

/// All but which target it is.
Result<state::ClusterConfig> makeConfig(const JoinOptions& options, const Target& target,
                                        const Session::Home& home,
                                        const std::optional<state::ClusterConfig>& before,
                                        WallTime now) {
  state::ClusterConfig config = before.value_or(state::ClusterConfig{});
  config.name = options.name;
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
  if (options.limits) config.options.limits = *options.limits;
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

/// Without them pods run all the same.
void warnOfRights(const Session::Home& home, kube::Client& target,
                  const state::ClusterOptions& options) {
  auto streams = bridge::targetStreamPermissions();
  auto metrics = bridge::targetMetricsPermissions(options.metrics_from_nodes);
  if (options.one_namespace) {
    streams = bridge::inNamespace(std::move(streams), options.pods.namespace_text);
    metrics = bridge::inNamespace(std::move(metrics), options.pods.namespace_text);
  }
  warnOfMissing("target", "kubectl logs, exec, attach, cp or port-forward will not work", target,
                std::move(streams));
  warnOfMissing("target", "kubectl top will show nothing", target, std::move(metrics));
  warnOfMissing("home", "nobody will be let in to logs, exec and metrics", *home.client,
                bridge::homeAccessPermissions());
}

/// The folder as it is: nothing is written before every check has passed, so that a refused join
/// changes nothing.
Result<std::vector<state::ClusterConfig>> joinedClusters(Session& session) {
  auto present = state::StateFolder::openExisting(session.options().stateDir());
  if (!present) return std::vector<state::ClusterConfig>();
  return present->clusters();
}

/// What is written when every check has passed.
Result<state::ClusterConfig> checkedConfig(Session& session, const JoinOptions& options,
                                           const Target& target, const Session::Home& home) {
  auto joined = joinedClusters(session);
  if (!joined) return failure(joined.error());
  std::optional<state::ClusterConfig> before;
  for (const auto& cluster : *joined) {
    if (cluster.name == options.name) before = cluster;
  }
  auto config = makeConfig(options, target, home, before, session.clock().wallNow());
  if (!config) return config;
  auto identity = readIdentity(*target.client, config->options,
                               options.different_cluster ? std::nullopt : before);
  if (!identity && identity.error().code == 403) {
    // Not even that is allowed: the whole list helps more than the first refusal.
    auto may = checkTarget(*target.client, *config, options.claim_namespace.has_value());
    if (!may) return failure(may.error());
  }
  if (!identity) return failure(prefixed("the target cluster: ", identity.error()));
  auto home_itself = isHome(*home.client, home.id, *identity);
  if (!home_itself) return failure(prefixed("the home cluster: ", home_itself.error()));
  if (*home_itself) {
    return invalid("the kubeconfig " + options.kubeconfig +
                   " leads to the home cluster itself; a cluster cannot be its own target");
  }
  if (auto fits = checkJoined(*joined, options.name, *identity, options.different_cluster); !fits) {
    return failure(fits.error());
  }
  setTarget(*config, *identity);
  if (auto fits = checkNodes(*home.client, *config); !fits) return failure(fits.error());
  if (auto may = checkHome(home, config->options.pods); !may) return failure(may.error());
  auto may = checkTarget(*target.client, *config, options.claim_namespace.has_value());
  if (!may) return failure(may.error());
  return config;
}

/// Pods of the cluster that stood behind the name until now.
void tellOfFormer(const state::StateFolder& folder, const state::ClusterConfig& config) {
  auto database = state::Database::openReadOnly(folder);
  if (!database || !*database) return;
  const auto records = (*database)->load(config.name);
  const auto ran =
      !records ? 0 : std::count_if(records->begin(), records->end(), [](const PodRecord& record) {
        return !record.provider_uid.empty();
      });
  if (ran == 0) return;
  std::printf(
      "%td pods ran in the cluster that the name stood for until now. At home they fail as "
      "DelegateLost, or are\nmade anew (--on-delegate-lost=recreate); many at once after 5 "
      "minutes, "
      "or with: vk-bridge gc --confirm\nWhat still runs there is no longer looked after.\n",
      ran);
}

}  // namespace

Result<void> join(Session& session, const JoinOptions& options) {
  const WallTime now = session.clock().wallNow();
  auto target = connectTarget(session, options);
  if (!target) return failure(target.error());
  auto home = session.connectHome();
  if (!home) return failure(home.error());
  const auto home_version = kube::readServerVersion(*home->client);
  if (!home_version) return failure(prefixed("the home cluster: ", home_version.error()));
  if (auto fits = checkVersion("home", *home_version); !fits) return fits;
  const auto made = checkedConfig(session, options, *target, *home);
  if (!made) return failure(made.error());
  const state::ClusterConfig& config = *made;
  warnOfRights(*home, *target->client, config.options);

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
  const auto before = folder->cluster(config.name);
  if (!before) return failure(before.error());
  if (auto written = folder->writeCluster(config, kube::flatten(target->access)); !written) {
    return written;
  }
  std::printf("%s cluster %s (Kubernetes %s at %s).\n", *before ? "Updated" : "Joined",
              options.name.c_str(), target->version.git_version.c_str(), config.server.c_str());
  if (config.options.one_namespace) {
    std::printf("Its credentials are for namespace %s alone: the node offers what --limit says.\n",
                config.options.pods.namespace_text.c_str());
  }
  if (*before && (*before)->target_id != config.target_id) tellOfFormer(*folder, config);
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
