#pragma once

#include <string>

#include "net/io.h"
#include "net/tls_context.h"
#include "vkbridge/status.h"

namespace vkb::net {

/// Every failure of the transport in the words that an operator gets to read: what was tried, what
/// happened, what to check.

/// "host:port", "[::1]:6443"
std::string hostPort(const std::string& host, std::uint16_t port);
/// "30 s", "1.5 s", "250 ms"
std::string durationText(std::chrono::milliseconds duration);

Status unreachable(std::string message);  ///< nothing was sent
Status unanswered(std::string message);   ///< may have been carried out
Status abortedByUs();

/// The connection to `target` ("host:port", or the proxy's) could not be made.
Status dialFailure(const std::string& target, const IoResult& result);
/// `result` is what startClient() returned.
Status handshakeFailure(const std::string& target, const std::string& expected_name,
                        const IoResult& result, const HandshakeReport& report,
                        const TlsContext& context);
/// TLS 1.3 refuses a client certificate only after the handshake has ended on our side, so that the
/// refusal meets the first read: then nothing of the request was looked at.
bool isClientCertificateAlert(int alert);
Status clientCertificateRefused(const std::string& target, const IoResult& result,
                                const TlsContext& context);
/// How a connection ended, for the middle of a sentence: "connection reset by peer".
std::string howItBroke(const IoResult& result);

}  // namespace vkb::net
