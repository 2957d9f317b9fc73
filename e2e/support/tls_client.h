#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "support/cluster.h"

namespace vkb::e2e {

/// A client certificate and its key, as PEM text; empty: none is shown.
struct Identity {
  std::string cert_pem, key_pem;
};
/// Of a cluster's admin, out of its kubeconfig.
Identity adminOf(const Cluster& cluster);
/// One that an authority of its own has signed.
Identity selfSignedIdentity(const std::string& common_name, const std::string& organization);

/// A TLS connection of a client that checks nothing and does what the test says, byte by byte.
/// Blocking, with a deadline of 20 s a call.
class TlsClient {
 public:
  /// Throws when it cannot connect.
  TlsClient(const std::string& host, std::uint16_t port, const Identity& identity = {});
  ~TlsClient();
  TlsClient(TlsClient&& other) noexcept;

  /// False when the other side is gone.
  bool write(std::string_view bytes);
  /// What comes next; "" at the end, however it came.
  std::string read();
  /// Everything up to the end.
  std::string readAll();
  /// Up to and with the empty line.
  std::string readHead();

 private:
  Fd socket_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
};

/// Code and body of one request on a connection of its own; code 0 where there was no answer.
struct HttpAnswer {
  int code = 0;
  std::string body;
};
HttpAnswer httpGet(const std::string& host, std::uint16_t port, const std::string& target,
                   const Identity& identity = {}, const std::string& more_headers = {});

/// A plain TCP connection; throws when there is none.
Fd tcpConnect(const std::string& host, std::uint16_t port);

}  // namespace vkb::e2e
