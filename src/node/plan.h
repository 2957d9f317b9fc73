#pragma once

#include <optional>

#include "vkbridge/pod_record.h"
#include "vkbridge/provider.h"

namespace vkb::node {

/// The home pod object as the home cache shows it.
enum class HomePod {
  kAbsent,
  kActive,    ///< neither terminal nor being deleted
  kTerminal,  ///< Succeeded or Failed, not being deleted
  kDeleting,  ///< deletionTimestamp is set, deletionGracePeriodSeconds > 0
  kReleased,  ///< being deleted with grace 0 and still there: only finalizers keep it
};

/// Everything that decides what to do about one home pod UID (design §6).
struct PlanInput {
  HomePod home = HomePod::kAbsent;
  /// PodRecord::State::kWaiting counts as none: nothing was ever sent.
  std::optional<PodRecord::State> record{};
  /// No create attempt without an answer can take effect any more.
  bool attempt_expired = false;
  ProviderPod delegate{};      ///< from cache
  bool outdated = false;       ///< mine, and made from other inputs than home's present ones
  bool shorter_grace = false;  ///< home's remaining grace is shorter than the delegate's
  ProviderState target = ProviderState::kReady;
  bool alone = true;  ///< no other bridge can have made a delegate that we have not seen
};

enum class Action {
  kNothing,
  kWait,             ///< for the target, or a predecessor: whoever changes it wakes this key
  kWaitForAttempt,   ///< until the last create attempt can no longer take effect
  kMarkUnreachable,  ///< home: Ready=False
  kCreate,
  kAdopt,        ///< write down the delegate that is ours
  kRefuseTaken,  ///< a foreign object has the name
  kUpdate,
  kReflect,
  kMarkTerminal,          ///< home is terminal and no delegate runs: write that down
  kDeleteDelegate,        ///< with home's grace where home is deleting, else the delegate's own
  kDeleteOrphan,          ///< the same, after proof that the home pod is gone
  kProveLost,             ///< GET the delegate; if it is gone, home failed
  kProveGoneThenRelease,  ///< GET the delegate; if it is gone, remove the home object
  kRelease,               ///< remove the home object: gone, or never made
  kProveGoneThenForget,   ///< GET the delegate; if it is gone, drop the record
  kForget,
};
const char* toString(Action action);

/// What to do next, and whether home should be told the delegate's status as well.
struct Plan {
  Action action = Action::kNothing;
  bool reflect = false;
  bool operator==(const Plan&) const = default;
};

/// Pure. Acting on the result and asking again converges; every destructive action is one that
/// either carries its proof or fetches it (design invariant 10).
Plan plan(const PlanInput& in);

}  // namespace vkb::node
