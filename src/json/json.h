#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "vkbridge/json.h"
#include "vkbridge/status.h"

namespace vkb::json {

/// Null-safe access: a missing or wrongly typed field is a null, an empty string, a zero, never a
/// crash or an exception. Paths are object keys, one argument each ({"metadata", "labels"}).
using Path = std::initializer_list<std::string_view>;

/// The value at `path`, or a static null.
const Json& at(const Json& value, Path path);
const Json& at(const Json& value, std::string_view key);
/// The string there, or "".
std::string str(const Json& value, Path path);
std::string str(const Json& value, std::string_view key);
std::optional<std::int64_t> integer(const Json& value, Path path);
bool boolean(const Json& value, Path path, bool fallback = false);
/// The array there, or a static empty array: safe to iterate.
const Json& array(const Json& value, Path path);
/// The object there, or a static empty object: safe to iterate with items().
const Json& object(const Json& value, Path path);
/// The entry of a list whose `key` field equals `value`, or null pointer.
const Json* findBy(const Json& list, std::string_view key, std::string_view value);

/// Parses without exceptions. The message names the byte, never the content (it may be secret).
Result<Json> parse(std::string_view text);

/// Labels as a selector matches: true if every pair of `wanted` is in `labels`.
bool hasAll(const Json& labels, const Json& wanted);

}  // namespace vkb::json
