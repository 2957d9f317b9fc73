#include "json/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "json/fast_parse.h"
#include "json/scan.h"

namespace vkb::json {
namespace {

const Json& nullValue() {
  static const Json value;
  return value;
}

}  // namespace

const Json& at(const Json& value, std::string_view key) {
  if (!value.is_object()) return nullValue();
  const auto found = value.find(key);
  return found == value.end() ? nullValue() : *found;
}

const Json& at(const Json& value, Path path) {
  const Json* here = &value;
  for (const std::string_view key : path) here = &at(*here, key);
  return *here;
}

std::string str(const Json& value, Path path) {
  const Json& found = at(value, path);
  return found.is_string() ? found.get_ref<const std::string&>() : std::string();
}

std::string str(const Json& value, std::string_view key) { return str(value, {key}); }

std::optional<std::int64_t> integer(const Json& value, Path path) {
  const Json& found = at(value, path);
  if (!found.is_number_integer()) return std::nullopt;
  if (found.is_number_unsigned() &&
      found.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX)) {
    return std::nullopt;
  }
  return found.get<std::int64_t>();
}

bool boolean(const Json& value, Path path, bool fallback) {
  const Json& found = at(value, path);
  return found.is_boolean() ? found.get<bool>() : fallback;
}

const Json& array(const Json& value, Path path) {
  static const Json empty = Json::array();
  const Json& found = at(value, path);
  return found.is_array() ? found : empty;
}

const Json& object(const Json& value, Path path) {
  static const Json empty = Json::object();
  const Json& found = at(value, path);
  return found.is_object() ? found : empty;
}

const Json* findBy(const Json& list, std::string_view key, std::string_view value) {
  if (!list.is_array()) return nullptr;
  for (const Json& entry : list) {
    const Json& found = at(entry, key);
    if (found.is_string() && found.get_ref<const std::string&>() == value) return &entry;
  }
  return nullptr;
}

Result<Json> parse(std::string_view text) {
  if (!nestingWithin(text, kMaxNesting)) {
    return invalid("the document is not JSON that can be read: nested more than " +
                   std::to_string(kMaxNesting) + " levels");
  }
  if (auto value = fastParse(text)) return std::move(*value);
  // The parser's own exception quotes the content; the byte is all that is taken from it.
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    return invalid("the document is not valid JSON at byte " + std::to_string(error.byte));
  } catch (const Json::exception&) {
    return invalid("the document is not valid JSON: a number is out of range");
  }
}

bool hasAll(const Json& labels, const Json& wanted) {
  if (!wanted.is_object()) return true;
  return std::all_of(wanted.items().begin(), wanted.items().end(), [&](const auto& pair) {
    const Json& found = at(labels, pair.key());
    return !found.is_null() && found == pair.value();
  });
}

}  // namespace vkb::json
