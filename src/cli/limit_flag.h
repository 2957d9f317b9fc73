#pragma once

#include <map>
#include <string>
#include <vector>

#include "vkbridge/status.h"

namespace vkb::cli {

/// `join --limit`: resource=quantity, each once. Empty texts are left out. The error is a sentence
/// that says what it should look like.
Result<std::map<std::string, std::string>> parseLimits(const std::vector<std::string>& texts);

}  // namespace vkb::cli
