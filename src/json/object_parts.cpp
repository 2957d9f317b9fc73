#include "json/object_parts.h"

#include <nlohmann/json.hpp>

#include "json/fast_parse.h"
#include "json/json.h"
#include "json/scan.h"

namespace vkb::json {
namespace {

std::string_view valueAt(std::string_view text, std::size_t begin) {
  return text.substr(begin, skipValue(text, begin) - begin);
}

/// Empty where there is nothing.
std::string_view textAt(std::string_view text, std::initializer_list<std::string_view> path) {
  std::size_t begin = 0;
  for (const std::string_view key : path) {
    begin = findValue(text, begin, key);
    if (begin == std::string_view::npos) return {};
  }
  return valueAt(text, begin);
}

void drop(Json& value, const std::vector<std::string_view>& names) {
  if (!value.is_structured()) return;
  for (const std::string_view name : names) {
    if (value.is_object()) value.erase(std::string(name));
  }
  for (Json& inner : value) drop(inner, names);
}

Json parsed(std::string_view text) {
  if (auto value = fastParse(text)) return std::move(*value);
  Json value = Json::parse(text, nullptr, false);
  return value.is_discarded() ? Json() : value;
}

}  // namespace

Json parsePart(const Object& object, std::string_view member) { return parseAt(object, {member}); }

Json parseWithout(const Object& object, const Without& without) {
  if (auto value = fastParse(object.raw, without)) return std::move(*value);
  Json value = object.parse();
  const auto part = value.find(without.member);
  if (part != value.end()) drop(*part, without.names);
  return value;
}

Json parseAt(const Object& object, std::initializer_list<std::string_view> path) {
  const std::string_view text = textAt(object.raw, path);
  return text.empty() ? Json() : parsed(text);
}

std::string str(const Object& object, std::initializer_list<std::string_view> path) {
  const std::string_view text = textAt(object.raw, path);
  if (text.size() < 2 || text.front() != '"') return "";
  if (text.find('\\') == std::string_view::npos)
    return std::string(text.substr(1, text.size() - 2));
  const Json value = parsed(text);
  return value.is_string() ? value.get<std::string>() : "";
}

std::optional<std::int64_t> integer(const Object& object,
                                    std::initializer_list<std::string_view> path) {
  return integer(parseAt(object, path), {});
}

}  // namespace vkb::json
