#include <nlohmann/json.hpp>
#include <optional>

#include "bridge/forge.h"
#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

constexpr const char* kOffloadDaemonSet = "vk-bridge.io/offload-daemonset";
constexpr const char* kMirrorPod = "kubernetes.io/config.mirror";

tl::unexpected<Status> refuse(const char* reason, std::string message) {
  return failure(
      {.code = 0, .reason = reason, .message = std::move(message), .retry = Retry::kNever});
}

bool isDaemonSetPod(const Json& home_pod) {
  for (const Json& owner : json::array(home_pod, {"metadata", "ownerReferences"})) {
    if (json::boolean(owner, {"controller"}) && json::str(owner, "kind") == "DaemonSet")
      return true;
  }
  return false;
}

Result<void> admitKind(const Json& home_pod) {
  const Json& annotations = json::object(home_pod, {"metadata", "annotations"});
  if (json::str(home_pod, {"metadata", "namespace"}) == "kube-system") {
    return refuse(kReasonNotOffloaded,
                  "pods of namespace kube-system serve this cluster itself and stay in it");
  }
  if (annotations.contains(kMirrorPod)) {
    return refuse(kReasonNotOffloaded, "a static pod's mirror belongs to the node that made it");
  }
  if (isDaemonSetPod(home_pod) && json::str(annotations, kOffloadDaemonSet) != "true") {
    return refuse(kReasonNotOffloaded,
                  "pods of a DaemonSet serve the node they are on and are not run in another "
                  "cluster; to run it there all the same, annotate the pod template with " +
                      std::string(kOffloadDaemonSet) + "=true");
  }
  if (!json::array(home_pod, {"spec", "resourceClaims"}).empty()) {
    return refuse(kReasonNotOffloaded,
                  "the pod has resource claims, and devices of this cluster cannot be used by a "
                  "pod in another one; remove spec.resourceClaims");
  }
  return {};
}

Result<void> admitStorage(const Json& home_pod) {
  for (const Json& volume : json::array(home_pod, {"spec", "volumes"})) {
    const bool claim = !json::at(volume, "persistentVolumeClaim").is_null();
    if (!claim && json::at(volume, "ephemeral").is_null()) continue;
    return refuse(kReasonVolumesNotOffloaded,
                  "volume \"" + json::str(volume, "name") + "\" is a " +
                      (claim ? "PersistentVolumeClaim" : "generic ephemeral volume") +
                      ", and volumes that need storage do not cross to another cluster");
  }
  return {};
}

/// What a pod refers to; the first one found is enough to say why it waits.
struct Reference {
  const char* kind;
  std::string name, where;
};

std::optional<Reference> inProjected(const Json& volume, const std::string& where) {
  for (const Json& source : json::array(volume, {"projected", "sources"})) {
    for (const auto& [field, kind] : {std::pair{"configMap", "ConfigMap"}, {"secret", "Secret"}}) {
      if (!json::at(source, field).is_null()) {
        return Reference{kind, json::str(source, {field, "name"}), where};
      }
    }
  }
  return std::nullopt;
}

/// Volume types of storage systems carry their credentials' Secret under one of these names.
std::optional<Reference> inStorageSource(const Json& volume, const std::string& where) {
  if (!volume.is_object()) return std::nullopt;
  for (const auto& source : volume.items()) {
    for (const char* field : {"secretRef", "nodePublishSecretRef"}) {
      if (!json::at(source.value(), field).is_null()) {
        return Reference{"Secret", json::str(source.value(), {field, "name"}), where};
      }
    }
  }
  const std::string name = json::str(volume, {"azureFile", "secretName"});
  if (!name.empty()) return Reference{"Secret", name, where};
  return std::nullopt;
}

std::optional<Reference> inVolumes(const Json& spec) {
  for (const Json& volume : json::array(spec, {"volumes"})) {
    if (isInjectedTokenVolume(volume, spec)) continue;
    const std::string where = "volume \"" + json::str(volume, "name") + "\"";
    if (!json::at(volume, "configMap").is_null()) {
      return Reference{"ConfigMap", json::str(volume, {"configMap", "name"}), where};
    }
    if (!json::at(volume, "secret").is_null()) {
      return Reference{"Secret", json::str(volume, {"secret", "secretName"}), where};
    }
    if (auto found = inProjected(volume, where)) return found;
    if (auto found = inStorageSource(volume, where)) return found;
  }
  return std::nullopt;
}

std::optional<Reference> inContainer(const Json& container) {
  const std::string where = " of container \"" + json::str(container, "name") + "\"";
  for (const Json& variable : json::array(container, {"env"})) {
    for (const auto& [field, kind] :
         {std::pair{"configMapKeyRef", "ConfigMap"}, {"secretKeyRef", "Secret"}}) {
      if (!json::at(variable, {"valueFrom", field}).is_null()) {
        return Reference{kind, json::str(variable, {"valueFrom", field, "name"}),
                         "variable " + json::str(variable, "name") + where};
      }
    }
  }
  for (const Json& source : json::array(container, {"envFrom"})) {
    for (const auto& [field, kind] :
         {std::pair{"configMapRef", "ConfigMap"}, {"secretRef", "Secret"}}) {
      if (!json::at(source, field).is_null()) {
        return Reference{kind, json::str(source, {field, "name"}), "envFrom" + where};
      }
    }
  }
  return std::nullopt;
}

std::optional<Reference> firstReference(const Json& spec) {
  if (auto found = inVolumes(spec)) return found;
  std::optional<Reference> found;
  // Ephemeral containers do not go over with the pod, so what they refer to does not hold it up.
  for (const char* list : {"initContainers", "containers"}) {
    for (const Json& container : json::array(spec, {list})) {
      if ((found = inContainer(container))) return found;
    }
  }
  const Json& pull_secrets = json::array(spec, {"imagePullSecrets"});
  if (!pull_secrets.empty()) {
    return Reference{"Secret", json::str(pull_secrets.front(), "name"), "imagePullSecrets"};
  }
  return std::nullopt;
}

}  // namespace

Result<void> admit(const Json& home_pod) {
  if (auto done = admitKind(home_pod); !done) return done;
  if (auto done = admitStorage(home_pod); !done) return done;
  // Without what it meant to say, the pod would run on any node.
  if (auto said = clusterSelector(home_pod); !said) {
    return refuse(kReasonNotOffloaded, said.error().message);
  }
  // Optional ones wait too: without a copy the target's own object of that name would be used.
  if (const auto found = firstReference(json::at(home_pod, "spec"))) {
    return failure(
        {.code = 0,
         .reason = kReasonDependencyMissing,
         .message = "the pod waits: it refers to " + std::string(found->kind) + " \"" +
                    found->name + "\" (" + found->where +
                    "), and ConfigMaps and Secrets do not cross to the target cluster yet",
         .retry = Retry::kSlow});
  }
  return {};
}

}  // namespace vkb::bridge
