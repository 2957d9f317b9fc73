#include "json/scan.h"

#include <algorithm>

namespace vkb::json {
namespace {

/// `position` is at the opening quote; gives the offset after the closing one.
std::size_t skipString(std::string_view text, std::size_t position) {
  for (std::size_t quote = text.find('"', position + 1); quote != std::string_view::npos;
       quote = text.find('"', quote + 1)) {
    // The quote is escaped if an odd number of backslashes stands before it.
    std::size_t first = quote;
    while (first > position + 1 && text[first - 1] == '\\') --first;
    if ((quote - first) % 2 == 0) return quote + 1;
  }
  return text.size();
}

/// Reads `"key" :`; false at the end of the object.
bool readKey(std::string_view text, std::size_t position, Member& member) {
  if (position >= text.size() || text[position] != '"') return false;
  member.key_begin = position;
  const std::size_t key_end = skipString(text, position);
  member.key = text.substr(position + 1, key_end > position + 1 ? key_end - position - 2 : 0);
  const std::size_t colon = skipSpace(text, key_end);
  member.value_begin = skipSpace(text, std::min(colon + 1, text.size()));
  return true;
}

/// From behind a value to the next member or element; the end of the text where there is none.
std::size_t skipComma(std::string_view text, std::size_t position) {
  position = skipSpace(text, position);
  if (position >= text.size() || text[position] != ',') return text.size();
  return skipSpace(text, position + 1);
}

}  // namespace

std::size_t skipValue(std::string_view text, std::size_t position) {
  if (position >= text.size()) return text.size();
  if (text[position] == '"') return skipString(text, position);
  if (text[position] != '{' && text[position] != '[') {
    return std::min(text.find_first_of(",]} \t\r\n", position), text.size());
  }
  std::size_t depth = 0;
  while (position < text.size()) {
    const char c = text[position];
    if (c == '"') {
      position = skipString(text, position);
      continue;
    }
    ++position;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return position;
  }
  return text.size();
}

bool nestingWithin(std::string_view text, std::size_t limit) {
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '"') {
      i = skipString(text, i);
      continue;
    }
    if ((c == '{' || c == '[') && ++depth > limit) return false;
    if ((c == '}' || c == ']') && depth > 0) --depth;
    ++i;
  }
  return true;
}

std::size_t skipSpace(std::string_view text, std::size_t position) {
  return std::min(text.find_first_not_of(" \t\r\n", position), text.size());
}

std::size_t findValue(std::string_view text, std::size_t begin, std::string_view key) {
  if (begin >= text.size() || text[begin] != '{') return std::string_view::npos;
  Member member;
  for (std::size_t position = skipSpace(text, begin + 1); readKey(text, position, member);
       position = skipComma(text, skipValue(text, member.value_begin))) {
    if (member.key == key) return member.value_begin;
  }
  return std::string_view::npos;
}

void forEachMember(std::string_view text, std::size_t begin,
                   const std::function<bool(const Member&)>& visit) {
  if (begin >= text.size() || text[begin] != '{') return;
  Member member;
  for (std::size_t position = skipSpace(text, begin + 1); readKey(text, position, member);
       position = skipComma(text, member.value_end)) {
    member.value_end = skipValue(text, member.value_begin);
    if (!visit(member)) return;
  }
}

std::string membersBut(std::string_view text, std::size_t begin,
                       std::initializer_list<std::string_view> names) {
  std::string members;
  forEachMember(text, begin, [&](const Member& member) {
    if (std::find(names.begin(), names.end(), member.key) != names.end()) return true;
    members += text.substr(member.key_begin, member.value_end - member.key_begin);
    members += '\n';
    return true;
  });
  return members;
}

}  // namespace vkb::json
