#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/certificate.h"
#include "vkbridge/runtime.h"

namespace vkb::kubelet {

/// What a kubelet server shows its clients. Asked every few seconds, so that a new certificate is
/// served without a restart; one call at a time, which may block.
class ServingCertificate {
 public:
  virtual ~ServingCertificate() = default;
  /// After an error the one before is served on.
  virtual Result<net::CertificatePair> current() = 0;
};

/// Two PEM files, read again when one of them changes; as cert-manager and kubeadm write them.
std::unique_ptr<ServingCertificate> certificateFromFiles(std::string cert_path,
                                                         std::string key_path);

struct SelfSignedOptions {
  std::string node;
  std::vector<std::string> ips{};
  /// Where it is kept over restarts: one text. Nothing is there at first.
  std::function<Result<std::optional<std::string>>()> load;
  std::function<Result<void>(const std::string&)> save;
};
/// Made when there is none, when its names are no longer the node's, and in the last fifth of its
/// year.
std::unique_ptr<ServingCertificate> selfSignedCertificate(const Clock& clock,
                                                          SelfSignedOptions options);

}  // namespace vkb::kubelet
