#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace vkb::kubelet {

/// The head of one HTTP/1.1 request, strictly by RFC 9112: what two servers could read in two ways
/// is refused. There is never a body: nothing that a kubelet is asked for has one. Pure; fuzzed.
struct RequestHead {
  std::string method;
  std::string target;  ///< origin form as it came: path and query, escaped
  std::vector<std::pair<std::string, std::string>> headers{};  ///< values trimmed
  std::size_t size = 0;                                        ///< bytes of the head in the input

  /// First field of that name, any case; "" when absent.
  std::string header(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  /// Connection names Upgrade, and Upgrade something.
  bool asksForUpgrade() const;
};

struct HeadError {
  int code = 400;
  std::string message;
};

/// A command of 64 KB is three times that when every byte of it is escaped; the rest is headers.
inline constexpr std::size_t kMaxRequestHeadBytes = 256u << 10;
inline constexpr std::size_t kMaxRequestFields = 100;

/// The head at the start of `bytes`; nothing while it is incomplete but may still become one. Bytes
/// that can never become a head are refused as soon as they are there.
tl::expected<std::optional<RequestHead>, HeadError> parseRequestHead(std::string_view bytes);

}  // namespace vkb::kubelet
