#pragma once

#include <optional>
#include <string_view>

#include "vkbridge/json.h"

namespace vkb::json {

/// The document as nlohmann's parser would make it, in half the time; nothing where it is not valid
/// or has numbers that only that parser can tell about.
std::optional<Json> fastParse(std::string_view text);

}  // namespace vkb::json
