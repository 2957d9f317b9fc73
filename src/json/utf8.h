#pragma once

#include <string_view>

namespace vkb::json {

/// JSON text is UTF-8. Strings from elsewhere (files, plugins, environment) may be anything, and
/// nlohmann's dump() throws on what is not UTF-8: they are asked about here where they come in.
bool isUtf8(std::string_view text);

}  // namespace vkb::json
