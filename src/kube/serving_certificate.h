#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "kube/client.h"

namespace vkb::kube {

inline constexpr Resource kCertificateSigningRequests{"certificates.k8s.io", "v1",
                                                      "certificatesigningrequests", false};

/// A private key and what asks for a certificate for it, as PEM text.
struct CertificateRequest {
  std::string key_pem;      ///< EC P-256, PKCS#8
  std::string request_pem;  ///< subject O=system:nodes, CN=system:node:NODE
};
/// Of a node that serves the kubelet API. The signer wants at least one name or address.
Result<CertificateRequest> newServingRequest(const std::string& node,
                                             const std::vector<std::string>& dns,
                                             const std::vector<std::string>& ips);

/// The CertificateSigningRequest for signer kubernetes.io/kubelet-serving. Its name follows from
/// node and request, so that one that was not answered can be sent again.
Json servingCertificateRequest(const std::string& node, const std::string& request_pem);

/// How far such an object has come. Approved is not yet issued, and what was approved may fail.
struct CertificateAnswer {
  enum class State { kPending, kIssued, kRefused };
  State state = State::kPending;
  std::string certificate_pem;  ///< kIssued: leaf first
  std::string why;              ///< kRefused: reason and message of Denied or Failed
};
CertificateAnswer certificateAnswer(const Json& request);

struct ServingCertificate {
  std::string certificate_pem, key_pem;
};

/// Asks the cluster for one serving certificate and waits until somebody has approved it and the
/// signer has signed it: a GET every 2 s, later every 30 s. The object stays, the controller
/// manager clears it away. It has no thread: all is executor tasks.
class ServingCertificateRequest {
 public:
  struct Options {
    std::string node;
    std::vector<std::string> dns{}, ips{};
    std::chrono::minutes give_up{15};  ///< nobody approves: an error that says so
  };
  ServingCertificateRequest(Runtime runtime, Client& client, base::Logger& logger, Options options);
  ~ServingCertificateRequest();

  /// Once. `done` comes once, as a task, unless stopped before; failures that pass are tried again
  /// until `give_up`.
  void start(std::function<void(Result<ServingCertificate>)> done);
  /// When it returns no call of `done` or the client is under way or to come (at most one request's
  /// deadline), unless called from within `done`. So does the destructor.
  void stop();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::kube
