#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "net/tls_socket_impl.h"
#include "vkbridge/runtime.h"
#include "vkbridge/status.h"

namespace vkb::net {

/// PEM texts of a certificate (leaf first, then its chain) and its private key.
struct CertificatePair {
  std::string cert_pem, key_pem;
  bool operator==(const CertificatePair&) const = default;
};

struct CertificateSpec {
  std::string common_name{};
  std::vector<std::string> organizations{};
  std::vector<std::string> dns{}, ips{};
  WallTime not_before{}, not_after{};
};
/// A server certificate that signs itself, with a new EC P-256 key.
Result<CertificatePair> makeSelfSigned(const CertificateSpec& spec);

struct CertificateFacts {
  WallTime not_before{}, not_after{};
  std::vector<std::string> dns{}, ips{};  ///< addresses in their usual notation
};
/// Of the first certificate in `pem`.
Result<CertificateFacts> readCertificate(const std::string& pem);

/// The subject of a client certificate, as Kubernetes reads it: CN is the user, each O a group.
struct PeerName {
  std::string common_name{};
  std::vector<std::string> organizations{};
};
/// Nothing unless the peer sent a certificate that its context's authorities cover. After the
/// handshake.
std::optional<PeerName> verifiedPeer(TlsSocketImpl& socket);

}  // namespace vkb::net
