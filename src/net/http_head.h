#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "net/http_client.h"
#include "vkbridge/status.h"

namespace vkb::net {

/// HTTP/1.1 heads as bytes, pure functions (fuzzed). Poco's own response parser is not used: it
/// refuses header values above 8 KiB and its chunked stream shows a cut body as a finished one.

/// Go's servers send at most this much.
inline constexpr std::size_t kMaxHeadBytes = 1u << 20;

enum class Framing { kNone, kLength, kChunked, kUntilClose };

struct ResponseHead {
  HttpResponse response{};
  std::size_t size = 0;     ///< bytes of the head in the input
  bool keep_alive = false;  ///< the connection may carry another request afterwards
  Framing framing = Framing::kNone;
  std::uint64_t length = 0;  ///< kLength only
};

/// The head at the start of `bytes`; nothing while it is incomplete. `for_head`: the answer to
/// HEAD, which has no body whatever its fields say.
Result<std::optional<ResponseHead>> parseResponseHead(std::string_view bytes,
                                                      bool for_head = false);

/// Request line, fields and body in one piece, so that a small request is one TLS record. Host,
/// Content-Length and Connection are set here. InvalidInput when a part holds what would end its
/// line, or names one of those fields.
Result<std::string> serializeRequest(const Endpoint& endpoint, const HttpRequest& request,
                                     bool keep_alive);

bool equalsIgnoringCase(std::string_view a, std::string_view b);

}  // namespace vkb::net
