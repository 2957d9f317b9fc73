#include "bridge/forge.h"

#include <array>
#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "json/json.h"

// What does NOT go over as it is; everything else does, fields unknown to this program included.
// `vk-bridge explain` says of a pod what was changed and why; the words are where the change is.
//
// metadata
//   name, namespace       the place decided once for this home pod UID (place.cpp)
//   labels, annotations   those of the skip list off (forge_skip_list.cpp), ours on; labels are
//                         re-keyed in a namespace shared with others (forge_labels.cpp)
//   ownerReferences       replaced by one controller reference to the Namespace: the adoption guard
//   all the rest          left behind: uid, resourceVersion, generation, generateName, finalizers,
//                         managedFields, creation and deletion times belong to home's object
// spec
//   nodeName, schedulerName, schedulingGates, schedulingGroup, workloadRef, priority,
//   priorityClassName, preemptionPolicy, overhead, readinessGates, serviceAccountName,
//   serviceAccount        forge_spec.cpp. runtimeClassName stays: running without the sandbox that
//                         was asked for would be worse than a refusal
//   nodeSelector, affinity.nodeAffinity, tolerations
//                         chose the virtual node; forge_constraints.cpp says what takes their place
//   affinity.pod*Affinity, topologySpreadConstraints
//                         stay: they speak of pods, and in the target they go on gathering and
//                         spreading delegates; names of labels and namespaces in them follow
//                         (forge_labels.cpp, forge_affinity.cpp)
//   automountServiceAccountToken, enableServiceLinks
//                         false
//   token volumes         off, with their mounts (forge_tokens.cpp)
//   downward API          who the pod is, it reads from our marks (forge_downward.cpp)
//   hostname              home's, also where the delegate's name differs
//   ephemeralContainers   cannot be created with a pod; added to it afterwards
// status                  the target's own

namespace vkb::bridge {
namespace {

constexpr const char* kHomesObject = "it belongs to home's object";

/// Workload controllers leave a pod alone that has a controller already. The Namespace is one that
/// is always there, lives as long as the pod, and nobody's scale-down deletes.
Json adoptionGuard(const ForgeContext& context) {
  return Json::array({{{"apiVersion", "v1"},
                       {"kind", "Namespace"},
                       {"name", context.place.ns},
                       {"uid", context.namespace_uid},
                       {"controller", true}}});
}

/// What an update compares home's containers with.
Json forgedContainers(const Json& spec) {
  Json images = Json::object(), resources = Json::object();
  for (const char* list : {"containers", "initContainers"}) {
    for (const Json& container : json::array(spec, {list})) {
      const std::string name = json::str(container, "name");
      if (name.empty()) continue;
      images[name] = json::str(container, "image");
      const Json& asked = json::object(container, {"resources"});
      if (!asked.empty()) resources[name] = asked;
    }
  }
  Json result = {{"images", std::move(images)}};
  if (!resources.empty()) result["resources"] = std::move(resources);
  return result;
}

Json keysOf(const Json& pairs) {
  Json keys = Json::array();
  for (const auto& pair : pairs.items()) keys.push_back(pair.key());
  return keys;
}

/// Our labels and annotations, over what a user may have put there.
void mark(const char* field, Json& pairs, const Json& marks, const Reasons& why) {
  for (const auto& [key, value] : marks.items()) {
    pairs[key] = value;
    why.add({"metadata.", field, "[", key, "]"}, "a mark of this bridge");
  }
}

Json marksAsLabels(const Json& home_pod, const ForgeContext& context) {
  Json marks = {{kLabelHomeCluster, context.home_id},
                {kLabelNode, context.node},
                {kLabelHomeUid, json::str(home_pod, {"metadata", "uid"})}};
  if (context.pods.namespace_strategy == state::NamespaceStrategy::kSingle) {
    marks[kLabelHomeNamespace] = json::str(home_pod, {"metadata", "namespace"});
  }
  return marks;
}

/// The inputs that a new delegate is made from. It lacks home's ephemeral containers, so a pod that
/// has some is not up to date yet.
std::string hashAtCreation(const Json& home_pod, const ForgeContext& context) {
  if (json::array(home_pod, {"spec", "ephemeralContainers"}).empty()) {
    return inputsHash(home_pod, context.rekey_labels, context.pods);
  }
  Json without = home_pod;
  without["spec"].erase("ephemeralContainers");
  return inputsHash(without, context.rekey_labels, context.pods);
}

Json forgedMetadata(const Json& home_pod, const Json& spec, const ForgeContext& context,
                    const Reasons& why) {
  Json labels = forgedLabels(home_pod, context.rekey_labels, why);
  Json annotations = forgedAnnotations(home_pod, why);
  Json forged_keys = forgedContainers(spec);
  forged_keys["labels"] = keysOf(labels);
  forged_keys["annotations"] = keysOf(annotations);
  // Decided when it is made: a running delegate's labels are not re-keyed later.
  if (context.rekey_labels) forged_keys["rekeyed"] = true;

  mark("labels", labels, marksAsLabels(home_pod, context), why);
  Json marks = identityAnnotations(home_pod);
  marks[kAnnotationHomePod] = json::str(home_pod, {"metadata", "namespace"}) + "/" +
                              json::str(home_pod, {"metadata", "name"});
  marks[kAnnotationInputsHash] = hashAtCreation(home_pod, context);
  if (!context.restarts.empty()) {
    marks[kAnnotationRestartsBefore] =
        Json(context.restarts).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  marks[kAnnotationForgedKeys] = forged_keys.dump(-1, ' ', false, Json::error_handler_t::replace);
  mark("annotations", annotations, marks, why);
  return {{"name", context.place.name},
          {"namespace", context.place.ns},
          {"labels", std::move(labels)},
          {"annotations", std::move(annotations)},
          {"ownerReferences", adoptionGuard(context)}};
}

void explainMetadata(const Json& home_pod, const Json& metadata, const Reasons& why) {
  for (const auto& [field, value] : json::object(home_pod, {"metadata"}).items()) {
    if (!metadata.contains(field)) why.add({"metadata.", field}, kHomesObject);
  }
  for (const char* field : {"name", "namespace"}) {
    if (json::at(home_pod, {"metadata", field}) != metadata[field]) {
      why.add({"metadata.", field}, "decided once by the namespace strategy, and recorded");
    }
  }
  why.add({"metadata.ownerReferences"},
          "the Namespace is its controller, so that no workload controller there takes it over");
}

}  // namespace

Json forge(const Json& home_pod, const ForgeContext& context, const Reasons& why) {
  Json spec = forgedSpec(home_pod, context, why);
  if (spec.erase("ephemeralContainers") > 0) {
    why.add({"spec.ephemeralContainers"}, "a pod cannot be created with them; added right after");
  }
  Json metadata = forgedMetadata(home_pod, spec, context, why);
  explainMetadata(home_pod, metadata, why);
  if (home_pod.is_object() && home_pod.contains("status")) {
    why.add({"status"}, "the target says how the delegate is, and home is told");
  }
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", std::move(metadata)},
          {"spec", std::move(spec)}};
}

}  // namespace vkb::bridge
