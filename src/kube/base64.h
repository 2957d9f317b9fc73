#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vkb::kube {

std::string base64Encode(std::string_view bytes);

/// Standard alphabet; white space is skipped, as kubectl does. Nothing when it is not base64.
std::optional<std::string> base64Decode(std::string_view text);

}  // namespace vkb::kube
