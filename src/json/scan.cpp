#include "json/scan.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace vkb::json {
namespace {

/// Brackets are looked for in so many bytes at once, a bit for each.
constexpr std::size_t kBlock = 64;

/// Which of the block's bytes are `wanted`; the first byte is the lowest bit.
std::uint64_t placesOf(const char* block, char wanted) {
  std::uint64_t places = 0;
#ifdef __SSE2__
  const __m128i pattern = _mm_set1_epi8(wanted);
  for (std::size_t at = 0; at < kBlock; at += sizeof(__m128i)) {
    __m128i bytes;
    std::copy_n(block + at, sizeof(bytes), reinterpret_cast<char*>(&bytes));
    const int same = _mm_movemask_epi8(_mm_cmpeq_epi8(bytes, pattern));
    places |= static_cast<std::uint64_t>(same) << at;
  }
#else
  for (std::size_t at = 0; at < kBlock; ++at) {
    places |= static_cast<std::uint64_t>(block[at] == wanted) << at;
  }
#endif
  return places;
}

/// Which bytes of one block after the other stand inside strings.
class Strings {
 public:
  /// The opening quotes count as inside, the closing ones do not.
  std::uint64_t insideOf(const char* block) {
    const std::uint64_t backslashes = placesOf(block, '\\');
    std::uint64_t inside = placesOf(block, '"') & ~escapedBy(backslashes);
    // From each quote on, everything turns over.
    for (int shift = 1; shift < static_cast<int>(kBlock); shift *= 2) inside ^= inside << shift;
    if (open_) inside = ~inside;
    open_ = (inside >> (kBlock - 1)) != 0;
    return inside;
  }

 private:
  std::uint64_t escapedBy(std::uint64_t backslashes) {
    std::uint64_t escaped = escapes_next_ ? 1 : 0;
    std::uint64_t left = backslashes & ~escaped;
    escapes_next_ = false;
    while (left != 0) {
      const std::uint64_t backslash = left & -left;
      escapes_next_ = backslash == std::uint64_t{1} << (kBlock - 1);
      escaped |= backslash << 1;
      left &= ~(backslash | backslash << 1);
    }
    return escaped;
  }

  bool open_ = false;          ///< a string goes on into the next block
  bool escapes_next_ = false;  ///< its first byte is escaped by the last one of this block
};

/// From an opening bracket to behind the one that closes it. Brackets of the other kind come in
/// pairs between them and need not be counted.
std::size_t skipBrackets(std::string_view text, std::size_t position) {
  const char opening = text[position];
  const char closing = opening == '{' ? '}' : ']';
  Strings strings;
  std::size_t depth = 0;
  std::array<char, kBlock> last;
  for (; position < text.size(); position += kBlock) {
    const char* block = text.data() + position;
    if (text.size() - position < kBlock) {
      last.fill(' ');
      std::copy_n(block, text.size() - position, last.begin());
      block = last.data();
    }
    const std::uint64_t inside = strings.insideOf(block);
    const std::uint64_t opens = placesOf(block, opening) & ~inside;
    const std::uint64_t closes = placesOf(block, closing) & ~inside;
    for (std::uint64_t left = opens | closes; left != 0; left &= left - 1) {
      if ((opens & left & -left) != 0) {
        ++depth;
      } else if (--depth == 0) {
        return position + static_cast<std::size_t>(std::countr_zero(left)) + 1;
      }
    }
  }
  return text.size();
}

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
  return skipBrackets(text, position);
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
