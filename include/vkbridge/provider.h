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
  kUnreachable,          ///< nothing is known to be true there any more; nothing can be written
  kCredentialsRejected,  ///< the same: it answers, but not to us (401, 403)
  kClaimedElsewhere,     ///< another bridge serves this node there; we write to neither side
  kIdentityChanged,      ///< another cluster answers: nothing is sent there; home shows NotReady
  kLeaving,              ///< no new pods
  kMassLoss,             ///< the brake is on: nothing destructive
};
const char* toString(ProviderState state);

/// Virtual-kubelet's Go interface of this name, made safe for crashes and lost answers: each call
/// names the home pod by the UID in its record. create, update, delete and getPod come on executor
/// threads, may block on I/O and run at once for different UIDs, never for one; the others answer
/// from memory, at any time, from any thread. References end with the call; results are copies.
/// Errors (made by vkbridge/errors.h): Status::retry says when the same is asked again, for ever;
/// kNever: when inputsHash changes. A lasting one becomes an event and shows on the home pod.
class PodLifecycleHandler {
 public:
  virtual ~PodLifecycleHandler() = default;

  /// A decision without I/O: where would this pod go, or why is it refused (kNever, or kSlow for a
  /// wait with a reason such as a missing dependency)? Asked before the first create; recorded.
  virtual Result<PodPlace> placePod(const Json& pod) = 0;

  /// Hash of everything in the home pod (and the provider's options) that the provider's pod is
  /// made from. Differs from the record's: updatePod is called. Pure; cannot fail.
  virtual std::string inputsHash(const Json& pod) = 0;

  /// Makes the pod at record.place. Must be idempotent: where it exists already and is mine, that
  /// one is returned. A predecessor there: Status reason "PredecessorExists", kFast. Foreign:
  /// reason "NameTaken", kNever. `Status::isUnanswered()` means "may have taken effect".
  virtual Result<ProviderPod> createPod(const Json& pod, const PodRecord& record) = 0;

  /// Brings it up to the home pod as far as pods may change; on error it runs on as it is.
  virtual Result<void> updatePod(const Json& pod, const PodRecord& record) = 0;

  /// Asks for deletion of exactly record.provider_uid and returns when that was taken, not when it
  /// is gone. Gone already is success; on error home waits. Without `grace_seconds`: the pod's own.
  virtual Result<void> deletePod(const PodRecord& record,
                                 std::optional<std::int64_t> grace_seconds) = 0;

  /// From cache, never blocks, cannot fail: unknown is absent. No record yet: `record` is null.
  /// `pod` is null where home has none or let go of it; see also readsPodsWhole().
  virtual ProviderPod peekPod(const Json* pod, const std::string& home_uid,
                              const PodRecord* record) = 0;

  /// A number that differs whenever peekPod or getPodStatus may say something else about the pod
  /// made for this home UID, so that nothing is looked at twice; 0: not known, it is always looked
  /// at. From memory, cheap, any thread.
  virtual std::uint64_t podVersion(const std::string& /*home_uid*/) { return 0; }

  /// A read that proves: asks the source of truth by name. Absent is absent; an error is no proof.
  virtual Result<ProviderPod> getPod(const PodRecord& record) = 0;

  /// The `status` that home should show for this pod, from cache: all the provider knows, nothing
  /// it does not. Asked for a pod that peekPod says is mine, and for the last words of one whose
  /// end was seen (gone_seen). `record.inputs_hash` is empty where `pod` asks for something else
  /// than what the provider's pod was last made from. On error home keeps what it shows.
  virtual Result<Json> getPodStatus(const Json& pod, const PodRecord& record) = 0;

  /// False: of a pod that was made, peekPod needs no `pod` and may be given null, and getPodStatus
  /// can do without what no status speaks of, the most of a pod, and is given `pod` without it:
  /// spec.volumes, and of containers env, envFrom, volumeMounts, volumeDevices, command, args,
  /// probes and lifecycle. Constant, any thread.
  virtual bool readsPodsWhole() const { return true; }

  /// Everything this provider holds for the virtual node, from cache; asked at start, after every
  /// change of the ProviderState and for garbage collection.
  virtual std::vector<ProviderPod> getPods() = 0;

  /// The core needs nothing about this pod any more; what was kept for it may go. Never blocks.
  virtual void forgetPod(const PodRecord& record) = 0;

  /// For people: node in the provider that runs the pod; empty when unknown.
  virtual std::string podNode(const PodRecord& record) = 0;
};

/// How a provider says that something changed. Upstream's NotifyPods by key: the controller reads
/// what it needs when its turn comes, so doubled and reordered calls cannot hurt.
class PodNotifier {
 public:
  virtual ~PodNotifier() = default;
  /// `changed` takes the home pod UID, never blocks or fails, may be called from any thread and
  /// under locks. Registered once, before the pod controller starts; outlives the controller.
  virtual void notifyPods(std::function<void(const std::string& home_uid)> changed) = 0;
};

/// What stands behind a virtual node, as the node controller sees it.
class NodeProvider {
 public:
  virtual ~NodeProvider() = default;
  /// Light liveness check of the provider; may block up to its own deadline; never called twice at
  /// once. Any error, whatever its Retry, counts as one failed ping; its message is shown.
  virtual Result<void> ping() = 0;
  /// Desired node: metadata.labels, spec.taints and status (capacity, allocatable, nodeInfo,
  /// addresses); from cache, never blocks. Conditions Ready and TargetReachable are the
  /// controller's and are not read from here.
  virtual Json node() = 0;
  /// `changed`: node() would give something else; coalesced; never blocks, any thread.
  virtual void notifyNode(std::function<void()> changed) = 0;
};

}  // namespace vkb
