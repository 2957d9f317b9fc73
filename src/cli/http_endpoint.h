#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "vkbridge/status.h"

namespace vkb::cli {

/// What `run --listen` serves over plain HTTP: GET /metrics, /healthz and /readyz. Nothing here is
/// secret, but it is meant for the machine itself: the default address is a loopback one.
/// Threads: Poco's accept thread ("TCPServer…") and up to 8 of a pool of its own, "http"; stop()
/// ends them all. At most 32 connections wait for one of these, further ones are closed.
class HttpEndpoint {
 public:
  /// Called on the endpoint's threads, several at a time; must not block for long and must live
  /// until stop() has returned. One that throws is a 500.
  struct Handlers {
    std::function<std::string()> metrics;  ///< Prometheus text format 0.0.4
    /// What is wrong, one sentence each; none: healthy (200 "ok"), else 500 and the sentences.
    std::function<std::vector<std::string>()> health;
    std::function<std::vector<std::string>()> ready;
  };

  /// `listen` is host:port, [ipv6]:port or :port (every address); port 0 lets the kernel choose.
  static Result<std::unique_ptr<HttpEndpoint>> start(const std::string& listen, Handlers handlers);
  /// As stop().
  ~HttpEndpoint();

  std::uint16_t port() const;
  /// Closes the port and every connection; waits for running handlers, and up to a second for its
  /// own threads. Once or more often.
  void stop();

 private:
  struct Impl;
  explicit HttpEndpoint(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace vkb::cli
