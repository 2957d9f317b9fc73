#include "load/pod_template.h"

#include <nlohmann/json.hpp>

namespace vkb::load {
namespace {

Json container(const std::string& name) {
  Json env = Json::array();
  for (int i = 0; i < 15; ++i) {
    const std::string number = std::to_string(i);
    env.push_back({{"name", "SETTING_" + number}, {"value", "value-of-setting-" + number}});
  }
  Json mounts = Json::array();
  mounts.push_back({{"name", "work"}, {"mountPath", "/var/lib/" + name}});
  mounts.push_back({{"name", "cache"}, {"mountPath", "/var/cache/" + name}});
  mounts.push_back({{"name", "tmp"}, {"mountPath", "/tmp"}});
  mounts.push_back({{"name", "podinfo"}, {"mountPath", "/etc/podinfo"}, {"readOnly", true}});
  return {{"name", name},
          {"image", "registry.example.com/team/" + name + ":v1.42.7"},
          {"command", {"/usr/bin/" + name, "--config=/etc/" + name, "--verbose"}},
          {"env", std::move(env)},
          {"resources",
           {{"limits", {{"cpu", "1"}, {"memory", "512Mi"}}},
            {"requests", {{"cpu", "10m"}, {"memory", "32Mi"}}}}},
          {"volumeMounts", std::move(mounts)},
          {"ports", Json::array({{{"containerPort", name == "app" ? 8080 : 9090}}})}};
}

Json volumes() {
  const Json empty = Json::object();
  Json list = Json::array();
  list.push_back({{"name", "work"}, {"emptyDir", {{"sizeLimit", "1Gi"}}}});
  list.push_back({{"name", "cache"}, {"emptyDir", empty}});
  list.push_back({{"name", "tmp"}, {"emptyDir", {{"medium", "Memory"}}}});
  Json labels{{"path", "labels"}, {"fieldRef", {{"fieldPath", "metadata.labels"}}}};
  list.push_back(
      {{"name", "podinfo"}, {"downwardAPI", {{"items", Json::array({std::move(labels)})}}}});
  return list;
}

}  // namespace

Json loadPod(const std::string& ns, std::size_t i, const std::string& node) {
  Json spec{{"containers", Json::array({container("app"), container("sidecar")})},
            {"volumes", volumes()},
            {"automountServiceAccountToken", false},
            {"terminationGracePeriodSeconds", 30}};
  if (!node.empty()) spec["nodeName"] = node;
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata",
           {{"name", "load-" + std::to_string(i)},
            {"namespace", ns},
            {"labels", {{"app", "load"}, {"tier", "bench"}, {"release", "v1.42.7"}}},
            {"annotations", {{"example.com/owner", "team-platform"}}}}},
          {"spec", std::move(spec)}};
}

Json foreignPod(const std::string& ns, const std::string& name, const std::string& node) {
  return {
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata", {{"name", name}, {"namespace", ns}, {"labels", {{"app", "foreign"}}}}},
      {"spec",
       {{"nodeName", node},
        {"automountServiceAccountToken", false},
        {"containers",
         Json::array({{{"name", "main"},
                       {"image", "registry.example.com/other:1"},
                       {"resources", {{"requests", {{"cpu", "10m"}, {"memory", "32Mi"}}}}}}})}}}};
}

}  // namespace vkb::load
