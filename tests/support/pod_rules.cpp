#include "support/pod_rules.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::test {
namespace {

void setDefault(Json& object, const char* key, const Json& value) {
  if (!object.contains(key) || object[key].is_null()) object[key] = value;
}

void forEachContainer(Json& pod, const std::function<void(Json&)>& act) {
  for (const char* list : {"containers", "initContainers"}) {
    if (!pod["spec"].contains(list) || !pod["spec"][list].is_array()) continue;
    for (Json& container : pod["spec"][list]) act(container);
  }
}

void fillContainerDefaults(Json& container) {
  setDefault(container, "terminationMessagePath", "/dev/termination-log");
  setDefault(container, "terminationMessagePolicy", "File");
  const std::string image = json::str(container, "image");
  const bool latest = image.ends_with(":latest") ||
                      image.find(':', image.find_last_of('/') + 1) == std::string::npos;
  setDefault(container, "imagePullPolicy", latest ? "Always" : "IfNotPresent");
  setDefault(container, "resources", Json::object());
}

void addDefaultToleration(Json& spec, const char* key) {
  setDefault(spec, "tolerations", Json::array());
  for (const Json& toleration : spec["tolerations"]) {
    const std::string present = json::str(toleration, "key");
    if (present == key || (present.empty() && json::str(toleration, "operator") == "Exists"))
      return;
  }
  spec["tolerations"].push_back(
      {{"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", 300}});
}

StatusCause required(const std::string& field) {
  return {"FieldValueRequired", field, "Required value"};
}

std::string index(const std::string& list, std::size_t i) {
  return list + "[" + std::to_string(i) + "]";
}

// The spec with everything taken out that an update may change.
Json frozenPart(const Json& pod) {
  Json spec = json::object(pod, {"spec"});
  for (const char* list : {"containers", "initContainers"})
    if (spec.contains(list))
      for (Json& container : spec[list]) container.erase("image");
  spec.erase("activeDeadlineSeconds");
  spec.erase("tolerations");
  spec.erase("terminationGracePeriodSeconds");
  spec.erase("schedulingGates");
  return spec;
}

bool keepsTolerations(const Json& before, const Json& after) {
  const Json& kept = json::array(after, {"spec", "tolerations"});
  const Json& old = json::array(before, {"spec", "tolerations"});
  return std::all_of(old.begin(), old.end(), [&](const Json& toleration) {
    return std::find(kept.begin(), kept.end(), toleration) != kept.end();
  });
}

bool mayRestart(const Json& pod, const Json& terminated) {
  const std::string policy = json::str(pod, {"spec", "restartPolicy"});
  if (policy == "Never") return false;
  return policy != "OnFailure" || json::integer(terminated, {"exitCode"}).value_or(0) != 0;
}

void checkContainerStates(const Json& before, const Json& after,
                          std::vector<StatusCause>& problems) {
  const Json& new_states = json::array(after, {"status", "containerStatuses"});
  const Json& old_states = json::array(before, {"status", "containerStatuses"});
  for (std::size_t i = 0; i < old_states.size(); ++i) {
    const Json& terminated = json::at(old_states[i], {"state", "terminated"});
    if (!terminated.is_object() || mayRestart(after, terminated)) continue;
    const Json* now = json::findBy(new_states, "name", json::str(old_states[i], "name"));
    if (now == nullptr || json::at(*now, {"state", "terminated"}).is_object()) continue;
    problems.push_back({"FieldValueForbidden", "status." + index("containerStatuses", i) + ".state",
                        "Forbidden: may not be transitioned to non-terminated state"});
  }
}

void checkClaimStatuses(const Json& after, std::vector<StatusCause>& problems) {
  const Json& statuses = json::array(after, {"status", "resourceClaimStatuses"});
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const std::string name = json::str(statuses[i], "name");
    if (json::findBy(json::array(after, {"spec", "resourceClaims"}), "name", name) != nullptr)
      continue;
    problems.push_back({"FieldValueInvalid",
                        "status." + index("resourceClaimStatuses", i) + ".name",
                        "Invalid value: \"" + name +
                            "\": must match the name of an entry in `spec.resourceClaims`"});
  }
}

// Go's conversion: podIP decides, podIPs[0] follows.
void normalizePodIPs(Json& status) {
  const std::string ip = json::str(status, "podIP");
  const Json& ips = json::array(status, {"podIPs"});
  if (ip.empty() && !ips.empty()) {
    status["podIP"] = json::str(ips.front(), "ip");
  } else if (!ip.empty() && (ips.empty() || json::str(ips.front(), "ip") != ip)) {
    status["podIPs"] = Json::array({{{"ip", ip}}});
  }
}

}  // namespace

bool isSubdomain(const std::string& name) {
  if (name.empty() || name.size() > 253) return false;
  const auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  char last = '.';
  for (const char c : name) {
    if (!alnum(c) && c != '-' && c != '.') return false;
    if (!alnum(c) && (last == '.' || (c == '.' && !alnum(last)))) return false;
    last = c;
  }
  return alnum(last);
}

std::string qosClassOf(const Json& pod) {
  bool any = false, guaranteed = true;
  for (const char* list : {"containers", "initContainers"}) {
    for (const Json& container : json::array(pod, {"spec", list})) {
      const Json& limits = json::object(container, {"resources", "limits"});
      const Json& requests = json::object(container, {"resources", "requests"});
      for (const char* resource : {"cpu", "memory"}) {
        const bool limited = limits.contains(resource);
        any = any || limited || requests.contains(resource);
        if (!limited || (requests.contains(resource) && requests[resource] != limits[resource]))
          guaranteed = false;
      }
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

void fillPodDefaults(Json& pod, bool all) {
  if (!pod.contains("spec") || !pod["spec"].is_object()) pod["spec"] = Json::object();
  Json& spec = pod["spec"];
  setDefault(spec, "restartPolicy", "Always");
  setDefault(spec, "terminationGracePeriodSeconds", 30);
  setDefault(spec, "serviceAccountName", "default");
  pod["status"] = {{"phase", "Pending"}, {"qosClass", qosClassOf(pod)}};
  if (!all) return;
  setDefault(spec, "dnsPolicy", "ClusterFirst");
  spec["serviceAccount"] = spec["serviceAccountName"];
  setDefault(spec, "securityContext", Json::object());
  setDefault(spec, "schedulerName", "default-scheduler");
  setDefault(spec, "priority", 0);
  setDefault(spec, "preemptionPolicy", "PreemptLowerPriority");
  setDefault(spec, "enableServiceLinks", true);
  addDefaultToleration(spec, "node.kubernetes.io/not-ready");
  addDefaultToleration(spec, "node.kubernetes.io/unreachable");
  forEachContainer(pod, fillContainerDefaults);
}

void addTokenVolume(Json& pod, const std::string& suffix) {
  constexpr const char* kMountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
  Json& spec = pod["spec"];
  if (!json::boolean(spec, {"automountServiceAccountToken"}, true)) return;
  const std::string name = "kube-api-access-" + suffix;
  setDefault(spec, "volumes", Json::array());
  spec["volumes"].push_back(
      {{"name", name},
       {"projected",
        {{"defaultMode", 420},
         {"sources",
          Json::array(
              {{{"serviceAccountToken", {{"expirationSeconds", 3607}, {"path", "token"}}}},
               {{"configMap",
                 {{"name", "kube-root-ca.crt"},
                  {"items", Json::array({{{"key", "ca.crt"}, {"path", "ca.crt"}}})}}}},
               {{"downwardAPI",
                 {{"items", Json::array({{{"path", "namespace"},
                                          {"fieldRef",
                                           {{"apiVersion", "v1"},
                                            {"fieldPath", "metadata.namespace"}}}}})}}}}})}}}});
  forEachContainer(pod, [&](Json& container) {
    setDefault(container, "volumeMounts", Json::array());
    for (const Json& mount : container["volumeMounts"])
      if (json::str(mount, "mountPath") == kMountPath) return;
    container["volumeMounts"].push_back(
        {{"name", name}, {"readOnly", true}, {"mountPath", kMountPath}});
  });
}

std::vector<StatusCause> checkNewPod(const Json& pod) {
  std::vector<StatusCause> problems;
  const Json& containers = json::array(pod, {"spec", "containers"});
  if (containers.empty()) problems.push_back(required("spec.containers"));
  for (std::size_t i = 0; i < containers.size(); ++i) {
    const std::string field = "spec." + index("containers", i);
    const std::string name = json::str(containers[i], "name");
    if (name.empty()) problems.push_back(required(field + ".name"));
    if (json::str(containers[i], "image").empty()) problems.push_back(required(field + ".image"));
    for (std::size_t j = 0; j < i; ++j)
      if (!name.empty() && json::str(containers[j], "name") == name)
        problems.push_back(
            {"FieldValueDuplicate", field + ".name", "Duplicate value: \"" + name + "\""});
    for (const Json& mount : json::array(containers[i], {"volumeMounts"})) {
      const std::string volume = json::str(mount, "name");
      if (json::findBy(json::array(pod, {"spec", "volumes"}), "name", volume) == nullptr)
        problems.push_back({"FieldValueNotFound", field + ".volumeMounts[0].name",
                            "Not found: \"" + volume + "\""});
    }
  }
  const std::string policy = json::str(pod, {"spec", "restartPolicy"});
  if (policy != "Always" && policy != "OnFailure" && policy != "Never")
    problems.push_back(
        {"FieldValueNotSupported", "spec.restartPolicy", "Unsupported value: \"" + policy + "\""});
  return problems;
}

std::vector<StatusCause> checkPodUpdate(const Json& before, const Json& after) {
  if (json::at(before, "spec") == json::at(after, "spec")) return {};
  if (frozenPart(before) == frozenPart(after) && keepsTolerations(before, after)) return {};
  return {{"FieldValueForbidden", "spec",
           "Forbidden: pod updates may not change fields other than "
           "`spec.containers[*].image`,`spec.initContainers[*].image`,"
           "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
           "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
           "previously negative)"}};
}

std::vector<StatusCause> checkPodStatus(const Json& before, Json& after) {
  std::vector<StatusCause> problems;
  if (after.contains("status") && after["status"].is_object()) normalizePodIPs(after["status"]);
  const Json& status = json::at(after, "status");
  const std::string qos = json::str(status, "qosClass");
  if (qos != json::str(before, {"status", "qosClass"}))
    problems.push_back({"FieldValueInvalid", "status.qosClass",
                        "Invalid value: \"" + qos + "\": field is immutable"});
  const Json& host_ips = json::array(status, {"hostIPs"});
  if (!host_ips.empty() && json::str(host_ips.front(), "ip") != json::str(status, "hostIP"))
    problems.push_back({"FieldValueInvalid", "status.hostIPs[0].ip",
                        "Invalid value: \"" + json::str(host_ips.front(), "ip") +
                            "\": must be equal to `hostIP`"});
  if (json::integer(status, {"observedGeneration"}).value_or(0) < 0)
    problems.push_back({"FieldValueInvalid", "status.observedGeneration",
                        "Invalid value: must be a non-negative integer"});
  const Json& conditions = json::array(status, {"conditions"});
  for (std::size_t i = 0; i < conditions.size(); ++i)
    if (json::integer(conditions[i], {"observedGeneration"}).value_or(0) < 0)
      problems.push_back({"FieldValueInvalid",
                          "status." + index("conditions", i) + ".observedGeneration",
                          "Invalid value: must be a non-negative integer"});
  if (!json::str(status, "nominatedNodeName").empty() &&
      !json::str(after, {"spec", "nodeName"}).empty())
    problems.push_back({"FieldValueForbidden", "status.nominatedNodeName",
                        "Forbidden: may not be set on pods that are already bound to a node"});
  if (status.is_object() && !json::at(status, "phase").is_null() &&
      !json::at(status, "phase").is_string())
    problems.push_back({"FieldValueInvalid", "patch", "Invalid value: cannot convert to PodPhase"});
  checkClaimStatuses(after, problems);
  checkContainerStates(before, after, problems);
  return problems;
}

}  // namespace vkb::test
