#include "bridge/target_stats.h"

#include <nlohmann/json.hpp>

#include "bridge/names.h"
#include "json/json.h"
#include "json/object_parts.h"
#include "json/quantity.h"
#include "json/time.h"
#include "kube/urls.h"

namespace vkb::bridge {
namespace {

constexpr kube::Resource kPodMetrics{"metrics.k8s.io", "v1beta1", "pods", true};
/// Containers come and go; their counters need not outlive them for long.
constexpr std::chrono::minutes kForgetAfter{10};

/// No metrics API, its server not running, or no right to it: all of them mean "unknown".
bool meansAbsent(const Status& status) {
  return status.code == 404 || status.code == 403 || status.code == 503 ||
         status.reason == "NotKubernetes";
}

/// A Go duration as metrics-server writes it ("15.123s", "1m0s"); 0 where it is none.
std::chrono::nanoseconds windowOf(const std::string& text) {
  double seconds = 0, number = 0, scale = 1;
  bool fraction = false;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      if (fraction) scale /= 10;
      number = fraction ? number + (c - '0') * scale : number * 10 + (c - '0');
    } else if (c == '.') {
      fraction = true;
    } else if (c == 'm' || c == 's') {
      seconds += number * (c == 'm' ? 60 : 1);
      number = 0;
      scale = 1;
      fraction = false;
    }
  }
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

std::int64_t nanoCores(const Json& usage) {
  const auto cpu = json::Quantity::parse(json::str(usage, "cpu"));
  return cpu ? cpu->nano() : 0;
}

std::int64_t bytes(const Json& usage) {
  const auto memory = json::Quantity::parse(json::str(usage, "memory"));
  return memory ? memory->units() : 0;
}

std::string startOf(const Json& delegate, const std::string& container) {
  const Json* status =
      json::findBy(json::at(delegate, {"status", "containerStatuses"}), "name", container);
  return status == nullptr ? "" : json::str(*status, {"state", "running", "startedAt"});
}

Json reference(const json::Object& home_pod) {
  return {{"name", home_pod.name}, {"namespace", home_pod.ns}, {"uid", home_pod.uid}};
}

struct Usage {
  std::int64_t nano_cores = 0, core_nanoseconds = 0, working_set = 0;
  void add(const Usage& other) {
    nano_cores += other.nano_cores;
    core_nanoseconds += other.core_nanoseconds;
    working_set += other.working_set;
  }
  void writeTo(Json& object, const std::string& time) const {
    object["cpu"] = {
        {"time", time}, {"usageNanoCores", nano_cores}, {"usageCoreNanoSeconds", core_nanoseconds}};
    object["memory"] = {{"time", time}, {"workingSetBytes", working_set}};
  }
};

Usage usageIn(const Json& object) {
  const auto number = [&](json::Path path) { return json::integer(object, path).value_or(0); };
  return {.nano_cores = number({"cpu", "usageNanoCores"}),
          .core_nanoseconds = number({"cpu", "usageCoreNanoSeconds"}),
          .working_set = number({"memory", "workingSetBytes"})};
}

/// What a node of ours uses is what its pods use.
Json nodeStats(const std::string& node, const Json& pods, const std::string& now) {
  Usage total;
  for (const Json& pod : pods) total.add(usageIn(pod));
  Json stats{{"nodeName", node}};
  if (!pods.empty()) total.writeTo(stats, now);
  return stats;
}

}  // namespace

std::int64_t CpuIntegrator::add(const std::string& key, WallTime at,
                                std::chrono::nanoseconds window, std::int64_t nano_cores) {
  const auto [entry, is_new] = counters_.try_emplace(
      key, Counter{at - std::chrono::duration_cast<WallTime::duration>(window), 0});
  Counter& counter = entry->second;
  if (at > counter.at) {
    const std::chrono::duration<double> passed = at - counter.at;
    counter.nanoseconds += passed.count() * static_cast<double>(nano_cores);
    counter.at = at;
  }
  return static_cast<std::int64_t>(counter.nanoseconds);
}

void CpuIntegrator::dropBefore(WallTime time) {
  std::erase_if(counters_, [&](const auto& entry) { return entry.second.at < time; });
}

/// Of one PodMetrics; nothing when it is not a delegate's whose home pod is there.
std::optional<Json> TargetStats::podStats(const Json& metrics) {
  const auto delegate = deps_.delegate_at(
      {json::str(metrics, {"metadata", "namespace"}), json::str(metrics, {"metadata", "name"})});
  const auto home_pod = delegate ? deps_.home_pod(delegate->home_uid) : nullptr;
  if (!home_pod) return std::nullopt;
  const Json pod = delegate->pod->parse();
  const std::string time = json::str(metrics, "timestamp");
  const WallTime at = json::parseTime(time).value_or(deps_.clock.wallNow());
  const auto window = windowOf(json::str(metrics, "window"));
  Usage total;
  Json containers = Json::array();
  for (const Json& container : json::array(metrics, {"containers"})) {
    const std::string name = json::str(container, "name");
    const Json& used = json::object(container, {"usage"});
    Usage usage{.nano_cores = nanoCores(used), .working_set = bytes(used)};
    const std::string start = startOf(pod, name);
    usage.core_nanoseconds =
        cpu_.add(delegate->pod->uid + "/" + name + "/" + start, at, window, usage.nano_cores);
    Json stats{{"name", name}};
    if (!start.empty()) stats["startTime"] = start;
    usage.writeTo(stats, time);
    containers.push_back(std::move(stats));
    total.add(usage);
  }
  Json stats{{"podRef", reference(*home_pod)}, {"containers", std::move(containers)}};
  if (const std::string start = json::str(pod, {"status", "startTime"}); !start.empty()) {
    stats["startTime"] = start;
  }
  total.writeTo(stats, time);
  return stats;
}

Result<Json> TargetStats::podsFromMetricsApi() {
  kube::ListOptions options{.ns = options_.ns};
  options.label_selector = std::string(kLabelHomeCluster) + "=" + options_.home_id + "," +
                           kLabelNode + "=" + options_.node;
  const auto list = deps_.target.list(kPodMetrics, options);
  if (!list) {
    if (meansAbsent(list.error())) return Json(Json::array());
    return failure(list.error());
  }
  Json pods = Json::array();
  const std::lock_guard lock(mutex_);
  for (const json::ObjectPtr& item : list->items) {
    if (auto stats = podStats(item->parse())) pods.push_back(std::move(*stats));
  }
  cpu_.dropBefore(deps_.clock.wallNow() - kForgetAfter);
  return pods;
}

Result<Json> TargetStats::podsFromNodes(const std::stop_token& stop) {
  std::map<std::string, std::map<std::string, std::string>> home_uids;  // by node, delegate UID
  deps_.for_each_delegate([&](const TargetPods::Delegate& delegate) {
    const std::string node = json::str(*delegate.pod, {"spec", "nodeName"});
    if (!node.empty()) home_uids[node][delegate.pod->uid] = delegate.home_uid;
  });
  Json pods = Json::array();
  for (const auto& [node, delegates] : home_uids) {
    if (stop.stop_requested()) break;
    const auto body =
        deps_.target.getRaw("/api/v1/nodes/" + kube::urlEscape(node) + "/proxy/stats/summary");
    if (!body && meansAbsent(body.error())) continue;
    if (!body) return failure(body.error());
    const auto summary = json::parse(*body);
    if (!summary) continue;
    for (const Json& pod : json::array(*summary, {"pods"})) {
      const auto known = delegates.find(json::str(pod, {"podRef", "uid"}));
      const auto home_pod = known == delegates.end() ? nullptr : deps_.home_pod(known->second);
      if (!home_pod) continue;
      Json stats = pod;
      stats["podRef"] = reference(*home_pod);
      pods.push_back(std::move(stats));
    }
  }
  return pods;
}

Result<Json> TargetStats::getStatsSummary(std::stop_token stop) {
  auto pods = options_.from_nodes ? podsFromNodes(stop) : podsFromMetricsApi();
  if (!pods) return pods;
  Json node = nodeStats(options_.node, *pods, json::formatTime(deps_.clock.wallNow()));
  return Json{{"node", std::move(node)}, {"pods", std::move(*pods)}};
}

}  // namespace vkb::bridge
