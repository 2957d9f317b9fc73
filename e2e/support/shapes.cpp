#include "support/shapes.h"

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/names.h"

namespace vkb::e2e {

namespace {

Json plainSpec(const Shape& shape) {
  Json container{{"name", "main"},
                 {"image", "busybox:e2e"},
                 {"imagePullPolicy", "IfNotPresent"},
                 {"command", {"sh", "-c", shape.script}}};
  if (!shape.ready_file.empty()) {
    container["readinessProbe"] = {{"exec", {{"command", {"test", "-f", shape.ready_file}}}},
                                   {"periodSeconds", 1}};
  }
  return {{"terminationGracePeriodSeconds", shape.grace_seconds},
          {"restartPolicy", shape.restart_policy},
          {"containers", Json::array({container})}};
}

Json object(const std::string& version, const std::string& kind, const std::string& ns,
            const std::string& name) {
  return {{"apiVersion", version},
          {"kind", kind},
          {"metadata", {{"namespace", ns}, {"name", name}, {"labels", {{"app", name}}}}}};
}

}  // namespace

Json podSpec(const std::string& node, const Shape& shape) {
  Json spec = plainSpec(shape);
  spec["nodeSelector"] = {{kHostnameLabel, node}};
  spec["tolerations"] =
      Json::array({{{"key", kTaintKey}, {"operator", "Exists"}, {"effect", "NoSchedule"}}});
  return spec;
}

Json makePod(const std::string& ns, const std::string& name, const std::string& node,
             const Shape& shape) {
  Json pod = object("v1", "Pod", ns, name);
  pod["spec"] = podSpec(node, shape);
  return pod;
}

Json makePlainPod(const std::string& ns, const std::string& name, const Shape& shape) {
  Json pod = object("v1", "Pod", ns, name);
  pod["spec"] = plainSpec(shape);
  return pod;
}

Json makeWorkload(const std::string& kind, const std::string& ns, const std::string& name,
                  const std::string& node, int replicas, const Shape& shape) {
  Json workload = object("apps/v1", kind, ns, name);
  const Json labels{{"app", name}};
  workload["spec"] = {
      {"selector", {{"matchLabels", labels}}},
      {"template", {{"metadata", {{"labels", labels}}}, {"spec", podSpec(node, shape)}}}};
  if (kind != "DaemonSet") workload["spec"]["replicas"] = replicas;
  if (kind == "StatefulSet") workload["spec"]["serviceName"] = name;
  return workload;
}

Json makeJob(const std::string& ns, const std::string& name, const std::string& node,
             int completions, const Shape& shape) {
  Json job = object("batch/v1", "Job", ns, name);
  job["spec"] = {
      {"completions", completions},
      {"parallelism", completions},
      {"template", {{"metadata", {{"labels", {{"app", name}}}}}, {"spec", podSpec(node, shape)}}}};
  return job;
}

Json makeNamespace(const std::string& name) {
  return {{"apiVersion", "v1"},
          {"kind", "Namespace"},
          {"metadata", {{"name", name}, {"labels", {{kTestLabel, "true"}}}}}};
}

std::string phaseOf(const Json& pod) { return json::str(pod, {"status", "phase"}); }

bool isReady(const Json& pod) {
  return conditionOf(pod, "Ready") == "True" &&
         json::str(pod, {"metadata", "deletionTimestamp"}).empty();
}

bool isRunningAndReady(const Json& pod) { return phaseOf(pod) == "Running" && isReady(pod); }

std::string conditionOf(const Json& object, const std::string& type) {
  const Json* condition = json::findBy(json::array(object, {"status", "conditions"}), "type", type);
  return condition == nullptr ? "" : json::str(*condition, "status");
}

std::string waitingReasonOf(const Json& pod) {
  const Json& containers = json::array(pod, {"status", "containerStatuses"});
  return containers.empty() ? "" : json::str(containers[0], {"state", "waiting", "reason"});
}

}  // namespace vkb::e2e
