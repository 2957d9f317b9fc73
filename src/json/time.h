#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vkbridge/runtime.h"

namespace vkb::json {

/// metav1.Time: RFC 3339, whole seconds, UTC ("2026-11-22T08:29:24Z").
std::string formatTime(WallTime time);
/// metav1.MicroTime: six decimals always; leases refuse anything else.
std::string formatMicroTime(WallTime time);
/// Either form, any offset. Empty or unreadable: nothing.
std::optional<WallTime> parseTime(std::string_view text);

}  // namespace vkb::json
