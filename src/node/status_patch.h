#pragma once

#include <optional>
#include <string>

#include "vkbridge/json.h"
#include "vkbridge/status.h"

namespace vkb::node {

/// The strategic-merge PATCH of pods/status that makes `home_pod` show `desired` (a whole
/// PodStatus), or nothing when it shows it already. Design §6: carries the UID, so it can never hit
/// another pod of that name; conditions that vanished are deleted explicitly, conditions of others
/// stay; IP lists are replaced whole; the phase never goes backwards and a terminal pod is left as
/// it is. `annotations` (string to string, may be null) are set in the same request.
std::optional<Json> podStatusPatch(const Json& home_pod, const Json& desired,
                                   const Json& annotations);

/// Desired status of a home pod whose containers cannot start, for a lasting reason: phase Pending
/// and every container waiting with `why`. Null when the pod runs already (the phase never goes
/// backwards; the event and `status` tell then).
Json waitingStatus(const Json& home_pod, const Status& why);

/// Why a delegate is gone, as far as the target said while it went (condition DisruptionTarget,
/// which home was shown): Evicted, or the target's own word; else DelegateLost.
std::string lostReason(const Json& home_pod);

/// Desired status of a home pod whose delegate is proven gone: Failed, its containers terminated.
Json lostStatus(const Json& home_pod, const std::string& reason, const std::string& message,
                const std::string& now);

/// Desired status while nothing is known: as home shows it, but Ready=False with `reason`.
Json unreachableStatus(const Json& home_pod, const std::string& reason, const std::string& message,
                       const std::string& now);

bool isTerminalPhase(const std::string& phase);

}  // namespace vkb::node
