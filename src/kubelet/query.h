#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vkb::kubelet {

/// A request target taken apart and unescaped. Pure; fuzzed.
struct Target {
  std::vector<std::string> path{};  ///< segments; "/a/b/" is {"a", "b", ""}
  std::vector<std::pair<std::string, std::string>> query{};

  /// First value of that key, or "".
  std::string first(std::string_view key) const;
  std::vector<std::string> all(std::string_view key) const;
  bool has(std::string_view key) const;
};

/// As Go's net/url reads it ('+' in a query is a blank). Nothing where an escape is malformed or
/// stands for a NUL.
std::optional<Target> parseTarget(std::string_view target);

}  // namespace vkb::kubelet
