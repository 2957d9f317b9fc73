#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "net/http_client.h"
#include "vkbridge/status.h"

namespace vkb::net {

/// What one handshake found out, for the sentence an operator reads when it fails.
struct HandshakeReport {
  int verify_error = 0;  ///< X509_V_ERR_*; 0 when the chain was fine or not checked
  std::string subject;   ///< of the certificate that failed
  std::string names;     ///< its DNS names and addresses, joined with ", "
  std::string not_before, not_after;
  bool client_certificate_requested = false;
};

/// One SSL_CTX: trust, our certificate and protocol settings, parsed once from PEM text and shared
/// by every connection of an endpoint. Immutable, thread-safe.
class TlsContext {
 public:
  /// For connections to `endpoint` (its ca_pem, insecure_skip_verify, client certificate).
  static Result<std::shared_ptr<const TlsContext>> client(const Endpoint& endpoint);

  enum class ClientCertificates {
    kIgnored,
    /// As a kubelet: the handshake takes any, and who asks for its name (verifiedPeer()) gets one
    /// only of a certificate that `client_ca_pem` covers.
    kRequested,
    kVerifiedIfGiven,  ///< the handshake fails on one that `client_ca_pem` does not cover
    kRequired,
  };
  struct ServerOptions {
    std::string cert_pem, key_pem;  ///< leaf first, then its chain
    std::string client_ca_pem{};
    ClientCertificates client_certificates = ClientCertificates::kIgnored;
  };
  static Result<std::shared_ptr<const TlsContext>> server(const ServerOptions& options);

  /// A connection object of this context; null when out of memory. `report` outlives it.
  SSL* newSsl(HandshakeReport* report) const;
  bool hasClientCertificate() const { return has_certificate_; }
  bool verifiesPeer() const { return verifies_peer_; }

 private:
  struct CtxFree {
    void operator()(SSL_CTX* ctx) const { SSL_CTX_free(ctx); }
  };
  explicit TlsContext(SSL_CTX* ctx) : ctx_(ctx) {}

  std::unique_ptr<SSL_CTX, CtxFree> ctx_;
  bool has_certificate_ = false;
  bool verifies_peer_ = false;
};

/// Splits off the IPv6 scope and says whether `host` is an address rather than a name.
bool isIpLiteral(const std::string& host);

}  // namespace vkb::net
