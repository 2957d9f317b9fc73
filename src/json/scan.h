#pragma once

#include <cstddef>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace vkb::json {

/// Deeper documents are refused: some of what handles them recurses.
inline constexpr std::size_t kMaxNesting = 1000;

/// Brackets outside strings never nest deeper than `limit`. Works on any bytes.
bool nestingWithin(std::string_view text, std::size_t limit);

// All below: byte positions in JSON text **that is known to be valid**; on other bytes the answers
// are meaningless but stay inside the text. Positions are offsets into the whole text.

struct Member {
  std::string_view key;  ///< without quotes, escapes not undone
  std::size_t key_begin = 0, value_begin = 0, value_end = 0;
};

/// Calls `visit` for each member of the object that starts at `begin`, until it returns false.
/// Anything but an object has no members.
void forEachMember(std::string_view text, std::size_t begin,
                   const std::function<bool(const Member&)>& visit);

/// The members of the object that starts at `begin`, but those of these names: each as it stands
/// there and ended by a line break, which no JSON string holds. For comparing.
std::string membersBut(std::string_view text, std::size_t begin,
                       std::initializer_list<std::string_view> names);

/// Where the value of the first member `key` begins; npos where there is none. Cheaper than
/// forEachMember: the value itself is not looked at.
std::size_t findValue(std::string_view text, std::size_t begin, std::string_view key);

/// The offset behind the value that begins at `position`.
std::size_t skipValue(std::string_view text, std::size_t position);

std::size_t skipSpace(std::string_view text, std::size_t position);

}  // namespace vkb::json
