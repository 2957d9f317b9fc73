#include <cstdio>
#include <iostream>

#include "bridge/garbage.h"
#include "bridge/references.h"
#include "bridge/target_namespace.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "kube/identity.h"
#include "state/database.h"
#include "vkbridge/provider.h"

namespace vkb::cli {
namespace {

/// A joined target, for as long as this command looks at it.
Result<std::unique_ptr<kube::Client>> connectTarget(Session& session,
                                                    const state::StateFolder& folder,
                                                    const state::ClusterConfig& config) {
  auto access = kube::loadKubeconfig(folder.kubeconfigPath(config.name).string());
  if (!access) return failure(access.error());
  auto proof = std::make_shared<kube::IdentityProof>(config.identity_namespace);
  auto client = session.connect(*access, config.name, proof);
  if (!client) return failure(client.error());
  return std::make_unique<kube::IdentityGuard>(std::move(*client), config.target_id,
                                               std::move(proof));
}

void printDelegates(const std::string& cluster, const bridge::GarbageSearch& found) {
  if (found.delegates.empty()) {
    std::printf("%s: no delegate that nobody looks after.\n", cluster.c_str());
  } else {
    Table table({"CLUSTER", "DELEGATE", "MADE FOR NODE", "HOME POD (GONE)"});
    for (const auto& item : found.delegates) {
      table.add({cluster, item.ns + "/" + item.name, item.node, item.home_pod});
    }
    std::printf("%s", table.text().c_str());
  }
  if (found.in_use > 0) {
    std::printf(
        "%s: %zu delegates of nodes that are not joined here stay: their home pods exist.\n",
        cluster.c_str(), found.in_use);
  }
}

bool isAgreed(const std::string& question) {
  std::printf("%s [y/N] ", question.c_str());
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Result<void> collectDelegates(kube::Client& home, kube::Client& target,
                              const bridge::GarbageScope& scope, const std::string& cluster,
                              bool dry_run) {
  auto found = bridge::findGarbage(home, target, scope);
  if (!found) return failure(found.error());
  printDelegates(cluster, *found);
  if (dry_run) return {};
  for (const auto& item : found->delegates) {
    if (auto removed = bridge::removeGarbage(target, item); !removed) return removed;
    std::printf("deleted %s/%s in %s\n", item.ns.c_str(), item.name.c_str(), cluster.c_str());
  }
  return {};
}

Result<void> collectCopies(kube::Client& home, kube::Client& target,
                           const bridge::GarbageScope& scope, const std::string& cluster,
                           bool dry_run) {
  auto found = bridge::findUnusedCopies(home, target, scope);
  if (!found) return failure(found.error());
  if (found->empty()) return {};
  Table table({"CLUSTER", "KIND", "COPY", "MADE FOR NODE", "OF"});
  for (const auto& item : *found) {
    table.add({cluster, bridge::toString(*item.kind), item.ns + "/" + item.name, item.node,
               item.home_pod});
  }
  std::printf("%s", table.text().c_str());
  if (dry_run) return {};
  for (const auto& item : *found) {
    if (auto removed = bridge::removeGarbage(target, item); !removed) return removed;
    std::printf("deleted %s %s/%s in %s\n", bridge::toString(*item.kind), item.ns.c_str(),
                item.name.c_str(), cluster.c_str());
  }
  return {};
}

Result<void> collectNamespaces(kube::Client& target, const std::string& home_id,
                               const std::string& cluster, bool dry_run) {
  auto found = bridge::findEmptyNamespaces(target, home_id, [&](const std::string& ns) {
    std::fprintf(stderr, "looking into namespace %s of %s\n", ns.c_str(), cluster.c_str());
  });
  if (!found) return failure(found.error());
  if (found->empty()) {
    std::printf("%s: no empty namespace that the bridge made.\n", cluster.c_str());
    return {};
  }
  std::printf("Empty namespaces that the bridge made in %s:\n", cluster.c_str());
  for (const auto& ns : *found) std::printf("  %s\n", ns.name.c_str());
  if (dry_run || !isAgreed("Delete these " + std::to_string(found->size()) + "?")) return {};
  for (const auto& ns : *found) {
    if (auto removed = bridge::removeNamespace(target, ns); !removed) return removed;
    std::printf("deleted namespace %s in %s\n", ns.name.c_str(), cluster.c_str());
  }
  return {};
}

/// Tells the running bridge that what it misses is gone indeed.
Result<void> confirmLosses(Session& session, state::StateFolder& folder) {
  if (!state::StateLock::holder(folder)) {
    return invalid("no bridge runs on this state folder, so nothing is held back");
  }
  auto database = state::Database::openReadOnly(folder);
  if (!database) return failure(database.error());
  std::vector<state::ClusterHealth> health;
  if (*database) {
    auto loaded = (*database)->loadHealth();
    if (!loaded) return failure(loaded.error());
    health = std::move(*loaded);
  }
  int confirmed = 0;
  for (const auto& cluster : health) {
    if (cluster.state != toString(ProviderState::kMassLoss)) continue;
    auto config = folder.cluster(cluster.name);
    if (!config) return failure(config.error());
    if (!*config) continue;
    (*config)->losses_confirmed_at = session.clock().wallNow();
    if (auto written = folder.writeConfig(**config); !written) return written;
    std::printf("Confirmed for %s: its bridge goes on with what it held back.\n",
                cluster.name.c_str());
    ++confirmed;
  }
  if (confirmed == 0)
    std::printf("No cluster is in state MassLoss; there is nothing to confirm.\n");
  return {};
}

}  // namespace

Result<void> gc(Session& session, const GcOptions& options) {
  auto folder = state::StateFolder::openExisting(session.options().stateDir());
  if (!folder) return failure(folder.error());
  if (options.confirm) return confirmLosses(session, *folder);
  auto clusters = folder->clusters();
  if (!clusters) return failure(clusters.error());
  auto home = session.connectHome();
  if (!home) return failure(home.error());
  if (const auto bound = folder->homeId(); bound && *bound != home->id) {
    return invalid("this state folder belongs to another home cluster");
  }
  std::set<std::string> joined;
  for (const auto& cluster : *clusters) joined.insert(cluster.name);

  Result<void> done;
  for (const auto& cluster : *clusters) {
    const auto one = [&]() -> Result<void> {
      auto target = connectTarget(session, *folder, cluster);
      if (!target) return failure(target.error());
      const bridge::GarbageScope scope{
          .home_id = home->id, .joined = joined, .ns = bridge::onlyNamespace(cluster.options)};
      if (auto collected =
              collectDelegates(*home->client, **target, scope, cluster.name, options.dry_run);
          !collected) {
        return collected;
      }
      if (auto collected =
              collectCopies(*home->client, **target, scope, cluster.name, options.dry_run);
          !collected) {
        return collected;
      }
      // One that the credentials are for alone was not made by a bridge.
      if (!options.namespaces || !scope.ns.empty()) return {};
      return collectNamespaces(**target, home->id, cluster.name, options.dry_run);
    };
    // One that does not answer must not keep the others dirty.
    if (auto collected = one(); !collected) {
      done = failure(collected.error());
      done.error().message = cluster.name + ": " + done.error().message;
      std::fprintf(stderr, "vk-bridge: %s\n", done.error().message.c_str());
    }
  }
  return done;
}

}  // namespace vkb::cli
