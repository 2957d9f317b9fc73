#include <nlohmann/json.hpp>

#include "bridge/names.h"
#include "bridge/target_provider.h"
#include "json/json.h"
#include "kube/features.h"
#include "vkbridge/errors.h"

// TargetProvider's parts that compare a pod with what the target has for it.
namespace vkb::bridge {

Result<void> TargetProvider::checkClaims(const Json& pod, const std::string& ns) {
  for (const Json& volume : json::array(pod, {"spec", "volumes"})) {
    const std::string name = json::str(volume, {"persistentVolumeClaim", "claimName"});
    if (name.empty()) continue;
    const auto claim = deps_.target.get(kube::kPersistentVolumeClaims, ns, name);
    if (!claim) return failure(claim.error());
    if (*claim) continue;
    return failure(errors::waiting("the pod waits for PersistentVolumeClaim " + ns + "/" + name +
                                       " (volume \"" + json::str(volume, "name") +
                                       "\"): there is none in the target; make it there",
                                   kReasonVolumesNotOffloaded));
  }
  return {};
}

Status TargetProvider::explained(Status status, const Json& pod, const PodPlace& place) const {
  const state::PodOptions& options = options_.cluster.pods;
  const bool named = options.service_accounts == state::ServiceAccounts::kTarget;
  const std::string account = json::str(pod, {"spec", "serviceAccountName"});
  const std::string quoted = "\"" + account + "\" not found";
  if (!named || status.code != 403 || account.empty() || account == "default" ||
      status.message.find("serviceaccount " + quoted) == std::string::npos) {
    return status;
  }
  return errors::waiting("the pod waits for service account " + place.ns + "/" + account +
                             ": there is none in the target, and it was joined with "
                             "--service-accounts=target; make it there",
                         kReasonDependencyMissing);
}

Result<void> TargetProvider::updatePod(const Json& pod, const PodRecord& record) {
  const auto delegate = find(record);
  if (!delegate || delegate->gone) return {};
  // It is there already: whether pods may still go there is no question. Without a UID the adoption
  // guard stays as it is.
  auto ns = namespaces_.read(record.place_ns);
  if (!ns) return failure(ns.error());
  const std::string namespace_uid = *ns ? json::str(**ns, {"metadata", "uid"}) : "";
  const PodPlace place{record.place_ns, record.place_name};
  const bool rekey = rekeysLabels(record.uid, record.provider_uid, place);
  ForgeContext context = forgeContext(record, namespace_uid, rekey);
  const auto read = deps_.target.get(kube::kPods, place.ns, place.name);
  if (!read) return failure(read.error());
  // Gone meanwhile, or another: its watch tells.
  if (!*read || json::str(**read, {"metadata", "uid"}) != delegate->pod->uid) return {};
  const Json& there = **read;
  const Result<void> contained = updateContainers(pod, there, context);
  if (const auto patch = updatePatch(pod, there, context, contained.has_value())) {
    auto answer = deps_.target.patch(kube::kPods, place.ns, place.name,
                                     kube::PatchType::kStrategicMerge, *patch);
    if (!answer && !answer.error().isNotFound()) return failure(answer.error());
  }
  return contained;
}

/// Rare enough that what the server offers is asked each time: an upgrade may change it.
Result<void> TargetProvider::updateContainers(const Json& pod, const Json& delegate,
                                              ForgeContext& context) {
  const PodPlace& place = context.place;
  const auto resize = resizePatch(pod, delegate, context);
  Json missing = missingEphemeralContainers(pod, delegate, context);
  if (!resize && missing.empty()) return {};
  if (!missing.empty()) {
    const auto wanted = dependencies_.look(pod, true);
    if (!wanted) return failure(wanted.error());
    auto names = dependencies_.provide(pod, place, *wanted, true);
    if (!names) return failure(names.error());
    context.dependencies = std::move(*names);
    missing = missingEphemeralContainers(pod, delegate, context);
  }
  const auto features = kube::readServerFeatures(deps_.target);
  if (!features) return failure(features.error());
  Result<void> result;
  const auto settle = [&](const Result<json::ObjectPtr>& answer) {
    if (answer || answer.error().isNotFound()) return;  // gone: its watch tells
    Status status = answer.error();
    if (status.reason == "NotSupported") {
      status.reason = kReasonDelegateRefused;
      status.message = "the target: " + status.message;
    }
    result = failure(std::move(status));
  };
  if (resize) settle(kube::resizePod(deps_.target, *features, place.ns, place.name, *resize));
  if (!missing.empty()) {
    settle(kube::addEphemeralContainers(deps_.target, *features, place.ns, place.name, missing,
                                        json::str(delegate, {"metadata", "uid"})));
  }
  return result;
}

}  // namespace vkb::bridge
