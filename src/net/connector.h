#pragma once

#include <memory>

#include "net/abort_handle.h"
#include "net/http_client.h"
#include "net/resolver.h"
#include "net/tls_context.h"

namespace vkb::net {

/// Makes connections to one endpoint: look up, dial each address in turn, tunnel through the proxy,
/// TLS handshake. One SSL_CTX for all of them. Immutable but for the resolver; thread-safe.
class Connector {
 public:
  explicit Connector(Endpoint endpoint);

  /// A connection ready for a request. Every failure has reason "Unreachable", or "Aborted".
  Result<TlsSocketPtr> connect(AbortHandle& abort, Deadline deadline);

  const Endpoint& endpoint() const { return endpoint_; }
  /// For messages: "host:port", with the proxy when there is one.
  const std::string& label() const { return label_; }
  /// Null under plain HTTP, and where the PEM text of the endpoint is bad.
  const TlsContext* context() const { return context_ ? context_->get() : nullptr; }

 private:
  Result<TlsSocketPtr> dial(AbortHandle& abort, Deadline deadline);
  Result<void> tunnel(TlsSocketImpl& socket, Deadline deadline) const;

  const Endpoint endpoint_;
  const std::string target_;  ///< the API server's host:port
  const std::string label_;
  const std::string dialled_;  ///< host:port of the proxy or the API server
  Result<std::shared_ptr<const TlsContext>> context_;
  Resolver resolver_;  ///< of the proxy's name, where there is one
};

}  // namespace vkb::net
