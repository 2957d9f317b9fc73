#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "vkbridge/json.h"
#include "vkbridge/pod_record.h"
#include "vkbridge/status.h"

namespace vkb {

/// Where a provider puts a pod. Decided once per home pod UID and then recorded.
struct PodPlace {
  std::string ns, name;
};

/// What a provider has under one home pod's place or UID.
struct ProviderPod {
  enum class Ownership {
    kAbsent,
    kMine,         ///< made for exactly this home pod UID
    kPredecessor,  ///< made by us for another home pod UID that had the same name
    kForeign,      ///< somebody else's; never adopted, changed or deleted
  };
  Ownership ownership = Ownership::kAbsent;
  PodPlace place{};
  std::string uid{};       ///< provider-side UID
  std::string home_uid{};  ///< home pod UID it was made for (mine, predecessor)
  std::string home_ns{}, home_name{};
  std::string inputs_hash{};  ///< what it was last made from or updated to
  bool deleting = false;      ///< being deleted on the provider's side
  bool terminal = false;      ///< Succeeded or Failed
  bool repair = false;        ///< our marks on it were edited away: update puts them back
  std::optional<std::int64_t> grace_seconds{};  ///< deletionGracePeriodSeconds, while deleting
  /// Absent, and its orderly end was seen: DELETED of the recorded UID after a deletionTimestamp.
  /// Anything else that looks absent needs getPod() before it decides something.
  bool gone_seen = false;
  TimePoint observed{};  ///< when this process learned of the version held
};

/// Can the provider act at all just now? One of these applies to a whole virtual node.
enum class ProviderState {
  kReady,
  kUnreachable,  ///< nothing is known to be true there any more; nothing can be written
  kClaimedElsewhere,
  kIdentityChanged,  ///< another cluster answers; nothing is written to either side
  kLeaving,          ///< no new pods
  kMassLoss,         ///< the brake is on: nothing destructive
};
const char* toString(ProviderState state);

/// The methods of virtual-kubelet's Go interface of this name, made safe for crashes and lost
/// answers: every call names the home pod by UID through its record, and reads say what kind of
/// truth they give. The pod controller never runs two calls for one UID at once; calls for
/// different UIDs come concurrently from executor threads and may block on I/O.
/// Pods handed in and out are values or const references: a provider keeps no reference to them.
/// Errors: Status::retry decides what happens next; `kNever` shows as a refusal on the home pod.
class PodLifecycleHandler {
 public:
  virtual ~PodLifecycleHandler() = default;

  /// Pure decision, no I/O to speak of: where would this pod go, or why is it refused (kNever, or
  /// kSlow for a wait with a reason such as a missing dependency)? Called before anything is made.
  virtual Result<PodPlace> placePod(const Json& pod) = 0;

  /// Hash of everything in the home pod (and the provider's options) that the provider's pod is
  /// made from. Differs from the record's: updatePod is called. Pure.
  virtual std::string inputsHash(const Json& pod) = 0;

  /// Makes the pod at record.place. Must be idempotent: where it exists already and is mine, that
  /// one is returned. A predecessor there: Status reason "PredecessorExists", kFast. Foreign:
  /// reason "NameTaken", kNever. `Status::isUnanswered()` means "may have taken effect".
  virtual Result<ProviderPod> createPod(const Json& pod, const PodRecord& record) = 0;

  /// Brings the provider's pod up to the home pod as far as Kubernetes lets pods change.
  virtual Result<void> updatePod(const Json& pod, const PodRecord& record) = 0;

  /// Asks for deletion of exactly record.provider_uid. Returns when the request was taken, not when
  /// the pod is gone. Already gone is success. Without `grace_seconds`: the pod's own.
  virtual Result<void> deletePod(const PodRecord& record,
                                 std::optional<std::int64_t> grace_seconds) = 0;

  /// From cache, never blocks. `record` may be null when the home pod has none yet.
  virtual ProviderPod peekPod(const Json* pod, const std::string& home_uid,
                              const PodRecord* record) = 0;

  /// A read that proves: it asks the source of truth by name. Absent here means absent.
  virtual Result<ProviderPod> getPod(const PodRecord& record) = 0;

  /// The `status` that home should show for this pod, from cache: everything the provider knows,
  /// nothing it does not. Called for a pod that peekPod says is mine, and for the last words of one
  /// whose end was seen (gone_seen).
  virtual Result<Json> getPodStatus(const Json& pod, const PodRecord& record) = 0;

  /// Everything this provider holds for the virtual node, from cache; called at start and for
  /// garbage collection.
  virtual std::vector<ProviderPod> getPods() = 0;

  /// The core needs nothing about this pod any more; what was kept for it may go.
  virtual void forgetPod(const PodRecord& record) = 0;

  /// For people: node in the provider that runs the pod; empty when unknown.
  virtual std::string podNode(const PodRecord& record) = 0;
};

/// How a provider says that something changed. Upstream's NotifyPods, but by key: the controller
/// reads what it needs when it gets to it, so lost, doubled and reordered calls cannot hurt.
class PodNotifier {
 public:
  virtual ~PodNotifier() = default;
  /// `changed` takes the home pod UID, never blocks, may be called from any thread.
  /// Registered once, before the pod controller starts.
  virtual void notifyPods(std::function<void(const std::string& home_uid)> changed) = 0;
};

/// What stands behind a virtual node, as the node controller sees it.
class NodeProvider {
 public:
  virtual ~NodeProvider() = default;
  /// Light liveness check of the provider; may block up to its own deadline; never called twice at
  /// once. Any error counts as one failed ping.
  virtual Result<void> ping() = 0;
  /// Desired node: metadata.labels, spec.taints and status (capacity, allocatable, nodeInfo,
  /// addresses); from cache, never blocks. Conditions Ready and TargetReachable are the
  /// controller's and are not read from here.
  virtual Json node() = 0;
  /// `changed`: node() would give something else; coalesced by the controller.
  virtual void notifyNode(std::function<void()> changed) = 0;
};

}  // namespace vkb
