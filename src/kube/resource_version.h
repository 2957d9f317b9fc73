#pragma once

#include <compare>
#include <optional>
#include <string_view>

namespace vkb::kube {

/// Orders two resourceVersions of one cluster. Nothing when one is not a plain decimal number: then
/// they cannot be compared (KEP-5504 makes the numeric form a rule; all known servers follow it).
std::optional<std::strong_ordering> compareResourceVersions(std::string_view a, std::string_view b);

}  // namespace vkb::kube
