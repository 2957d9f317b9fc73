#pragma once

#include <memory>
#include <string>

#include "base/log.h"
#include "base/metrics.h"
#include "kube/client.h"
#include "kube/identity.h"
#include "kube/kubeconfig.h"
#include "net/event_loop.h"

namespace vkb::kube {

struct RestClientOptions {
  std::string user_agent;
  std::string cluster;  ///< label of the metrics
  double qps = 500, burst = 1000;
  std::size_t max_connections = 64;
  /// Follows the watches; clients that trust each other's servers not to keep it busy can share
  /// one. Null: one of this client's own.
  std::shared_ptr<net::EventThread> watch_thread{};
  /// How often it is looked whether a watch has been silent for too long, which is minutes.
  std::chrono::milliseconds silence_check{15'000};
  /// Told of every connection that breaks, and asked before a request goes out on a new one; the
  /// same as the IdentityGuard's above this client.
  std::shared_ptr<IdentityProof> identity_proof{};
};

/// The Client that talks to a real API server over pooled HTTP/1.1 TLS connections. Credentials
/// that come from files or plugins are renewed without a restart. A 401 renews them once and tries
/// again. 429 and 503 with Retry-After are returned, not waited for.
/// Metrics: rest_client_requests_total{cluster,method,code},
/// rest_client_request_duration_seconds{cluster,verb}.
/// Threads: one that follows all watches (`watch_thread`), and short ones that open them; the
/// client's end calls off everything under way and waits for them. The references outlive the
/// client.
Result<std::unique_ptr<Client>> makeRestClient(const ClusterAccess& access, const Clock& clock,
                                               Random& random, base::Logger& logger,
                                               base::Metrics& metrics, RestClientOptions options);

/// Turns an error answer into a Status by design §6: code, reason, details.causes, Retry-After.
Status statusFromAnswer(int code, const std::string& body,
                        std::optional<std::chrono::seconds> retry_after);

}  // namespace vkb::kube
