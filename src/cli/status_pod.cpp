#include "cli/status_pod.h"

#include <algorithm>
#include <initializer_list>

#include "cli/human.h"
#include "cli/table.h"
#include "json/time.h"
#include "vkbridge/provider.h"

namespace vkb::cli {
namespace {

const char* explain(PodRecord::State state) {
  switch (state) {
    case PodRecord::State::kWaiting:
      return "nothing was sent to the target yet; the last error says why";
    case PodRecord::State::kCreating:
      return "the delegate is being created, or an unanswered attempt may still take effect";
    case PodRecord::State::kCreated:
      return "the delegate exists in the target and its status is fed back";
    case PodRecord::State::kTerminal:
      return "its containers have ended and never start again under this UID";
    case PodRecord::State::kDeleting:
      return "the home pod is gone; the delegate is being removed";
  }
  return "";
}

class Listing {
 public:
  void add(const std::string& key, const std::string& value) {
    const std::string line = oneLine(value);
    text_ +=
        key + ":" + std::string(kColumn - key.size() - 1, ' ') + (line.empty() ? "-" : line) + "\n";
  }
  std::string text() const { return text_; }

 private:
  static constexpr std::size_t kColumn = 15;
  std::string text_;
};

std::string describeCluster(const StatusData& data, const std::string& name) {
  const bool running = data.bridge_pid.has_value();
  for (const auto& cluster : data.clusters) {
    if (cluster.config.name != name) continue;
    const auto reachable = clusterReachable(cluster, running);
    const std::string reach =
        !reachable ? "reachability not known" : (*reachable ? "reachable" : "not reachable");
    std::string text = name + " (" + clusterState(cluster, running) + ", " + reach;
    if (cluster.health && !cluster.health->message.empty()) text += ": " + cluster.health->message;
    return text + ")";
  }
  return name + " (no longer joined)";
}

std::string withAge(WallTime time, WallTime now) {
  if (time == WallTime{}) return "";
  return json::formatTime(time) + " (" + ageOf(time, now) + " ago)";
}

std::string describeError(const PodRecord& pod, WallTime now) {
  if (pod.last_error.empty()) return "none";
  if (pod.last_error_at == WallTime{}) return pod.last_error;
  return pod.last_error + " (" + ageOf(pod.last_error_at, now) + " ago)";
}

}  // namespace

std::string clusterState(const StatusData::Cluster& cluster, bool bridge_running) {
  if (cluster.config.leaving) return toString(ProviderState::kLeaving);
  if (cluster.health) return cluster.health->state;
  return bridge_running ? "Starting" : "Joined";
}

std::optional<bool> clusterReachable(const StatusData::Cluster& cluster, bool bridge_running) {
  if (!bridge_running || !cluster.health) return std::nullopt;
  const auto is = [&](ProviderState state) { return cluster.health->state == toString(state); };
  // In these states the target itself gave the answer that led there.
  if (is(ProviderState::kReady) || is(ProviderState::kClaimedElsewhere) ||
      is(ProviderState::kMassLoss)) {
    return true;
  }
  if (is(ProviderState::kUnreachable) || is(ProviderState::kCredentialsRejected) ||
      is(ProviderState::kIdentityChanged)) {
    return false;
  }
  return std::nullopt;
}

std::string ageOf(WallTime time, WallTime now) {
  return time == WallTime{} ? "" : formatAge(now - time);
}

std::string bridgeLine(const StatusData& data) {
  if (data.bridge_pid) return "bridge: running (pid " + std::to_string(*data.bridge_pid) + ")\n";
  WallTime last{};
  for (const auto& cluster : data.clusters) {
    if (cluster.health) last = std::max(last, cluster.health->updated_at);
  }
  if (last == WallTime{}) return "bridge: not running; start it with: vk-bridge run\n";
  return "bridge: not running; what follows is what it last wrote, " + ageOf(last, data.now) +
         " ago\n";
}

std::string describePod(const StatusData& data, const PodRecord& pod) {
  Listing list;
  list.add("Pod", pod.ns + "/" + pod.name);
  list.add("UID", pod.uid);
  list.add("Cluster", describeCluster(data, pod.node));
  list.add("Delegate",
           pod.place_name.empty() ? "no place decided yet" : pod.place_ns + "/" + pod.place_name);
  list.add("Delegate UID", pod.provider_uid);
  list.add("State", std::string(toString(pod.state)) + ": " + explain(pod.state));
  list.add("Phase", pod.phase);
  list.add("Ready", pod.ready ? "True" : "False");
  list.add("Restarts", std::to_string(pod.restarts));
  list.add("Created", withAge(pod.home_created, data.now));
  list.add("Target node", pod.provider_node);
  list.add("Lag", pod.lag ? formatDuration(*pod.lag) +
                                " from the delegate's last change until home "
                                "was told"
                          : "nothing was fed back yet");
  list.add("Last error", describeError(pod, data.now));
  return list.text();
}

}  // namespace vkb::cli
