#include "support/fake_kubelet.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "json/json.h"
#include "json/time.h"

namespace vkb::test {
namespace {

bool isDeleting(const Json& pod) {
  return json::at(pod, {"metadata", "deletionTimestamp"}).is_string();
}

bool isTerminal(const Json& pod) {
  const std::string phase = json::str(pod, {"status", "phase"});
  return phase == "Succeeded" || phase == "Failed";
}

bool tolerates(const Json& pod, const Json& taint) {
  const Json& tolerations = json::array(pod, {"spec", "tolerations"});
  return std::any_of(tolerations.begin(), tolerations.end(), [&](const Json& t) {
    const std::string effect = json::str(t, "effect"), key = json::str(t, "key");
    if (!effect.empty() && effect != json::str(taint, "effect")) return false;
    const bool exists = json::str(t, "operator") == "Exists";
    if (key.empty()) return exists;
    return key == json::str(taint, "key") &&
           (exists || json::str(t, "value") == json::str(taint, "value"));
  });
}

std::string nsOf(const VersionPtr& pod) {
  return json::str(pod->json(), {"metadata", "namespace"});
}
std::string nameOf(const VersionPtr& pod) { return json::str(pod->json(), {"metadata", "name"}); }

Json containerStatus(const Json& container, const std::string& uid, const Json& state, bool ready,
                     std::int64_t restarts) {
  const std::string name = json::str(container, "name");
  const std::string image = json::str(container, "image");
  return {{"name", name},
          {"image", image},
          {"imageID", image + "@sha256:" + std::string(64, '0')},
          {"containerID", "containerd://" + uid + "-" + name + "-" + std::to_string(restarts)},
          {"ready", ready},
          {"started", ready},
          {"restartCount", restarts},
          {"lastState", Json::object()},
          {"state", state}};
}

std::int64_t restartsOf(const Json& pod, const std::string& container) {
  const Json* status =
      json::findBy(json::array(pod, {"status", "containerStatuses"}), "name", container);
  return status == nullptr ? 0 : json::integer(*status, {"restartCount"}).value_or(0);
}

Json containerStatuses(const VersionPtr& pod, const char* list, const Json& state, bool ready,
                       std::int64_t more_restarts = 0) {
  Json out = Json::array();
  for (const Json& container : json::array(pod->json(), {"spec", list}))
    out.push_back(
        containerStatus(container, pod->uid(), state, ready,
                        restartsOf(pod->json(), json::str(container, "name")) + more_restarts));
  return out;
}

Json terminated(int exit_code, const std::string& at) {
  return {{"terminated",
           {{"exitCode", exit_code},
            {"reason", exit_code == 0 ? "Completed" : "Error"},
            {"startedAt", at},
            {"finishedAt", at}}}};
}

}  // namespace

AutoStep::AutoStep(FakeCluster& cluster, std::function<void()> step)
    : state_(std::make_shared<State>(State{std::move(step)})) {
  const auto schedule = [weak = std::weak_ptr<State>(state_), &executor = cluster.executor()] {
    const auto state = weak.lock();
    if (!state || state->scheduled) return;
    state->scheduled = true;
    executor.post([weak] {
      const auto due = weak.lock();
      if (!due) return;
      due->scheduled = false;
      due->step();
    });
  };
  cluster.onChange([schedule](const Change& change) {
    if (change.resource == "pods" || change.resource == "nodes") schedule();
  });
  schedule();
}

void FakeScheduler::runAutomatically() {
  auto_.emplace(cluster_, [this] { step(); });
}

void FakeKubelet::runAutomatically() {
  auto_.emplace(cluster_, [this] { step(); });
}

bool FakeScheduler::suits(const Json& node, const Json& pod) const {
  if (json::boolean(node, {"spec", "unschedulable"})) return false;
  const Json* ready = json::findBy(json::array(node, {"status", "conditions"}), "type", "Ready");
  if (ready == nullptr || json::str(*ready, "status") != "True") return false;
  if (!json::hasAll(json::at(node, {"metadata", "labels"}),
                    json::object(pod, {"spec", "nodeSelector"})))
    return false;
  const Json& taints = json::array(node, {"spec", "taints"});
  return std::all_of(taints.begin(), taints.end(), [&](const Json& taint) {
    return json::str(taint, "effect") == "PreferNoSchedule" || tolerates(pod, taint);
  });
}

bool FakeScheduler::markUnschedulable(const VersionPtr& pod, std::size_t nodes) {
  const Json& conditions = json::array(pod->json(), {"status", "conditions"});
  if (json::findBy(conditions, "type", "PodScheduled") != nullptr) return false;
  Json list = conditions;
  list.push_back({{"type", "PodScheduled"},
                  {"status", "False"},
                  {"reason", "Unschedulable"},
                  {"message", "0/" + std::to_string(nodes) + " nodes are available"},
                  {"lastProbeTime", nullptr},
                  {"lastTransitionTime", json::formatTime(cluster_.clock().wallNow())}});
  cluster_.setPodStatus(nsOf(pod), nameOf(pod), {{"conditions", list}}, "scheduler");
  return true;
}

bool FakeScheduler::step() {
  const auto nodes = cluster_.all(kube::kNodes);
  for (const VersionPtr& pod : cluster_.all(kube::kPods)) {
    if (!json::str(pod->json(), {"spec", "nodeName"}).empty() || isDeleting(pod->json())) continue;
    std::vector<std::string> fit;
    for (const VersionPtr& node : nodes)
      if (suits(node->json(), pod->json())) fit.push_back(nameOf(node));
    if (fit.empty()) {
      if (markUnschedulable(pod, nodes.size())) return true;
      continue;
    }
    const Json binding{{"target", {{"kind", "Node"}, {"name", fit[turn_++ % fit.size()]}}}};
    const auto done =
        cluster_.create("scheduler", kube::kPods, nsOf(pod), binding, nameOf(pod), "binding");
    VKB_CHECK(done, "a pod without a node can be bound");
    return true;
  }
  return false;
}

std::size_t FakeScheduler::settle() {
  std::size_t steps = 0;
  while (step()) ++steps;
  return steps;
}

FakeKubelet::FakeKubelet(FakeCluster& cluster, std::string node)
    : cluster_(cluster), node_(std::move(node)), actor_("kubelet/" + node_) {}

std::string FakeKubelet::now() const { return json::formatTime(cluster_.clock().wallNow()); }

std::string FakeKubelet::newIp() {
  const std::uint32_t n = next_ip_++;
  return "10.88." + std::to_string(n / 250 % 250) + "." + std::to_string(n % 250 + 1);
}

bool FakeKubelet::step() {
  if (down_) return false;
  for (const VersionPtr& pod : cluster_.all(kube::kPods))
    if (json::str(pod->json(), {"spec", "nodeName"}) == node_ && act(pod)) return true;
  return false;
}

std::size_t FakeKubelet::settle() {
  std::size_t steps = 0;
  while (step()) ++steps;
  return steps;
}

void FakeKubelet::hold(const std::string& ns, const std::string& name, bool on) {
  held_[ns + "/" + name] = on;
}

bool FakeKubelet::act(const VersionPtr& pod) {
  const Json& json = pod->json();
  if (isDeleting(json)) {
    if (hold_deletions_) return false;
    if (!isTerminal(json)) {
      terminate(pod);
      return true;
    }
    // Grace 0 already and still there: a finalizer holds it.
    if (json::integer(json, {"metadata", "deletionGracePeriodSeconds"}) == 0) return false;
    removeObject(pod);
    return true;
  }
  const auto held = held_.find(nsOf(pod) + "/" + nameOf(pod));
  if (held != held_.end() && held->second) return false;
  if (json::str(json, {"status", "phase"}) != "Pending") return false;
  start(pod);
  return true;
}

Json FakeKubelet::conditions(const Json& pod, bool ready, const std::string& reason) const {
  Json list = Json::array();
  for (const Json& present : json::array(pod, {"status", "conditions"})) {
    const std::string type = json::str(present, "type");
    if (type != "Ready" && type != "ContainersReady" && type != "Initialized" &&
        type != "PodScheduled")
      list.push_back(present);
  }
  for (const char* type : {"PodScheduled", "Initialized", "ContainersReady", "Ready"}) {
    const bool about_ready = std::string_view(type).ends_with("Ready");
    Json condition{{"type", type},
                   {"status", !about_ready || ready ? "True" : "False"},
                   {"lastProbeTime", nullptr},
                   {"lastTransitionTime", now()}};
    if (about_ready && !ready && !reason.empty()) condition["reason"] = reason;
    list.push_back(std::move(condition));
  }
  return list;
}

void FakeKubelet::writeStatus(const VersionPtr& pod, const Json& status) {
  cluster_.setPodStatus(nsOf(pod), nameOf(pod), status, actor_);
}

void FakeKubelet::start(const VersionPtr& pod) {
  const std::string ip = newIp();
  const Json running{{"running", {{"startedAt", now()}}}};
  Json status{{"phase", "Running"},
              {"hostIP", "192.0.2.1"},
              {"hostIPs", Json::array({{{"ip", "192.0.2.1"}}})},
              {"podIP", ip},
              {"podIPs", Json::array({{{"ip", ip}}})},
              {"startTime", now()},
              {"conditions", conditions(pod->json(), true, "")},
              {"containerStatuses", containerStatuses(pod, "containers", running, true)}};
  if (!json::array(pod->json(), {"spec", "initContainers"}).empty())
    status["initContainerStatuses"] =
        containerStatuses(pod, "initContainers", terminated(0, now()), true);
  writeStatus(pod, status);
}

void FakeKubelet::terminate(const VersionPtr& pod) {
  const bool ran = json::str(pod->json(), {"status", "phase"}) == "Running";
  Json status{{"phase", ran ? "Succeeded" : "Failed"},
              {"conditions", conditions(pod->json(), false, "PodCompleted")}};
  if (ran)
    status["containerStatuses"] = containerStatuses(pod, "containers", terminated(0, now()), false);
  writeStatus(pod, status);
}

void FakeKubelet::removeObject(const VersionPtr& pod) {
  (void)cluster_.remove(actor_, kube::kPods, nsOf(pod), nameOf(pod),
                        {.grace_period_seconds = 0, .uid = pod->uid()});
}

void FakeKubelet::exitContainers(const std::string& ns, const std::string& name, int exit_code) {
  const VersionPtr pod = cluster_.findPod(ns, name);
  VKB_CHECK(pod, "the pod whose containers end is there");
  const std::string policy = json::str(pod->json(), {"spec", "restartPolicy"});
  const bool restarts = policy == "Always" || (policy == "OnFailure" && exit_code != 0);
  if (restarts) {
    Json statuses =
        containerStatuses(pod, "containers", {{"running", {{"startedAt", now()}}}}, true, 1);
    for (Json& status : statuses) status["lastState"] = terminated(exit_code, now());
    writeStatus(pod, {{"containerStatuses", statuses}});
    return;
  }
  writeStatus(pod, {{"phase", exit_code == 0 ? "Succeeded" : "Failed"},
                    {"conditions",
                     conditions(pod->json(), false, exit_code == 0 ? "PodCompleted" : "PodFailed")},
                    {"containerStatuses",
                     containerStatuses(pod, "containers", terminated(exit_code, now()), false)}});
}

void FakeKubelet::evict(const std::string& ns, const std::string& name,
                        const std::string& message) {
  const VersionPtr pod = cluster_.findPod(ns, name);
  VKB_CHECK(pod, "the pod to evict is there");
  writeStatus(pod, {{"phase", "Failed"},
                    {"reason", "Evicted"},
                    {"message", message},
                    {"conditions", conditions(pod->json(), false, "PodFailed")},
                    {"containerStatuses",
                     containerStatuses(pod, "containers", terminated(137, now()), false)}});
}

void FakeKubelet::setReady(const std::string& ns, const std::string& name, bool ready) {
  const VersionPtr pod = cluster_.findPod(ns, name);
  VKB_CHECK(pod, "the pod whose readiness changes is there");
  Json statuses = json::array(pod->json(), {"status", "containerStatuses"});
  for (Json& status : statuses) status["ready"] = ready;
  writeStatus(pod, {{"conditions", conditions(pod->json(), ready, "ContainersNotReady")},
                    {"containerStatuses", statuses}});
}

}  // namespace vkb::test
