#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace vkb::net {

/// Cuts lines out of bytes as they come, each byte looked at once. Pure; fuzzed.
class LineBuffer {
 public:
  /// What came is appended here by the owner, who changes nothing before the end.
  std::string& bytes() { return bytes_; }
  /// The next complete line without its '\n'.
  std::optional<std::string> takeLine();
  /// All that has not been taken, an unfinished line at most after takeLine() gave nothing.
  std::string takeRest();
  /// Nothing more is to come for a while: memory that is not used is given back.
  void shrink() { bytes_.shrink_to_fit(); }
  std::size_t size() const { return bytes_.size() - start_; }

 private:
  std::string bytes_;
  std::size_t start_ = 0;    ///< of the present line
  std::size_t scanned_ = 0;  ///< no '\n' in [start_, scanned_)
};

}  // namespace vkb::net
