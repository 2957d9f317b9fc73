#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "json/object.h"
#include "kube/client.h"
#include "kubelet/limits.h"
#include "kubelet/serving_certificate.h"
#include "net/event_loop.h"
#include "vkbridge/streams.h"

namespace vkb::kubelet {

/// The kubelet API of one virtual node over HTTPS: /healthz, /pods, /runningpods/, /stats/summary,
/// /metrics/resource, /containerLogs, /exec, /attach, /portForward. Who may is home's to say, as
/// for a kubelet (access.h); default deny.
///
/// Threads: one, its own or Deps::thread, carries every connection and never blocks, so that
/// neither a slow client nor a full one delays another; what has to ask home or the provider runs
/// on the executor, at most Limits::max_in_progress at once.
class Server {
 public:
  struct Deps {
    Runtime runtime;
    kube::Client& home;
    // What the provider is able to do; null: 501.
    ContainerLogs* logs = nullptr;
    ContainerStreams* streams = nullptr;
    PodStats* stats = nullptr;
    /// Home's pods bound to the node; from a cache, any thread.
    std::function<std::vector<json::ObjectPtr>()> pods;
    std::unique_ptr<ServingCertificate> certificate;
    base::Logger& logger;
    base::Metrics& metrics;
    /// Carries the connections, of other servers too; null: one of this server's own.
    std::shared_ptr<net::EventThread> thread{};
  };
  struct Options {
    std::string node;
    std::string address;  ///< to listen on; "": all of this machine's
    std::uint16_t port = 0;
    std::string client_ca_file{};  ///< "": home's own client authority
    bool anonymous = false;  ///< who says nothing is system:anonymous, and home decides on that
    Limits limits{};
  };

  /// Serves from now on. Blocks while certificates are read. Reasons as net::Listener.
  static Result<std::unique_ptr<Server>> start(Deps deps, Options options);
  /// As stop().
  ~Server();
  /// Ends every connection and session at once; waits only for calls to home that are under way.
  void stop();

  std::uint16_t port() const;
  struct Counts {
    std::size_t connections = 0, sessions = 0;
  };
  /// Asks the server's thread.
  Counts counts() const;

 private:
  class Core;
  explicit Server(std::shared_ptr<Core> core);
  std::shared_ptr<Core> core_;
};

}  // namespace vkb::kubelet
