#include "cli/table.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "base/check.h"

namespace vkb::cli {
namespace {

constexpr std::size_t kGap = 3;

struct Character {
  char32_t code;
  std::size_t bytes;
};

/// The character that `text` begins with; a byte that begins none stands for itself.
Character firstCharacter(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t bytes = 1;
  char32_t code = lead;
  if (lead >= 0xf0 && lead < 0xf8) {
    bytes = 4;
    code = lead & 0x07U;
  } else if (lead >= 0xe0 && lead < 0xf0) {
    bytes = 3;
    code = lead & 0x0fU;
  } else if (lead >= 0xc2 && lead < 0xe0) {
    bytes = 2;
    code = lead & 0x1fU;
  }
  if (bytes > text.size()) return {0xfffd, 1};
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return {0xfffd, 1};
    code = (code << 6U) | (byte(i) & 0x3fU);
  }
  return {bytes == 1 && lead >= 0x80 ? U'\xfffd' : code, bytes};
}

using Range = std::pair<char32_t, char32_t>;

// The blocks of Unicode's general category M and of East Asian Width W/F that names and messages
// plausibly hold. wcwidth() is not used because it depends on the locale.
constexpr std::array<Range, 8> kZeroWidth{{{0x0300, 0x036f},
                                           {0x0483, 0x0489},
                                           {0x0591, 0x05bd},
                                           {0x064b, 0x065f},
                                           {0x200b, 0x200f},
                                           {0x20d0, 0x20ff},
                                           {0xfe00, 0xfe0f},
                                           {0xfe20, 0xfe2f}}};
constexpr std::array<Range, 9> kDoubleWidth{{{0x1100, 0x115f},
                                             {0x2e80, 0x303e},
                                             {0x3041, 0xa4cf},
                                             {0xac00, 0xd7a3},
                                             {0xf900, 0xfaff},
                                             {0xfe30, 0xfe6f},
                                             {0xff00, 0xff60},
                                             {0x1f300, 0x1faff},
                                             {0x20000, 0x3fffd}}};

template <std::size_t N>
bool isIn(const std::array<Range, N>& ranges, char32_t code) {
  return std::any_of(ranges.begin(), ranges.end(), [code](const Range& range) {
    return code >= range.first && code <= range.second;
  });
}

std::size_t widthOf(char32_t code) {
  if (isIn(kZeroWidth, code)) return 0;
  return isIn(kDoubleWidth, code) ? 2 : 1;
}

bool isControl(char32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }

}  // namespace

std::size_t displayWidth(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const Character next = firstCharacter(text);
    width += widthOf(next.code);
    text.remove_prefix(next.bytes);
  }
  return width;
}

std::string oneLine(std::string_view text) {
  std::string line;
  bool space = false;
  while (!text.empty()) {
    const Character next = firstCharacter(text);
    if (next.code == U' ' || isControl(next.code)) {
      space = true;
    } else {
      if (space && !line.empty()) line += ' ';
      space = false;
      line += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return line;
}

std::string ellipsize(std::string_view text, std::size_t width) {
  if (displayWidth(text) <= width) return std::string(text);
  std::string cut;
  for (std::size_t used = 1; !text.empty();) {  // 1: the ellipsis
    const Character next = firstCharacter(text);
    used += widthOf(next.code);
    if (used > width) break;
    cut += text.substr(0, next.bytes);
    text.remove_prefix(next.bytes);
  }
  return cut + "…";
}

Table::Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

void Table::add(std::vector<std::string> row) {
  VKB_CHECK(row.size() == rows_.front().size(), "a row has as many cells as the header");
  for (std::string& cell : row) {
    cell = oneLine(cell);
    if (cell.empty()) cell = "-";
  }
  rows_.push_back(std::move(row));
}

std::string Table::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], displayWidth(row[i]));
    }
  }
  std::string out;
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - displayWidth(row[i]) + kGap, ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace vkb::cli
