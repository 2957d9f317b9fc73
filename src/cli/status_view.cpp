#include "cli/status_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "cli/human.h"
#include "cli/printer_yaml.h"
#include "cli/status_pod.h"
#include "cli/table.h"
#include "json/time.h"

namespace vkb::cli {
namespace {

// So that a line of the plain table stays readable; -o wide has it whole.
constexpr std::size_t kMessageWidth = 80;

Json timeOrNull(WallTime time) {
  return time == WallTime{} ? Json() : Json(json::formatTime(time));
}

Json optionalOrNull(const auto& value) { return value ? Json(*value) : Json(); }

std::size_t podCount(const StatusData& data, const std::string& cluster) {
  return static_cast<std::size_t>(
      std::count_if(data.pods.begin(), data.pods.end(),
                    [&](const PodRecord& pod) { return pod.node == cluster; }));
}

Json clusterJson(const StatusData& data, const StatusData::Cluster& cluster) {
  const bool running = data.bridge_pid.has_value();
  const state::ClusterHealth health = cluster.health.value_or(state::ClusterHealth{});
  return {{"name", cluster.config.name},
          {"server", cluster.config.server},
          {"targetId", cluster.config.target_id},
          {"state", clusterState(cluster, running)},
          {"reachable", optionalOrNull(clusterReachable(cluster, running))},
          {"message", health.message},
          {"since", timeOrNull(health.since)},
          {"version", health.version},
          {"nodesReady", health.nodes_ready},
          {"nodesTotal", health.nodes_total},
          {"cpu", health.cpu},
          {"memory", health.memory},
          {"pods", health.pods},
          {"podCount", podCount(data, cluster.config.name)},
          {"leaving", cluster.config.leaving}};
}

Json podJson(const PodRecord& pod) {
  std::optional<std::int64_t> lag;
  if (pod.lag) lag = pod.lag->count();
  return {{"namespace", pod.ns},
          {"name", pod.name},
          {"uid", pod.uid},
          {"cluster", pod.node},
          {"delegate",
           {{"namespace", pod.place_ns}, {"name", pod.place_name}, {"uid", pod.provider_uid}}},
          {"state", toString(pod.state)},
          {"phase", pod.phase},
          {"ready", pod.ready},
          {"restarts", pod.restarts},
          {"created", timeOrNull(pod.home_created)},
          {"node", pod.provider_node},
          {"lagMs", optionalOrNull(lag)},
          {"lastError", pod.last_error},
          {"lastErrorAt", timeOrNull(pod.last_error_at)}};
}

std::string slashed(const std::string& ns, const std::string& name) {
  return name.empty() ? "" : ns + "/" + name;
}

std::string clustersTable(const StatusData& data, bool wide) {
  const bool running = data.bridge_pid.has_value();
  std::vector<std::string> header{"NAME",  "STATE", "REACHABLE", "SINCE", "VERSION",
                                  "NODES", "PODS",  "CPU",       "MEMORY"};
  if (wide) header.insert(header.end(), {"SERVER", "TARGET ID"});
  header.emplace_back("MESSAGE");
  Table table(header);
  for (const auto& cluster : data.clusters) {
    const state::ClusterHealth health = cluster.health.value_or(state::ClusterHealth{});
    const auto reachable = clusterReachable(cluster, running);
    std::string nodes, pods = std::to_string(podCount(data, cluster.config.name));
    if (cluster.health) {
      nodes = std::to_string(health.nodes_ready) + "/" + std::to_string(health.nodes_total);
    }
    if (!health.pods.empty()) pods += "/" + health.pods;
    std::vector<std::string> row{cluster.config.name,
                                 clusterState(cluster, running),
                                 reachable ? (*reachable ? "True" : "False") : "",
                                 ageOf(health.since, data.now),
                                 health.version,
                                 nodes,
                                 pods,
                                 health.cpu,
                                 health.memory};
    if (wide) row.insert(row.end(), {cluster.config.server, cluster.config.target_id});
    const std::string message = oneLine(health.message);
    row.push_back(wide ? message : ellipsize(message, kMessageWidth));
    table.add(std::move(row));
  }
  return "CLUSTERS\n" + table.text();
}

std::string podsTable(const StatusData& data, bool wide) {
  std::vector<std::string> header{"POD"};
  if (wide) header.emplace_back("UID");
  header.insert(header.end(), {"CLUSTER", "DELEGATE"});
  if (wide) header.insert(header.end(), {"DELEGATE UID", "STATE"});
  header.insert(header.end(), {"PHASE", "READY", "RESTARTS", "AGE", "NODE", "LAG", "LAST ERROR"});
  Table table(header);
  for (const PodRecord& pod : data.pods) {
    std::vector<std::string> row{slashed(pod.ns, pod.name)};
    if (wide) row.push_back(pod.uid);
    row.insert(row.end(), {pod.node, slashed(pod.place_ns, pod.place_name)});
    if (wide) row.insert(row.end(), {pod.provider_uid, toString(pod.state)});
    const std::string error = oneLine(pod.last_error);
    row.insert(row.end(), {pod.phase, pod.ready ? "True" : "False", std::to_string(pod.restarts),
                           ageOf(pod.home_created, data.now), pod.provider_node,
                           pod.lag ? formatDuration(*pod.lag) : "",
                           wide ? error : ellipsize(error, kMessageWidth)});
    table.add(std::move(row));
  }
  return "PODS\n" + table.text();
}

std::string tables(const StatusData& data, bool wide) {
  std::string text = bridgeLine(data) + "\n";
  if (data.clusters.empty()) {
    text += "no cluster is joined yet: vk-bridge join NAME --kubeconfig FILE\n";
    if (data.pods.empty()) return text;
  } else {
    text += clustersTable(data, wide);
  }
  text += "\n";
  if (!data.pods.empty()) return text + podsTable(data, wide);
  const std::string node = data.clusters.size() == 1 ? data.clusters.front().config.name : "NAME";
  return text +
         "no pod is bound to a virtual node yet; one that tolerates the taint "
         "virtual-kubelet.io/provider can be, e.g. with nodeSelector kubernetes.io/hostname: " +
         node + "\n";
}

void sortRows(StatusData& data) {
  std::sort(data.clusters.begin(), data.clusters.end(),
            [](const auto& a, const auto& b) { return a.config.name < b.config.name; });
  std::sort(data.pods.begin(), data.pods.end(), [](const PodRecord& a, const PodRecord& b) {
    return std::tie(a.ns, a.name, a.node, a.uid) < std::tie(b.ns, b.name, b.node, b.uid);
  });
}

Result<void> keepPod(StatusData& data, const std::string& filter) {
  std::erase_if(data.pods, [&](const PodRecord& pod) { return pod.ns + "/" + pod.name != filter; });
  if (data.pods.empty()) {
    return invalid("no pod " + filter +
                   " is known here: it is not bound to the virtual node of a joined cluster, or "
                   "no bridge has seen it yet; vk-bridge status lists all that are");
  }
  std::erase_if(data.clusters, [&](const StatusData::Cluster& cluster) {
    return podCount(data, cluster.config.name) == 0;
  });
  return {};
}

Result<void> keepCluster(StatusData& data, const std::string& filter) {
  std::string names;
  for (const auto& cluster : data.clusters) {
    names += (names.empty() ? "" : ", ") + cluster.config.name;
  }
  std::erase_if(data.clusters, [&](const auto& cluster) { return cluster.config.name != filter; });
  std::erase_if(data.pods, [&](const PodRecord& pod) { return pod.node != filter; });
  // The pods of a cluster that was removed by hand are still worth a look.
  if (!data.clusters.empty() || !data.pods.empty()) return {};
  return invalid("no cluster is joined under the name \"" + filter + "\"" +
                 (names.empty()
                      ? std::string("; join one with vk-bridge join NAME --kubeconfig FILE")
                      : "; joined are: " + names));
}

}  // namespace

std::optional<StatusFormat> parseStatusFormat(std::string_view name) {
  if (name == "table") return StatusFormat::kTable;
  if (name == "wide") return StatusFormat::kWide;
  if (name == "json") return StatusFormat::kJson;
  if (name == "yaml") return StatusFormat::kYaml;
  return std::nullopt;
}

std::vector<StatusData::Cluster> joinHealth(std::vector<state::ClusterConfig> configs,
                                            const std::vector<state::ClusterHealth>& health) {
  std::vector<StatusData::Cluster> clusters;
  for (state::ClusterConfig& config : configs) {
    StatusData::Cluster cluster{.config = std::move(config)};
    for (const state::ClusterHealth& entry : health) {
      if (entry.name == cluster.config.name) cluster.health = entry;
    }
    clusters.push_back(std::move(cluster));
  }
  return clusters;
}

Json statusJson(const StatusData& data) {
  Json clusters = Json::array(), pods = Json::array();
  for (const auto& cluster : data.clusters) clusters.push_back(clusterJson(data, cluster));
  for (const PodRecord& pod : data.pods) pods.push_back(podJson(pod));
  return {{"bridge",
           {{"running", data.bridge_pid.has_value()},
            {"pid", optionalOrNull(data.bridge_pid)},
            {"stateDir", data.state_dir}}},
          {"clusters", std::move(clusters)},
          {"pods", std::move(pods)}};
}

Result<std::string> renderStatus(const StatusData& data, StatusFormat format,
                                 const std::string& filter) {
  StatusData shown = data;
  sortRows(shown);
  const bool one_pod = filter.find('/') != std::string::npos;
  if (!filter.empty()) {
    const auto kept = one_pod ? keepPod(shown, filter) : keepCluster(shown, filter);
    if (!kept) return failure(kept.error());
  }
  switch (format) {
    case StatusFormat::kJson:
      // Messages come from other programs: bytes that are not UTF-8 must not throw.
      return statusJson(shown).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
    case StatusFormat::kYaml:
      return toYaml(statusJson(shown));
    case StatusFormat::kWide:
    case StatusFormat::kTable:
      break;
  }
  if (!one_pod) return tables(shown, format == StatusFormat::kWide);
  std::string text = bridgeLine(shown);
  for (const PodRecord& pod : shown.pods) text += "\n" + describePod(shown, pod);
  return text;
}

}  // namespace vkb::cli
