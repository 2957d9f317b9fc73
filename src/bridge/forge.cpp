#include "bridge/forge.h"

#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "json/json.h"

// What does NOT go over as it is; everything else does, fields unknown to this program included.
//
// metadata
//   name, namespace       the place decided once for this home pod UID
//   labels                user-supplied vk-bridge.io/ keys off, ours on; re-keyed in a namespace
//                         shared with others (forge_labels.cpp)
//   annotations           user-supplied vk-bridge.io/ keys and a skip list off, ours on
//                         (forge_annotations.cpp)
//   ownerReferences       replaced by one controller reference to the Namespace: the adoption guard
//   all the rest          left behind: uid, resourceVersion, generation, generateName, finalizers,
//                         managedFields, creation and deletion times belong to home's object
// spec                    (forge_spec.cpp, forge_tokens.cpp)
//   nodeName, nodeSelector, affinity.nodeAffinity, tolerations
//                         chose the virtual node; the target's scheduler chooses among its own.
//                         Pod affinity, anti-affinity and topology spread stay: they speak of pods,
//                         and in the target they go on spreading and gathering delegates
//   schedulerName, schedulingGates, priority, priorityClassName, preemptionPolicy
//                         name things of home's scheduling
//   overhead              the target's own RuntimeClass sets it. runtimeClassName stays: running
//                         without the sandbox that was asked for would be worse than a refusal
//   readinessGates        their conditions are set in home, where they are evaluated
//   serviceAccountName, serviceAccount, automountServiceAccountToken, token volumes and mounts
//                         a delegate has no identity in the target
//   enableServiceLinks    false: Services do not cross
//   ephemeralContainers   cannot be created with a pod
//   hostname              home's, also where the delegate's name differs
// status                  the target's own

namespace vkb::bridge {
namespace {

/// Workload controllers leave a pod alone that has a controller already. The Namespace is one that
/// is always there, lives as long as the pod, and nobody's scale-down deletes.
Json adoptionGuard(const ForgeContext& context) {
  return Json::array({{{"apiVersion", "v1"},
                       {"kind", "Namespace"},
                       {"name", context.place.ns},
                       {"uid", context.namespace_uid},
                       {"controller", true}}});
}

Json imagesByContainer(const Json& spec) {
  Json images = Json::object();
  forEachContainer(spec, [&](const Json& container) {
    const std::string name = json::str(container, "name");
    if (!name.empty()) images[name] = json::str(container, "image");
  });
  return images;
}

Json keysOf(const Json& pairs) {
  Json keys = Json::array();
  for (const auto& pair : pairs.items()) keys.push_back(pair.key());
  return keys;
}

}  // namespace

PodPlace choosePlace(const Json& home_pod) {
  return {json::str(home_pod, {"metadata", "namespace"}),
          json::str(home_pod, {"metadata", "name"})};
}

Json forge(const Json& home_pod, const ForgeContext& context) {
  Json labels = forgedLabels(home_pod, context.rekey_labels);
  Json annotations = forgedAnnotations(home_pod);
  Json spec = json::object(home_pod, {"spec"});
  forgeSpec(spec, home_pod, context);
  Json forged_keys = {{"labels", keysOf(labels)},
                      {"annotations", keysOf(annotations)},
                      {"images", imagesByContainer(spec)}};
  // Decided when it is made: a running delegate's labels are not re-keyed later.
  if (context.rekey_labels) forged_keys["rekeyed"] = true;

  labels[kLabelHomeCluster] = context.home_id;
  labels[kLabelNode] = context.node;
  labels[kLabelHomeUid] = json::str(home_pod, {"metadata", "uid"});
  annotations[kAnnotationHomePod] = json::str(home_pod, {"metadata", "namespace"}) + "/" +
                                    json::str(home_pod, {"metadata", "name"});
  annotations[kAnnotationInputsHash] = inputsHash(home_pod, context.rekey_labels);
  annotations[kAnnotationForgedKeys] = forged_keys.dump();

  Json metadata = {{"name", context.place.name},
                   {"namespace", context.place.ns},
                   {"labels", std::move(labels)},
                   {"annotations", std::move(annotations)},
                   {"ownerReferences", adoptionGuard(context)}};
  return {{"apiVersion", "v1"},
          {"kind", "Pod"},
          {"metadata", std::move(metadata)},
          {"spec", std::move(spec)}};
}

}  // namespace vkb::bridge
