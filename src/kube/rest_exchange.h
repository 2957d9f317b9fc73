#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/log.h"
#include "base/metrics.h"
#include "base/rate_limiter.h"
#include "kube/credentials.h"
#include "kube/rest_client.h"
#include "kube/transport.h"

namespace vkb::kube {

/// What one RestClient and its watches share: requests with credentials, the client-side limit,
/// metrics, and one retry after a 401. Thread-safe.
class RestExchange {
 public:
  struct Deps {
    const Clock& clock;
    base::Logger& logger;
    base::Metrics& metrics;
    std::unique_ptr<Transport> transport;
    std::unique_ptr<Credentials> credentials;
  };
  struct Request {
    std::string verb;  ///< GET, LIST, WATCH, POST, PUT, PATCH, DELETE: label of the histogram
    net::HttpRequest http;
  };

  RestExchange(Deps deps, std::string server, RestClientOptions options);

  /// Sends; `request.http.timeout` covers every wait and the retry. An answer that is not 2xx is a
  /// failure that says which server it came from.
  Result<net::HttpResponse> send(Request request);
  /// The same for a stream: returns when its head was read and is 200.
  Result<std::unique_ptr<net::HttpStream>> open(Request request);

  /// The same for a channel, whatever the answer's code.
  Result<std::unique_ptr<net::HttpChannel>> openChannel(Request request);

  /// Calls off everything under way and everything that comes later.
  void shutdown() { deps_.transport->shutdown(); }

  const std::string& server() const { return server_; }
  const RestClientOptions& options() const { return options_; }
  base::Logger& logger() { return deps_.logger; }
  const Clock& clock() const { return deps_.clock; }

 private:
  /// Once through limit and credentials to `perform`. `head` looks at an answer's head.
  template <typename Answer>
  Result<Answer> withRenewal(Request& request,
                             const std::function<Result<Answer>(const net::HttpRequest&)>& perform,
                             const std::function<const net::HttpResponse&(const Answer&)>& head);
  Result<Credentials::Current> authorize(net::HttpRequest& request);
  Result<void> waitForLimit(std::chrono::milliseconds left);
  void count(const Request& request, int code, TimePoint begun);
  prometheus::Counter& counterOf(const std::string& method, int code);
  prometheus::Histogram& durationOf(const std::string& verb);
  void prepare(net::HttpRequest& request) const;
  Status answered(const net::HttpResponse& head, const std::string& body) const;
  Status named(Status status) const;

  Deps deps_;
  const std::string server_;
  const std::string address_;  ///< its host:port: messages that hold it need no more
  const RestClientOptions options_;
  base::RateLimiter limiter_;
  std::mutex metrics_mutex_;
  /// What was looked up in deps_.metrics before.
  std::map<std::pair<std::string, int>, prometheus::Counter&> counters_;
  std::map<std::string, prometheus::Histogram&> durations_;
  std::mutex identity_mutex_;
  std::uint64_t identity_version_ = 0;  ///< of the PEM texts that the transport has
};

}  // namespace vkb::kube
