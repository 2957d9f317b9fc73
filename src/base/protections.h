#pragma once

namespace vkb::base {

/// What stands between a fault and a broken invariant (design §4). The simulator proves that each
/// is needed: a test binary of its own switches one off at a time and must then find a violation.
enum class Protection {
  kDurableRecordFirst,    ///< the record is on disk before the request that it tells of
  kUidOnDelete,           ///< a DELETE names the UID it means
  kUidInStatusPatch,      ///< so does a status PATCH
  kOwnershipFirst,        ///< a pod that is there is adopted only if it is ours
  kPredecessorWait,       ///< an earlier pod's delegate of the same name is waited for
  kTerminalGuard,         ///< Succeeded and Failed are final
  kProofBeforeLost,       ///< quorum GET of the delegate before its home pod fails as lost
  kProofBeforeOrphan,     ///< quorum GET of the home pod before its delegate goes as an orphan
  kRelistDiff,            ///< what a new list no longer has, is told as gone
  kInFlightFence,         ///< a create without an answer may still arrive
  kIdentityRecheck,       ///< a broken connection may lead to another cluster
  kClaim,                 ///< only one installation serves a node of a target
  kMassLossBrake,         ///< too many losses at once are not believed
  kRecreateOnlyIfAlways,  ///< only containers that restart anyway are made again
};

#ifdef VKB_MUTABLE_PROTECTIONS
/// Defined by that test alone.
bool protects(Protection protection);
#else
/// Never a choice at run time: nothing of it is in a program that is shipped.
consteval bool protects(Protection) { return true; }
#endif

}  // namespace vkb::base
