#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bridge/forge_reasons.h"
#include "bridge/place.h"
#include "bridge/references.h"
#include "json/object.h"
#include "state/pod_options.h"
#include "vkbridge/json.h"
#include "vkbridge/provider.h"
#include "vkbridge/status.h"

namespace vkb::bridge {

/// What forge needs to know beside the home pod. Everything here is data: forge does no I/O.
struct ForgeContext {
  std::string home_id;  ///< UID of home's kube-system namespace
  std::string node;     ///< virtual node
  PodPlace place;
  std::string namespace_uid;  ///< UID of the target Namespace object: the adoption guard's owner
  bool rekey_labels = false;  ///< place is in a namespace shared with others (design §5)
  state::PodOptions pods{};   ///< what the operator chose at `join`
  /// What the ConfigMaps and Secrets that the pod refers to are called in the target.
  DependencyNames dependencies{};
  std::map<std::string, std::int64_t> restarts{};  ///< restartsAtHome() when it is made; else none
};

/// What home's containers have behind them when a delegate is made: their restarts as home shows
/// them, and one more where they ran, for the delegate that was lost. A pod that never ran: none.
std::map<std::string, std::int64_t> restartsAtHome(const Json& home_pod);

/// May this home pod go over at all, as far as the pod itself tells? Refusals (kNever): DaemonSet
/// and mirror pods and kube-system (NotOffloaded), storage (VolumesNotOffloaded); claims unless the
/// target's own serve them (`use_claims`).
Result<void> admit(const Json& home_pod, bool use_claims = false);

/// The delegate to POST. Everything goes over but a documented list (see forge.cpp). Every
/// difference from home's pod is said to `why`.
Json forge(const Json& home_pod, const ForgeContext& context, const Reasons& why = {});

/// Version and hash of the home-side inputs of forge and update: "1:<16 hex>".
std::string inputsHash(const Json& home_pod, bool rekey_labels, const state::PodOptions& pods = {});

/// Strategic-merge patch that brings a delegate up to the home pod as far as Kubernetes lets pods
/// change by themselves (images by container name, labels, annotations, added tolerations,
/// activeDeadlineSeconds), carries the UID and puts our marks back. Nothing when nothing differs.
/// Without `all_done` something that goes another way (below) is still owed: the delegate is not
/// marked as being up to date.
std::optional<Json> updatePatch(const Json& home_pod, const Json& delegate,
                                const ForgeContext& context, bool all_done = true);

/// Strategic-merge patch for pods/resize: CPU and memory that home changed. Nothing when home's
/// containers have what the delegate was last forged with.
std::optional<Json> resizePatch(const Json& home_pod, const Json& delegate,
                                const ForgeContext& context);

/// Home's ephemeral containers that the delegate has not, as they are to be added through
/// pods/ephemeralcontainers. They can be added only, never changed or taken away.
Json missingEphemeralContainers(const Json& home_pod, const Json& delegate,
                                const ForgeContext& context);

/// Was this delegate made with re-keyed labels? Nothing where forge's note on it was edited away.
std::optional<bool> isRekeyed(const Json& delegate);

/// Whose is this object in the target, seen from home pod `home_uid`? Design §5's four-way table.
ProviderPod::Ownership ownershipOf(const Json& delegate, const std::string& home_id,
                                   const std::string& home_uid, const std::string& recorded_uid);
ProviderPod::Ownership ownershipOf(const json::Object& delegate, const std::string& home_id,
                                   const std::string& home_uid, const std::string& recorded_uid);

}  // namespace vkb::bridge
