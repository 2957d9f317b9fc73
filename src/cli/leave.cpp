#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bridge/cluster.h"
#include "bridge/provider_id.h"
#include "cli/commands.h"
#include "cli/pacing.h"
#include "cli/server.h"
#include "json/json.h"
#include "kube/features.h"
#include "node/node_controller.h"

namespace vkb::cli {
namespace {

constexpr std::size_t kNamesShown = 5;

std::string nameOf(const Json& pod) {
  return json::str(pod, {"metadata", "namespace"}) + "/" + json::str(pod, {"metadata", "name"});
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kNamesShown); ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  if (names.size() > kNamesShown) {
    text += " and " + std::to_string(names.size() - kNamesShown) + " more";
  }
  return text;
}

bool ownedByDaemonSet(const Json& pod) {
  for (const auto& owner : json::array(pod, {"metadata", "ownerReferences"})) {
    if (json::str(owner, "kind") == "DaemonSet" && json::boolean(owner, {"controller"}))
      return true;
  }
  return false;
}

/// The home side of leaving: the node and the pods bound to it.
class HomeNode {
 public:
  HomeNode(kube::Client& home, const state::ClusterConfig& config) : home_(home), config_(config) {}

  /// Sets spec.unschedulable; true when it was not set before. No node, or one that is not ours:
  /// nothing to do.
  Result<bool> cordon() {
    auto node = home_.get(kube::kNodes, "", config_.name);
    if (!node) return failure(node.error());
    if (!*node || !bridge::isNodeOf(**node, config_)) return false;
    if (json::boolean(**node, {"spec", "unschedulable"})) return false;
    if (auto set = setUnschedulable(true); !set) return failure(set.error());
    return true;
  }
  Result<void> uncordon() { return setUnschedulable(false); }

  /// Pods that hold the node: all bound to it but a DaemonSet's, which come and go with the node.
  Result<std::vector<Json>> pods() {
    auto list =
        kube::listAll(home_, kube::kPods, {.field_selector = "spec.nodeName=" + config_.name});
    if (!list) return failure(list.error());
    std::vector<Json> result;
    for (const auto& object : list->items) {
      Json pod = object->parse();
      if (!ownedByDaemonSet(pod)) result.push_back(std::move(pod));
    }
    return result;
  }

  Result<void> evict(const Json& pod) {
    if (!features_) {
      auto features = kube::readServerFeatures(home_);
      if (!features) return failure(features.error());
      features_ = std::move(*features);
    }
    return kube::evict(home_, *features_, json::str(pod, {"metadata", "namespace"}),
                       json::str(pod, {"metadata", "name"}), json::str(pod, {"metadata", "uid"}));
  }

 private:
  Result<void> setUnschedulable(bool value) {
    const Json patch{{"spec", {{"unschedulable", value ? Json(true) : Json(nullptr)}}}};
    auto answer = home_.patch(kube::kNodes, "", config_.name, kube::PatchType::kMerge, patch);
    if (!answer) return failure(answer.error());
    return {};
  }

  kube::Client& home_;
  const state::ClusterConfig& config_;
  std::optional<kube::ServerFeatures> features_;  ///< read before the first eviction
};

/// How often home is asked which pods are left, and for the same eviction again (as kubectl does).
constexpr std::chrono::seconds kLook{1}, kEvictAgain{5};

/// Evicts until no pod is left. The bridge sees the deletions through.
Result<void> drain(Session& session, HomeNode& node, std::chrono::seconds timeout) {
  Pacing looks(kLook), evictions(kEvictAgain);
  std::string blocked;
  std::vector<std::string> left;
  std::optional<Status> broken;
  const bool empty = session.waitUntil(
      timeout,
      [&] {
        const TimePoint now = session.clock().now();
        if (!looks.due("", now)) return false;
        auto pods = node.pods();
        if (!pods) {
          broken = pods.error();
          return false;
        }
        broken.reset();
        left.clear();
        std::string refused;
        bool tried = false;
        for (const Json& pod : *pods) {
          left.push_back(nameOf(pod));
          if (!json::str(pod, {"metadata", "deletionTimestamp"}).empty()) continue;
          if (!evictions.due(json::str(pod, {"metadata", "uid"}), now)) continue;
          tried = true;
          if (auto evicted = node.evict(pod); !evicted) {
            refused = nameOf(pod) + ": " + evicted.error().message;
          }
        }
        if (tried) blocked = refused;
        return left.empty();
      },
      [&] {
        return "draining: " + std::to_string(left.size()) + " pods left (" + listed(left) + ")" +
               (blocked.empty() ? "" : "; " + blocked);
      });
  if (empty) return {};
  if (broken) return failure(*broken);
  return failure({.reason = "Timeout",
                  .message = std::to_string(left.size()) + " pods are still on the node after " +
                             std::to_string(timeout.count()) + " s (" + listed(left) + ")" +
                             (blocked.empty() ? "" : "; the last refusal: " + blocked) +
                             "; it stays cordoned, run the command again to go on"});
}

Result<std::vector<PodRecord>> mappedPods(const state::StateFolder& folder,
                                          const std::string& name) {
  auto database = state::Database::openReadOnly(folder);
  if (!database) return failure(database.error());
  std::vector<PodRecord> result;
  if (!*database) return result;
  auto records = (*database)->load(name);
  if (!records) return failure(records.error());
  for (auto& record : *records) {
    if (record.state != PodRecord::State::kWaiting) result.push_back(std::move(record));
  }
  return result;
}

Result<void> refuseOccupied(HomeNode& node, const std::string& name, bool cordoned) {
  auto pods = node.pods();
  if (!pods) return failure(pods.error());
  if (pods->empty()) return {};
  if (cordoned) {
    if (auto back = node.uncordon(); !back) return back;
  }
  std::vector<std::string> names;
  for (const Json& pod : *pods) names.push_back(nameOf(pod));
  return failure({.reason = "Occupied",
                  .message = std::to_string(names.size()) + " pods are bound to node " + name +
                             " (" + listed(names) +
                             "); move them away first, or run: vk-bridge leave " + name +
                             " --drain",
                  .retry = Retry::kNever});
}

/// The bridge (ours or a running one) has let go when the cluster's folder is gone.
Result<void> waitUntilForgotten(Session& session, const state::StateFolder& folder,
                                const LeaveOptions& options) {
  const bool gone = session.waitUntil(
      options.timeout,
      [&] {
        const auto cluster = folder.cluster(options.name);
        return cluster && !*cluster;
      },
      [&] { return "waiting for the delegates of " + options.name + " to go"; });
  if (gone) return {};
  return failure({.reason = "Timeout",
                  .message = "delegates of " + options.name + " are still there after " +
                             std::to_string(options.timeout.count()) +
                             " s; the bridge goes on, see: vk-bridge status " + options.name +
                             "; a target that no longer exists needs --force"});
}

Result<void> prepare(Session& session, HomeNode& node, const LeaveOptions& options) {
  auto cordoned = node.cordon();
  if (!cordoned) return failure(cordoned.error());
  if (options.force) return {};
  if (options.drain) return drain(session, node, options.timeout);
  return refuseOccupied(node, options.name, *cordoned);
}

void listWhatMayRun(const std::vector<PodRecord>& records) {
  bool first = true;
  for (const PodRecord& record : records) {
    if (record.state == PodRecord::State::kTerminal) continue;
    if (first)
      std::printf("These delegates may still run in the target; nobody looks after them:\n");
    first = false;
    std::printf("  %s/%s  (home pod %s/%s)\n", record.place_ns.c_str(), record.place_name.c_str(),
                record.ns.c_str(), record.name.c_str());
  }
}

}  // namespace

Result<void> leave(Session& session, const LeaveOptions& options) {
  auto folder = state::StateFolder::openExisting(session.options().stateDir());
  if (!folder) return failure(folder.error());
  auto config = folder->cluster(options.name);
  if (!config) return failure(config.error());
  if (!*config) {
    return invalid("no cluster named " + options.name + " is joined; see: vk-bridge status");
  }
  auto home = session.connectHome();
  if (!home) return failure(home.error());
  if (auto bound = folder->bindHome(home->id); !bound) return bound;

  // Deletions need a bridge to carry them out: one that runs, or this process for the time being.
  std::unique_ptr<Server> server;
  if (!state::StateLock::holder(*folder)) {
    auto started = Server::start(session, *folder, *home, "");
    if (!started) return failure(started.error());
    server = std::move(*started);
  }
  HomeNode node(*home->client, **config);
  if (auto ready = prepare(session, node, options); !ready) return ready;
  auto mapped = mappedPods(*folder, options.name);
  if (!mapped) return failure(mapped.error());

  // Read again: while it was drained somebody may have joined it with other options.
  const auto current = folder->cluster(options.name);
  if (!current) return failure(current.error());
  state::ClusterConfig leaving = current->value_or(**config);
  leaving.leaving = true;
  leaving.forget_target = options.force;
  if (auto written = folder->writeConfig(leaving); !written) return written;
  if (auto gone = waitUntilForgotten(session, *folder, options); !gone) return gone;
  std::printf("Cluster %s has left; its node is gone.\n", options.name.c_str());
  if (options.force) listWhatMayRun(*mapped);
  return {};
}

}  // namespace vkb::cli
