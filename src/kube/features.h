#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kube/client.h"
#include "kube/version.h"

namespace vkb::kube {

/// What one server does in another way than others do. Read from its discovery document, which
/// tells the truth even where the version says nothing (v0.0.0-master+…) or a gate is off.
struct ServerFeatures {
  enum class EphemeralContainers {
    kNone,
    kOwnKind,  ///< 1.16 to 1.22 behind a gate: pods/ephemeralcontainers takes EphemeralContainers
    kPod,      ///< 1.23 on: pods/ephemeralcontainers takes a Pod
  };
  enum class Resize {
    kNone,
    kSpec,         ///< 1.27 to 1.31 behind a gate: resources of spec change; 422 with the gate off
    kSubresource,  ///< 1.32 on: pods/resize; behind a gate until 1.33
  };
  std::string eviction_version = "policy/v1beta1";  ///< apiVersion of what pods/eviction takes
  EphemeralContainers ephemeral_containers = EphemeralContainers::kNone;
  Resize resize = Resize::kNone;
};

/// From the body of GET /api/v1 (an APIResourceList) and the server's version.
Result<ServerFeatures> parseServerFeatures(const std::string& core_resources,
                                           const ServerVersion& version);
/// Two GETs, which every authenticated user may do.
Result<ServerFeatures> readServerFeatures(Reader& reader);

/// The POST of pods/eviction. `grace_period_seconds` nothing: the pod's own.
Json evictionOf(const ServerFeatures& features, const std::string& ns, const std::string& name,
                const std::string& uid, std::optional<std::int64_t> grace_period_seconds = {});
/// Evicts under the UID; what is gone already counts as evicted. 429: a disruption budget.
Result<void> evict(Writer& writer, const ServerFeatures& features, const std::string& ns,
                   const std::string& name, const std::string& uid,
                   std::optional<std::int64_t> grace_period_seconds = {});

/// Adds `containers` to a pod's ephemeral containers; they cannot be changed or removed later. Each
/// form sent to a server of the other is answered 200 and does nothing at all. With a UID only that
/// pod is changed. Reason "NotSupported": the server has none.
Result<json::ObjectPtr> addEphemeralContainers(Writer& writer, const ServerFeatures& features,
                                               const std::string& ns, const std::string& name,
                                               const Json& containers, const std::string& uid = "");
/// Changes cpu and memory of running containers: a strategic-merge patch of the pod with name and
/// resources of each. Reason "NotSupported": the server cannot.
Result<json::ObjectPtr> resizePod(Writer& writer, const ServerFeatures& features,
                                  const std::string& ns, const std::string& name,
                                  const Json& patch);

}  // namespace vkb::kube
