#include "bench/pods.h"

#include <cstdio>
#include <nlohmann/json.hpp>

namespace vkb::bench {
namespace {

/// In the order written, as Go's structs are.
using Ordered = nlohmann::ordered_json;

Ordered container(const std::string& name) {
  Ordered env = Ordered::array();
  for (int i = 0; i < 15; ++i) {
    env.push_back(
        {{"name", "SETTING_" + std::to_string(i)}, {"value", "value-" + std::to_string(i)}});
  }
  Ordered mounts = Ordered::array();
  mounts.push_back({{"name", "config"}, {"mountPath", "/etc/app"}});
  if (name == "app") mounts.push_back({{"name", "cache"}, {"mountPath", "/var/cache/app"}});
  mounts.push_back({{"name", "kube-api-access-x7k2p"},
                    {"readOnly", true},
                    {"mountPath", "/var/run/secrets/kubernetes.io/serviceaccount"}});
  return {{"name", name},
          {"image", "registry.example.com/team/" + name + ":v1.42.7"},
          {"env", env},
          {"resources",
           {{"limits", {{"cpu", "1"}, {"memory", "512Mi"}}},
            {"requests", {{"cpu", "250m"}, {"memory", "256Mi"}}}}},
          {"volumeMounts", mounts},
          {"terminationMessagePath", "/dev/termination-log"},
          {"terminationMessagePolicy", "File"},
          {"imagePullPolicy", "IfNotPresent"}};
}

Ordered volumes() {
  Ordered list = Ordered::array();
  list.push_back({{"name", "config"}, {"configMap", {{"name", "app"}, {"defaultMode", 420}}}});
  list.push_back({{"name", "cache"}, {"emptyDir", Ordered::object()}});
  list.push_back({{"name", "keys"}, {"secret", {{"secretName", "app"}, {"defaultMode", 420}}}});
  Ordered token = {{"serviceAccountToken", {{"expirationSeconds", 3607}, {"path", "token"}}}};
  Ordered sources = Ordered::array();
  sources.push_back(token);
  list.push_back({{"name", "kube-api-access-x7k2p"},
                  {"projected", {{"sources", sources}, {"defaultMode", 420}}}});
  return list;
}

Ordered managedFields() {
  Ordered spec;
  for (const char* name : {"app", "sidecar"}) {
    Ordered fields = {{".", Ordered::object()}};
    Ordered env = {{".", Ordered::object()}};
    for (int i = 0; i < 15; ++i) {
      env["k:{\"name\":\"SETTING_" + std::to_string(i) + "\"}"] = {{".", Ordered::object()},
                                                                   {"f:name", Ordered::object()}};
    }
    fields["f:env"] = env;
    for (const char* field : {"f:image", "f:imagePullPolicy", "f:name"}) {
      fields[field] = Ordered::object();
    }
    spec["f:containers"]["k:{\"name\":\"" + std::string(name) + "\"}"] = fields;
  }
  for (const char* field : {"f:dnsPolicy", "f:restartPolicy", "f:schedulerName", "f:volumes"}) {
    spec[field] = Ordered::object();
  }
  const Ordered status = {{"f:conditions", Ordered::object()},
                          {"f:containerStatuses", Ordered::object()},
                          {"f:phase", Ordered::object()}};
  const auto entry = [](const char* manager, Ordered fields) {
    return Ordered{{"manager", manager},       {"operation", "Update"},
                   {"apiVersion", "v1"},       {"time", "2026-11-22T08:42:28Z"},
                   {"fieldsType", "FieldsV1"}, {"fieldsV1", std::move(fields)}};
  };
  Ordered list = Ordered::array();
  list.push_back(entry("kube-controller-manager", {{"f:spec", spec}}));
  list.push_back(entry("kubelet", {{"f:status", status}}));
  return list;
}

Ordered status() {
  Ordered conditions = Ordered::array();
  for (const char* type : {"Initialized", "Ready", "ContainersReady", "PodScheduled"}) {
    conditions.push_back({{"type", type},
                          {"status", "True"},
                          {"lastProbeTime", nullptr},
                          {"lastTransitionTime", "2026-11-22T08:42:31Z"}});
  }
  Ordered containers = Ordered::array();
  for (const char* name : {"app", "sidecar"}) {
    containers.push_back({{"name", name},
                          {"state", {{"running", {{"startedAt", "2026-11-22T08:42:30Z"}}}}},
                          {"ready", true},
                          {"restartCount", 0},
                          {"image", "registry.example.com/team/app:v1.42.7"},
                          {"started", true}});
  }
  Ordered ips = Ordered::array();
  ips.push_back({{"ip", "10.244.3.17"}});
  return {{"phase", "Running"},
          {"conditions", conditions},
          {"hostIP", "192.0.2.17"},
          {"podIP", "10.244.3.17"},
          {"podIPs", ips},
          {"startTime", "2026-11-22T08:42:28Z"},
          {"containerStatuses", containers},
          {"qosClass", "Burstable"}};
}

// Stand-ins in the one pod that all others are copies of.
constexpr const char* kNumber = "@number@";
constexpr const char* kNamespace = "@namespace@";
constexpr const char* kUid = "@uid@";
constexpr const char* kVersion = "@version@";

Ordered pattern() {
  Ordered containers = Ordered::array();
  containers.push_back(container("app"));
  containers.push_back(container("sidecar"));
  return {{"kind", "Pod"},
          {"apiVersion", "v1"},
          {"metadata",
           {{"name", std::string("web-7c5ddbdf54-") + kNumber},
            {"generateName", "web-7c5ddbdf54-"},
            {"namespace", kNamespace},
            {"uid", kUid},
            {"resourceVersion", kVersion},
            {"creationTimestamp", "2026-11-22T08:42:28Z"},
            {"labels", {{"app", "web"}, {"pod-template-hash", "7c5ddbdf54"}}},
            {"managedFields", managedFields()}}},
          {"spec",
           {{"volumes", volumes()},
            {"containers", containers},
            {"restartPolicy", "Always"},
            {"terminationGracePeriodSeconds", 30},
            {"dnsPolicy", "ClusterFirst"},
            {"serviceAccountName", "default"},
            {"nodeName", "gpu-eu"},
            {"securityContext", Ordered::object()},
            {"schedulerName", "default-scheduler"},
            {"priority", 0},
            {"enableServiceLinks", true}}},
          {"status", status()}};
}

void fill(std::string& text, std::string_view stand_in, const std::string& value) {
  text.replace(text.find(stand_in), stand_in.size(), value);
}

}  // namespace

std::string podJson(std::size_t i, const std::string& resource_version) {
  static const std::string pod = pattern().dump();
  char uid[40];
  std::snprintf(uid, sizeof uid, "5d6e6088-97bb-4994-84d2-%012zx", i);
  std::string text = pod;
  fill(text, kNumber, std::to_string(i));
  fill(text, kNamespace, "team-" + std::to_string(i % 50));
  fill(text, kUid, uid);
  fill(text, kVersion, resource_version);
  return text;
}

std::string podListJson(std::size_t first, std::size_t count, const std::string& resource_version,
                        const std::string& continue_token) {
  std::string text = R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":")" +
                     resource_version + "\"";
  if (!continue_token.empty()) text += R"(,"continue":")" + continue_token + "\"";
  text += "},\"items\":[";
  for (std::size_t i = first; i < first + count; ++i) {
    if (i > first) text += ",";
    text += podJson(i);
  }
  return text + "]}\n";
}

}  // namespace vkb::bench
