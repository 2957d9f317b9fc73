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

Result<void> admitStorage(const Json& home_pod, bool use_claims) {
  for (const Json& volume : json::array(home_pod, {"spec", "volumes"})) {
    const bool claim = !json::at(volume, "persistentVolumeClaim").is_null();
    if (!claim && json::at(volume, "ephemeral").is_null()) continue;
    if (claim && use_claims) continue;
    return refuse(kReasonVolumesNotOffloaded,
                  "volume \"" + json::str(volume, "name") + "\" is a " +
                      (claim ? "PersistentVolumeClaim" : "generic ephemeral volume") +
                      ", and volumes that need storage do not cross to another cluster");
  }
  return {};
}

}  // namespace

Result<void> admit(const Json& home_pod, bool use_claims) {
  if (auto done = admitKind(home_pod); !done) return done;
  if (auto done = admitStorage(home_pod, use_claims); !done) return done;
  // Without what it meant to say, the pod would run on any node.
  if (auto said = clusterSelector(home_pod); !said) {
    return refuse(kReasonNotOffloaded, said.error().message);
  }
  return {};
}

}  // namespace vkb::bridge
