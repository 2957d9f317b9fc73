#include "json/object_parts.h"

#include <nlohmann/json.hpp>

#include "json/fast_parse.h"
#include "json/scan.h"

namespace vkb::json {
namespace {

std::string_view valueAt(std::string_view text, std::size_t begin) {
  return text.substr(begin, skipValue(text, begin) - begin);
}

Json parsed(std::string_view text) {
  if (auto value = fastParse(text)) return std::move(*value);
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json() : value;
}

}  // namespace

Json parsePart(const Object& object, std::string_view member) {
  const std::size_t begin = findValue(object.raw, 0, member);
  return begin == std::string::npos ? Json() : parsed(valueAt(object.raw, begin));
}

std::string str(const Object& object, std::initializer_list<std::string_view> path) {
  std::size_t begin = 0;
  for (const std::string_view key : path) {
    begin = findValue(object.raw, begin, key);
    if (begin == std::string::npos) return "";
  }
  const std::string_view text = valueAt(object.raw, begin);
  if (text.size() < 2 || text.front() != '"') return "";
  if (text.find('\\') == std::string_view::npos)
    return std::string(text.substr(1, text.size() - 2));
  const Json value = parsed(text);
  return value.is_string() ? value.get<std::string>() : "";
}

}  // namespace vkb::json
