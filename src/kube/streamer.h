#pragma once

#include <memory>

#include "net/http_channel.h"

namespace vkb::kube {

/// Long-lived byte streams of an API server: logs, exec, attach, port-forward. Thread-safe.
class Streamer {
 public:
  virtual ~Streamer() = default;
  /// Sends `request` with this client's credentials and returns when the answer's head was read,
  /// whatever its code; a 401 renews the credentials once. Blocks up to request.timeout.
  virtual Result<std::unique_ptr<net::HttpChannel>> openChannel(net::HttpRequest request) = 0;
};

}  // namespace vkb::kube
