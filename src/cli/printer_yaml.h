#pragma once

#include <string>

#include "vkbridge/json.h"

namespace vkb::cli {

/// Block-style YAML of a JSON value, as `kubectl -o yaml` prints it; ends with a line break.
/// Strings that a YAML 1.1 or 1.2 reader would take for a number, a boolean, a time or null are
/// quoted.
std::string toYaml(const Json& value);

}  // namespace vkb::cli
