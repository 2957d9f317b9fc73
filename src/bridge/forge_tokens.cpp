#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "bridge/forge_parts.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

constexpr std::string_view kTokenPath = "/var/run/secrets/kubernetes.io/serviceaccount";

constexpr const char* kReason = "home's tokens mean nothing in the target";

/// Both are issued to the pod's service account by the cluster that runs it.
bool isTokenSource(const Json& source) {
  return source.contains("serviceAccountToken") || source.contains("podCertificate");
}

bool hasTokenSource(const Json& volume) {
  const Json& sources = json::array(volume, {"projected", "sources"});
  return std::any_of(sources.begin(), sources.end(), [](const Json& source) {
    return source.is_object() && isTokenSource(source);
  });
}

/// `<account>-token-<5 characters>`, as the token controller of API servers before 1.24 names them.
bool isTokenSecretName(const std::string& name, const Json& spec) {
  std::string account = json::str(spec, "serviceAccountName");
  if (account.empty()) account = json::str(spec, "serviceAccount");
  const std::string before = (account.empty() ? "default" : account) + "-token-";
  if (!name.starts_with(before) || name.size() != before.size() + 5) return false;
  return std::all_of(name.begin() + static_cast<std::ptrdiff_t>(before.size()), name.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
}

/// The admission plugin mounts it in this one place; a user who mounts the secret elsewhere means
/// it.
bool mountedOnlyAtTokenPath(const std::string& volume, const Json& spec) {
  bool only = true;
  forEachContainer(spec, [&](const Json& container) {
    for (const Json& mount : json::array(container, {"volumeMounts"})) {
      if (json::str(mount, "name") == volume && json::str(mount, "mountPath") != kTokenPath) {
        only = false;
      }
    }
  });
  return only;
}

void dropMounts(Json& spec, const std::set<std::string>& volumes, const Reasons& why) {
  forEachContainer(spec, [&](const char* list, Json& container) {
    if (!container.is_object()) return;
    const auto mounts = container.find("volumeMounts");
    if (mounts == container.end() || !mounts->is_array()) return;
    Json kept = Json::array();
    for (Json& mount : *mounts) {
      const std::string volume = json::str(mount, "name");
      if (volumes.contains(volume)) {
        why.add({"spec.", list, "[", json::str(container, "name"), "].volumeMounts[", volume, "]"},
                kReason);
      } else {
        kept.push_back(std::move(mount));
      }
    }
    if (kept.empty()) {
      container.erase(mounts);
    } else {
      *mounts = std::move(kept);
    }
  });
}

/// True: nothing but tokens was in it.
bool dropTokenSources(Json& volume) {
  Json kept = Json::array();
  for (const Json& source : json::array(volume, {"projected", "sources"})) {
    if (!source.is_object() || !isTokenSource(source)) kept.push_back(source);
  }
  const bool nothing_left = kept.empty();
  volume["projected"]["sources"] = std::move(kept);
  return nothing_left;
}

void dropVolumes(Json& spec, const Reasons& why, const std::function<bool(Json& volume)>& drops) {
  if (!spec.is_object()) return;
  const auto volumes = spec.find("volumes");
  if (volumes == spec.end() || !volumes->is_array()) return;
  std::set<std::string> dropped;
  Json kept = Json::array();
  for (Json& volume : *volumes) {
    if (drops(volume)) {
      dropped.insert(json::str(volume, "name"));
    } else {
      kept.push_back(volume);
    }
  }
  if (kept.empty()) {
    spec.erase(volumes);
  } else {
    *volumes = std::move(kept);
  }
  dropMounts(spec, dropped, why);
}

}  // namespace

bool isInjectedTokenVolume(const Json& volume, const Json& spec) {
  const std::string name = json::str(volume, "name");
  if (name.starts_with("kube-api-access-") && hasTokenSource(volume)) return true;
  const std::string secret = json::str(volume, {"secret", "secretName"});
  return isTokenSecretName(secret, spec) && mountedOnlyAtTokenPath(name, spec);
}

void dropTokenVolumes(Json& spec, const Reasons& why) {
  dropVolumes(spec, why, [&](Json& volume) {
    const bool injected = isInjectedTokenVolume(volume, spec);
    if (!injected && !hasTokenSource(volume)) return false;
    why.add({"spec.volumes[", json::str(volume, "name"), "]"}, kReason);
    return injected || dropTokenSources(volume);
  });
}

void dropInjectedTokenVolumes(Json& spec, const Reasons& why) {
  dropVolumes(spec, why, [&](const Json& volume) {
    const bool injected = isInjectedTokenVolume(volume, spec);
    if (injected) why.add({"spec.volumes[", json::str(volume, "name"), "]"}, kReason);
    return injected;
  });
}

}  // namespace vkb::bridge
