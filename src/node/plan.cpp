#include "node/plan.h"

#include "base/protections.h"

namespace vkb::node {
namespace {

using base::Protection;
using base::protects;
using Ownership = ProviderPod::Ownership;
using State = PodRecord::State;

bool mine(const PlanInput& in) { return in.delegate.ownership == Ownership::kMine; }

/// Nothing was ever sent to the provider for this UID, as far as the store knows.
bool neverSent(const PlanInput& in) { return !in.record || *in.record == State::kWaiting; }

bool creating(const PlanInput& in) { return in.record == State::kCreating; }

/// A create that was never answered may still take effect. While the delegate has the name it
/// cannot; so the delegate stays, and home waits, until that time has passed.
bool attemptPending(const PlanInput& in) {
  if (!protects(Protection::kInFlightFence)) return false;
  return in.record && *in.record != State::kWaiting && !in.attempt_expired;
}

Plan deleteDelegate(const PlanInput& in, bool reflect) {
  return {attemptPending(in) ? Action::kWaitForAttempt : Action::kDeleteDelegate, reflect};
}

/// The target cannot be read or written: only what needs neither is left. Of what another bridge
/// serves we know nothing, so we do not speak for it at all; where one may have served until just
/// now, that we made nothing does not tell that there is nothing.
Plan planWithoutTarget(const PlanInput& in) {
  const bool never_made = neverSent(in) && !mine(in);
  const bool speak = in.target != ProviderState::kClaimedElsewhere;
  if (speak && in.alone && in.home == HomePod::kDeleting && never_made) return {Action::kRelease};
  if (in.home == HomePod::kAbsent && never_made) {
    return {in.record ? Action::kForget : Action::kNothing};
  }
  if (in.home == HomePod::kReleased && never_made) return {};
  // One that waits to be made may have run before, and a restored home shows it as it was then.
  const bool known = in.record || mine(in);
  if (speak && in.home == HomePod::kActive && known) return {Action::kMarkUnreachable};
  return {Action::kWait};
}

Plan planActive(const PlanInput& in) {
  if (mine(in)) {
    if (neverSent(in) || creating(in)) return {Action::kAdopt};
    if (in.record == State::kDeleting) {
      // Home came back under a UID that was being cleaned away (a restored etcd): finish that.
      return in.delegate.deleting ? Plan{Action::kReflect, true} : deleteDelegate(in, true);
    }
    if (in.outdated && !in.delegate.deleting && !in.delegate.terminal) {
      return {Action::kUpdate, true};
    }
    return {Action::kReflect, true};
  }
  if (neverSent(in) || creating(in)) {
    switch (in.delegate.ownership) {
      case Ownership::kForeign:
        return {Action::kRefuseTaken};
      case Ownership::kPredecessor:
        if (protects(Protection::kPredecessorWait)) return {Action::kWait};
        break;
      default:
        break;
    }
    return {in.target == ProviderState::kLeaving ? Action::kWait : Action::kCreate};
  }
  // Created or beyond, and not to be seen.
  return {Action::kProveLost, in.delegate.gone_seen};
}

Plan planTerminal(const PlanInput& in) {
  if (mine(in)) {
    if (neverSent(in) || creating(in)) return {Action::kAdopt};
    // Somebody failed the pod at home: its containers must not go on (invariant 4).
    if (!in.delegate.terminal && !in.delegate.deleting) return deleteDelegate(in, false);
    return {in.record == State::kTerminal ? Action::kNothing : Action::kMarkTerminal};
  }
  if (creating(in)) {
    return {in.attempt_expired ? Action::kMarkTerminal : Action::kWaitForAttempt};
  }
  return {in.record == State::kCreated ? Action::kMarkTerminal : Action::kNothing};
}

Plan planDeleting(const PlanInput& in) {
  if (mine(in)) {
    if (neverSent(in) || creating(in)) return {Action::kAdopt};
    const bool ask = !in.delegate.deleting || in.shorter_grace;
    return ask ? deleteDelegate(in, true) : Plan{Action::kReflect, true};
  }
  if (neverSent(in)) return {Action::kRelease};
  if (attemptPending(in)) return {Action::kWaitForAttempt};
  if (in.delegate.gone_seen) return {Action::kRelease, true};
  return {Action::kProveGoneThenRelease};
}

/// Home has let go but for finalizers: the delegate still has to go, home needs nothing more.
Plan planReleased(const PlanInput& in) {
  if (mine(in)) {
    if (neverSent(in) || creating(in)) return {Action::kAdopt};
    return in.delegate.deleting ? Plan{Action::kWait} : deleteDelegate(in, false);
  }
  return {attemptPending(in) ? Action::kWaitForAttempt : Action::kNothing};
}

Plan planAbsent(const PlanInput& in) {
  if (mine(in)) {
    if (neverSent(in) || creating(in)) return {Action::kAdopt};
    if (in.delegate.deleting) return {Action::kWait};
    return {attemptPending(in) ? Action::kWaitForAttempt : Action::kDeleteOrphan};
  }
  if (!in.record) return {};
  if (neverSent(in)) return {Action::kForget};
  if (attemptPending(in)) return {Action::kWaitForAttempt};
  return {in.delegate.gone_seen ? Action::kForget : Action::kProveGoneThenForget};
}

bool isDestructive(Action action) {
  return action == Action::kProveLost || action == Action::kDeleteOrphan ||
         action == Action::kProveGoneThenRelease || action == Action::kProveGoneThenForget;
}

}  // namespace

Plan plan(const PlanInput& in) {
  switch (in.target) {
    case ProviderState::kUnreachable:
    case ProviderState::kCredentialsRejected:
    case ProviderState::kIdentityChanged:
    case ProviderState::kClaimedElsewhere:
      return planWithoutTarget(in);
    default:
      break;
  }
  Plan result;
  switch (in.home) {
    case HomePod::kAbsent:
      result = planAbsent(in);
      break;
    case HomePod::kActive:
      result = planActive(in);
      break;
    case HomePod::kTerminal:
      result = planTerminal(in);
      break;
    case HomePod::kDeleting:
      result = planDeleting(in);
      break;
    case HomePod::kReleased:
      result = planReleased(in);
      break;
  }
  if (in.target == ProviderState::kMassLoss && isDestructive(result.action)) {
    return {Action::kWait};
  }
  return result;
}

const char* toString(Action action) {
  switch (action) {
    case Action::kNothing:
      return "Nothing";
    case Action::kWait:
      return "Wait";
    case Action::kWaitForAttempt:
      return "WaitForAttempt";
    case Action::kMarkUnreachable:
      return "MarkUnreachable";
    case Action::kCreate:
      return "Create";
    case Action::kAdopt:
      return "Adopt";
    case Action::kRefuseTaken:
      return "RefuseTaken";
    case Action::kUpdate:
      return "Update";
    case Action::kReflect:
      return "Reflect";
    case Action::kMarkTerminal:
      return "MarkTerminal";
    case Action::kDeleteDelegate:
      return "DeleteDelegate";
    case Action::kDeleteOrphan:
      return "DeleteOrphan";
    case Action::kProveLost:
      return "ProveLost";
    case Action::kProveGoneThenRelease:
      return "ProveGoneThenRelease";
    case Action::kRelease:
      return "Release";
    case Action::kProveGoneThenForget:
      return "ProveGoneThenForget";
    case Action::kForget:
      return "Forget";
  }
  return "Unknown";
}

}  // namespace vkb::node
