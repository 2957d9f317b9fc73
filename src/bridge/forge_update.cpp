#include <algorithm>
#include <nlohmann/json.hpp>

#include "bridge/forge.h"
#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "json/json.h"
#include "json/object_parts.h"

namespace vkb::bridge {
namespace {

/// Sets what differs, deletes what we forged once and home has no more, leaves what others added.
Json pairsPatch(const Json& wanted, const Json& there, const Json& forged_keys) {
  Json patch = Json::object();
  for (const auto& [key, value] : wanted.items()) {
    if (json::at(there, key) != value) patch[key] = value;
  }
  if (!forged_keys.is_array()) return patch;
  for (const Json& key : forged_keys) {
    if (!key.is_string()) continue;
    const std::string name = key.get<std::string>();
    if (!wanted.contains(name) && there.contains(name)) patch[name] = nullptr;
  }
  return patch;
}

/// Images by container name, three-way: one that home did not change is left as the target has it
/// (a webhook there may have pointed it at a mirror registry).
Json imagesPatch(const Json& wanted, const Json& there, const Json& forged_images) {
  Json patch = Json::array();
  if (!wanted.is_array()) return patch;
  for (const Json& container : wanted) {
    const std::string name = json::str(container, "name");
    const Json* const current = json::findBy(there, "name", name);
    const Json& image = json::at(container, "image");
    if (current == nullptr || !image.is_string() || json::at(*current, "image") == image) continue;
    if (json::at(forged_images, name) == image) continue;
    patch.push_back({{"name", name}, {"image", image}});
  }
  return patch;
}

/// Tolerations can be added to a running pod, never taken away; the list is replaced as a whole.
Json tolerationsPatch(const Json& wanted, const Json& there) {
  Json result = there;
  for (const Json& toleration : wanted) {
    if (std::find(there.begin(), there.end(), toleration) == there.end()) {
      result.push_back(toleration);
    }
  }
  return result.size() == there.size() ? Json() : result;
}

Json specPatch(const Json& wanted, const Json& there, const Json& forged) {
  Json patch = Json::object();
  for (const char* list : {"containers", "initContainers"}) {
    Json images =
        imagesPatch(json::at(wanted, list), json::at(there, list), json::at(forged, "images"));
    if (!images.empty()) patch[list] = std::move(images);
  }
  // A deadline can be set or brought forward, not lifted or put off.
  const auto deadline = json::integer(wanted, {"activeDeadlineSeconds"});
  const auto current = json::integer(there, {"activeDeadlineSeconds"});
  if (deadline && (!current || *deadline < *current)) patch["activeDeadlineSeconds"] = *deadline;
  Json tolerations =
      tolerationsPatch(json::array(wanted, {"tolerations"}), json::array(there, {"tolerations"}));
  if (!tolerations.is_null()) patch["tolerations"] = std::move(tolerations);
  return patch;
}

/// The adoption guard put back, unless a controller has taken the pod meanwhile: two controllers
/// are refused by the API server.
Json ownerPatch(const Json& wanted, const Json& there, const std::string& namespace_uid) {
  if (namespace_uid.empty() || json::findBy(there, "uid", namespace_uid) != nullptr) return {};
  const bool controlled = std::any_of(there.begin(), there.end(), [](const Json& owner) {
    return json::boolean(owner, {"controller"});
  });
  return controlled ? Json() : wanted;
}

/// A new delegate lacks home's ephemeral containers; one that was updated has them.
void markUpToDate(Json& wanted, const Json& home_pod, const ForgeContext& context) {
  wanted["metadata"]["annotations"][kAnnotationInputsHash] =
      inputsHash(home_pod, context.rekey_labels, context.pods);
}

/// As it was: the hash, so that the rest is tried again, and the resources that it still has.
void leaveOwed(Json& wanted, const Json& delegate, const Json& forged) {
  Json& annotations = wanted["metadata"]["annotations"];
  const Json& hash = json::at(delegate, {"metadata", "annotations", kAnnotationInputsHash});
  if (hash.is_null()) {
    annotations.erase(kAnnotationInputsHash);
  } else {
    annotations[kAnnotationInputsHash] = hash;
  }
  Json keys = json::parse(annotations[kAnnotationForgedKeys].get<std::string>()).value_or(Json());
  keys.erase("resources");
  if (forged.contains("resources")) keys["resources"] = forged["resources"];
  annotations[kAnnotationForgedKeys] = keys.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::optional<Json> updatePatch(const Json& home_pod, const Json& delegate,
                                const ForgeContext& context, bool all_done) {
  Json wanted = forge(home_pod, context);
  const Json forged = lastForged(delegate);
  all_done ? markUpToDate(wanted, home_pod, context) : leaveOwed(wanted, delegate, forged);
  Json metadata = Json::object();
  for (const char* field : {"labels", "annotations"}) {
    Json pairs = pairsPatch(wanted["metadata"][field], json::object(delegate, {"metadata", field}),
                            json::at(forged, field));
    if (!pairs.empty()) metadata[field] = std::move(pairs);
  }
  Json owners =
      ownerPatch(wanted["metadata"]["ownerReferences"],
                 json::array(delegate, {"metadata", "ownerReferences"}), context.namespace_uid);
  if (!owners.is_null()) metadata["ownerReferences"] = std::move(owners);

  Json spec = specPatch(wanted["spec"], json::at(delegate, "spec"), forged);
  if (metadata.empty() && spec.empty()) return std::nullopt;
  // With the UID a delegate that was replaced under its name meanwhile is not touched.
  metadata["uid"] = json::str(delegate, {"metadata", "uid"});
  Json patch = {{"metadata", std::move(metadata)}};
  if (!spec.empty()) patch["spec"] = std::move(spec);
  return patch;
}

namespace {

template <typename Pod>
ProviderPod::Ownership ownership(const Pod& delegate, const std::string& home_id,
                                 const std::string& home_uid, const std::string& recorded_uid) {
  using Ownership = ProviderPod::Ownership;
  const std::string uid = json::str(delegate, {"metadata", "uid"});
  if (uid.empty()) return Ownership::kAbsent;
  // The record is proof of its own: labels can be edited in the target, a UID cannot.
  if (uid == recorded_uid) return Ownership::kMine;
  const std::string their_home_uid = json::str(delegate, {"metadata", "labels", kLabelHomeUid});
  if (home_id.empty() || their_home_uid.empty() ||
      json::str(delegate, {"metadata", "labels", kLabelHomeCluster}) != home_id) {
    return Ownership::kForeign;
  }
  return their_home_uid == home_uid ? Ownership::kMine : Ownership::kPredecessor;
}

}  // namespace

ProviderPod::Ownership ownershipOf(const Json& delegate, const std::string& home_id,
                                   const std::string& home_uid, const std::string& recorded_uid) {
  return ownership(delegate, home_id, home_uid, recorded_uid);
}

ProviderPod::Ownership ownershipOf(const json::Object& delegate, const std::string& home_id,
                                   const std::string& home_uid, const std::string& recorded_uid) {
  return ownership(delegate, home_id, home_uid, recorded_uid);
}

}  // namespace vkb::bridge
