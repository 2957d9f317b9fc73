#include "kube/features.h"

#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::kube {
namespace {

tl::unexpected<Status> notSupported(const std::string& what) {
  return failure({.code = 0,
                  .reason = "NotSupported",
                  .message = "the API server does not support " + what,
                  .retry = Retry::kNever});
}

}  // namespace

Result<ServerFeatures> parseServerFeatures(const std::string& core_resources,
                                           const ServerVersion& version) {
  const auto document = json::parse(core_resources);
  if (!document || json::str(*document, "kind") != "APIResourceList") {
    return failure({.code = 0,
                    .reason = "NotKubernetes",
                    .message = "the answer to /api/v1 is none of a Kubernetes API server",
                    .retry = Retry::kSlow});
  }
  const Json& resources = json::array(*document, {"resources"});
  ServerFeatures features;
  if (const Json* eviction = json::findBy(resources, "name", "pods/eviction")) {
    // Absent on servers before 1.10, whose only version is the default.
    const std::string group = json::str(*eviction, "group");
    const std::string api = json::str(*eviction, "version");
    if (!group.empty() && !api.empty()) features.eviction_version = group + "/" + api;
  }
  if (const Json* ephemeral = json::findBy(resources, "name", "pods/ephemeralcontainers")) {
    features.ephemeral_containers = json::str(*ephemeral, "kind") == "Pod"
                                        ? ServerFeatures::EphemeralContainers::kPod
                                        : ServerFeatures::EphemeralContainers::kOwnKind;
  }
  if (json::findBy(resources, "name", "pods/resize") != nullptr) {
    features.resize = ServerFeatures::Resize::kSubresource;
  } else if (version.atLeast(1, 27) && !version.atLeast(1, 32)) {
    features.resize = ServerFeatures::Resize::kSpec;
  }
  return features;
}

Result<ServerFeatures> readServerFeatures(Reader& reader) {
  const auto version = readServerVersion(reader);
  if (!version) return failure(version.error());
  const auto resources = reader.getRaw("/api/v1");
  if (!resources) return failure(resources.error());
  return parseServerFeatures(*resources, *version);
}

Json evictionOf(const ServerFeatures& features, const std::string& ns, const std::string& name,
                const std::string& uid, std::optional<std::int64_t> grace_period_seconds) {
  Json eviction{{"apiVersion", features.eviction_version},
                {"kind", "Eviction"},
                {"metadata", {{"name", name}, {"namespace", ns}}}};
  if (!uid.empty()) eviction["deleteOptions"]["preconditions"]["uid"] = uid;
  if (grace_period_seconds) {
    eviction["deleteOptions"]["gracePeriodSeconds"] = *grace_period_seconds;
  }
  return eviction;
}

Result<void> evict(Writer& writer, const ServerFeatures& features, const std::string& ns,
                   const std::string& name, const std::string& uid,
                   std::optional<std::int64_t> grace_period_seconds) {
  const auto answer = writer.create(
      kPods, ns, evictionOf(features, ns, name, uid, grace_period_seconds), name, "eviction");
  if (answer || answer.error().isNotFound()) return {};
  return failure(answer.error());
}

Result<json::ObjectPtr> addEphemeralContainers(Writer& writer, const ServerFeatures& features,
                                               const std::string& ns, const std::string& name,
                                               const Json& containers, const std::string& uid) {
  Json patch = {{"ephemeralContainers", containers}};
  switch (features.ephemeral_containers) {
    case ServerFeatures::EphemeralContainers::kNone:
      return notSupported("ephemeral containers");
    case ServerFeatures::EphemeralContainers::kPod:
      patch = Json{{"spec", std::move(patch)}};
      break;
    case ServerFeatures::EphemeralContainers::kOwnKind:
      break;
  }
  if (!uid.empty()) patch["metadata"] = {{"uid", uid}};
  return writer.patch(kPods, ns, name, PatchType::kStrategicMerge, patch, "ephemeralcontainers");
}

Result<json::ObjectPtr> resizePod(Writer& writer, const ServerFeatures& features,
                                  const std::string& ns, const std::string& name,
                                  const Json& patch) {
  if (features.resize == ServerFeatures::Resize::kNone) {
    return notSupported("changing the resources of running containers");
  }
  const bool own = features.resize == ServerFeatures::Resize::kSubresource;
  return writer.patch(kPods, ns, name, PatchType::kStrategicMerge, patch, own ? "resize" : "");
}

}  // namespace vkb::kube
