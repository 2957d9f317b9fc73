#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace vkb::cli {

/// Terminal columns that UTF-8 text takes: wide East Asian characters are two, combining marks
/// none. A byte that is not UTF-8 counts as one.
std::size_t displayWidth(std::string_view text);

/// One line that is safe to print: control characters (a cluster's messages may hold line breaks,
/// and terminal escapes) become spaces, runs of white space one.
std::string oneLine(std::string_view text);

/// At most `width` columns, cut between characters with "…" at the end.
std::string ellipsize(std::string_view text, std::size_t width);

/// Columns as kubectl prints them: left-aligned, three spaces apart, no space at a line's end.
/// Cells are passed through oneLine; an empty one shows as "-".
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  /// As many cells as the header has.
  void add(std::vector<std::string> row);
  /// Every line ends with a line break.
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the first is the header
};

}  // namespace vkb::cli
