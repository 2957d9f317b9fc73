#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "json/fast_parse.h"
#include "json/object.h"

namespace vkb::json {

// For whoever wants little of an object: neither looks at more than it has to.

/// The DOM of one member of the object; null where there is none.
Json parsePart(const Object& object, std::string_view member);

/// The DOM of the object without those parts, which cost next to nothing then.
Json parseWithout(const Object& object, const Without& without);

/// The DOM of the value at that path; null where there is none.
Json parseAt(const Object& object, std::initializer_list<std::string_view> path);

/// The string at that path, as str() would find it in the DOM; "" where there is none.
std::string str(const Object& object, std::initializer_list<std::string_view> path);

/// The integer at that path, as integer() would find it in the DOM.
std::optional<std::int64_t> integer(const Object& object,
                                    std::initializer_list<std::string_view> path);

}  // namespace vkb::json
