#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/log.h"
#include "kube/client.h"
#include "kubelet/serving_certificate.h"
#include "net/tls_context.h"

namespace vkb::kubelet {

/// The TLS side of one server: its certificate and the authorities of its clients, both looked at
/// again by refresh(). current() is thread-safe and never blocks; refresh() blocks on files and on
/// home, one call at a time.
class ServerTls {
 public:
  struct Deps {
    const Clock& clock;
    kube::Reader& home;
    std::unique_ptr<ServingCertificate> certificate;
    base::Logger& logger;
  };
  /// `client_ca_file` "": home's own, from kube-system/extension-apiserver-authentication.
  ServerTls(Deps deps, std::string node, std::string client_ca_file)
      : deps_(std::move(deps)),
        node_(std::move(node)),
        client_ca_file_(std::move(client_ca_file)) {}

  /// Without any certificate so far: the error. Authorities that cannot be read are none, so that
  /// only tokens count, until they can.
  Result<void> refresh();
  /// For new connections.
  std::shared_ptr<const net::TlsContext> current() const;

 private:
  Result<std::string> readClientCa();
  void takeClientCa();
  void complain(const std::string& what, std::string& last);

  const Deps deps_;
  const std::string node_, client_ca_file_;
  std::string client_ca_, told_of_ca_, told_of_certificate_;
  std::optional<TimePoint> ca_read_;
  net::CertificatePair served_;
  std::string served_ca_;
  mutable std::mutex mutex_;
  std::shared_ptr<const net::TlsContext> context_;  ///< guarded by mutex_
};

}  // namespace vkb::kubelet
