#pragma once

#include "vkbridge/json.h"

namespace vkb::bridge {

/// status.conditions that home should show for a delegate; the rules are in reflect.h.
/// Never among them: PodScheduled (home's own scheduler said it) and home's readiness gates (others
/// set them in home). Times are the delegate's.
Json reflectConditions(const Json& home_pod, const Json& delegate);

}  // namespace vkb::bridge
