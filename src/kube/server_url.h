#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "vkbridge/status.h"

namespace vkb::kube {

/// The parts of a kubeconfig's `server` or `proxy-url`.
struct ServerUrl {
  std::string scheme;  ///< lower case
  std::string user_info;
  std::string host;  ///< IPv6 without brackets
  std::uint16_t port = 0;
  std::string path;  ///< "" or "/prefix", without a '/' at its end
};

/// Takes `scheme://[user[:password]@]host[:port][/path]`; the port defaults to the scheme's. The
/// error says what is wrong with it, never its user part.
Result<ServerUrl> parseServerUrl(std::string_view url);

/// Percent-decoding, for the user part of a proxy URL.
std::string percentDecode(std::string_view text);

}  // namespace vkb::kube
