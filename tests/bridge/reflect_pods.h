#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "bridge/reflect.h"
#include "json/json.h"

namespace vkb::bridge {

inline const ReflectContext kContext{.host_ip = "192.0.2.1"};

inline Json homePod() {
  return R"({
    "metadata": {"name": "life", "namespace": "t1", "uid": "h", "generation": 3},
    "spec": {"containers": [{"name": "c"}], "initContainers": [{"name": "i"}]},
    "status": {"phase": "Pending", "qosClass": "Burstable", "conditions": [
      {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-22T08:29:20Z"}]}})"_json;
}

/// A running delegate as a kubelet of 1.36 reports it, with a sidecar injected in the target.
inline Json delegatePod() {
  return R"({
    "metadata": {"name": "life", "namespace": "t1", "uid": "d", "generation": 1},
    "spec": {"nodeName": "node-1", "containers": [{"name": "mesh"}, {"name": "c"}]},
    "status": {
      "phase": "Running", "qosClass": "Guaranteed", "observedGeneration": 1,
      "conditions": [
        {"type": "PodReadyToStartContainers", "status": "True", "observedGeneration": 1,
          "lastProbeTime": null, "lastTransitionTime": "2026-11-22T08:29:22Z"},
        {"type": "Initialized", "status": "True", "lastProbeTime": null,
          "lastTransitionTime": "2026-11-22T08:29:23Z"},
        {"type": "Ready", "status": "True", "lastProbeTime": null,
          "lastTransitionTime": "2026-11-22T08:29:25Z"},
        {"type": "ContainersReady", "status": "True", "lastProbeTime": null,
          "lastTransitionTime": "2026-11-22T08:29:25Z"},
        {"type": "PodScheduled", "status": "True", "lastProbeTime": null,
          "lastTransitionTime": "2026-11-22T08:29:21Z"}],
      "hostIP": "10.1.0.7", "hostIPs": [{"ip": "10.1.0.7"}, {"ip": "fd00::7"}],
      "podIP": "10.88.0.5", "podIPs": [{"ip": "10.88.0.5"}, {"ip": "fd00:88::5"}],
      "startTime": "2026-11-22T08:29:21Z",
      "initContainerStatuses": [{"name": "i", "ready": true, "restartCount": 0,
        "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}],
      "containerStatuses": [
        {"name": "c", "ready": true, "started": true, "restartCount": 2,
          "state": {"running": {"startedAt": "2026-11-22T08:29:23Z"}}, "lastState": {},
          "image": "registry.example/app:1", "imageID": "app@sha256:0", "containerID": "cri://1",
          "allocatedResources": {"cpu": "100m"}, "resources": {"requests": {"cpu": "100m"}},
          "allocatedResourcesStatus": [{"name": "claim:gpu"}], "statusOf2030": {"x": 1}},
        {"name": "mesh", "ready": true, "restartCount": 0, "state": {}}]}})"_json;
}

inline Json& conditionOf(Json& pod, const std::string& type) {
  for (Json& found : pod["status"]["conditions"]) {
    if (found["type"] == type) return found;
  }
  pod["status"]["conditions"].push_back({{"type", type}});
  return pod["status"]["conditions"].back();
}

inline const Json& shown(const Json& status, const char* type) {
  static const Json none;
  const Json* const found = json::findBy(json::at(status, "conditions"), "type", type);
  return found == nullptr ? none : *found;
}

}  // namespace vkb::bridge
