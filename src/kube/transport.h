#pragma once

#include <memory>

#include "net/http_channel.h"
#include "net/http_client.h"

namespace vkb::kube {

/// What the REST client needs of HTTP; tests script their own. Thread-safe.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual Result<net::HttpResponse> send(const net::HttpRequest& request) = 0;
  virtual Result<std::unique_ptr<net::HttpStream>> open(const net::HttpRequest& request) = 0;
  virtual Result<std::unique_ptr<net::HttpChannel>> openChannel(
      const net::HttpRequest& request) = 0;
  /// Connections made from now on present these PEM texts.
  virtual void replaceIdentity(const std::string& ca_pem, const std::string& cert_pem,
                               const std::string& key_pem) = 0;
  /// Calls off everything under way and everything that comes later; for the end of the client.
  virtual void shutdown() = 0;
};

}  // namespace vkb::kube
