#pragma once

#include <nlohmann/json_fwd.hpp>

namespace vkb {

/// Kubernetes objects are untyped JSON everywhere, so that fields newer than this program pass
/// through untouched. Include <nlohmann/json.hpp> where values are made or read, not in headers.
using Json = nlohmann::json;

}  // namespace vkb
