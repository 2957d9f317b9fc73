#include <array>
#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

constexpr const char* kReason =
    "the pod goes on seeing its identity at home, which the delegate carries under this key";

struct Identity {
  std::string_view field, there;
};
/// In volumes only the first three may be asked for; the API server saw to that at home.
constexpr std::array kIdentity{
    Identity{"metadata.name", "metadata.annotations['vk-bridge.io/home-name']"},
    Identity{"metadata.namespace", "metadata.annotations['vk-bridge.io/home-namespace']"},
    Identity{"metadata.uid", "metadata.labels['vk-bridge.io/home-uid']"},
    Identity{"spec.nodeName", "metadata.labels['vk-bridge.io/node']"},
    Identity{"spec.serviceAccountName",
             "metadata.annotations['vk-bridge.io/home-service-account']"},
};

/// `holder` has a fieldRef: an env variable's valueFrom or an item of a volume.
bool pointToHome(Json& holder) {
  const std::string path = json::str(holder, {"fieldRef", "fieldPath"});
  for (const auto& [field, there] : kIdentity) {
    if (path != field) continue;
    holder["fieldRef"]["fieldPath"] = there;
    return true;
  }
  return false;
}

void pointItems(Json& source, const std::string& volume, const Reasons& why) {
  forEachDownwardItem(source, [&](Json& item) {
    if (pointToHome(item)) why.add({"spec.volumes[", volume, "]"}, kReason);
  });
}

}  // namespace

void keepIdentity(Json& spec, const Reasons& why) {
  forEachContainer(spec, [&](const char* list, Json& container) {
    forEachIn(container, "env", [&](Json& variable) {
      if (!variable.is_object() || !variable.contains("valueFrom")) return;
      if (!pointToHome(variable["valueFrom"])) return;
      why.add({"spec.", list, "[", json::str(container, "name"), "].env[",
               json::str(variable, "name"), "]"},
              kReason);
    });
  });
  forEachIn(spec, "volumes", [&](Json& volume) {
    const std::string name = json::str(volume, "name");
    pointItems(volume, name, why);
    if (!volume.is_object() || !volume.contains("projected")) return;
    forEachIn(volume["projected"], "sources", [&](Json& source) { pointItems(source, name, why); });
  });
}

Json identityAnnotations(const Json& home_pod) {
  std::string account = json::str(home_pod, {"spec", "serviceAccountName"});
  if (account.empty()) account = json::str(home_pod, {"spec", "serviceAccount"});
  return {{kAnnotationHomeName, json::str(home_pod, {"metadata", "name"})},
          {kAnnotationHomeNamespace, json::str(home_pod, {"metadata", "namespace"})},
          {kAnnotationHomeServiceAccount, account.empty() ? "default" : account}};
}

}  // namespace vkb::bridge
