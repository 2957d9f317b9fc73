#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vkbridge/runtime.h"
#include "vkbridge/status.h"

namespace vkb::net {

/// Reasons of this layer besides Unreachable and Unanswered.
inline constexpr const char* kReasonAborted = "Aborted";            ///< called off by this program
inline constexpr const char* kReasonBodyTooLarge = "BodyTooLarge";  ///< beyond the caller's limit

/// Where to connect and how to be sure who answers. PEM members hold text.
struct Endpoint {
  std::string host;  ///< name or IP literal (IPv6 without brackets)
  std::uint16_t port = 443;
  std::string path_prefix;      ///< "" or "/k8s/clusters/c-1"
  bool tls = true;              ///< false only for the tests' plain servers
  std::string tls_server_name;  ///< checked and sent instead of `host` when set
  std::string ca_pem;           ///< empty: the system's roots
  bool insecure_skip_verify = false;
  std::string client_cert_pem, client_key_pem;
  std::string proxy_host;  ///< http CONNECT proxy; empty: none
  std::uint16_t proxy_port = 0;
  std::string proxy_authorization;  ///< value of Proxy-Authorization; empty: none
};

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string target;  ///< path and query, escaped
  Headers headers{};
  std::string body{};
  bool upgrade = false;  ///< openChannel(): Connection: Upgrade; to what, `headers` say
  std::chrono::milliseconds timeout{30'000};  ///< for the whole exchange; open…(): up to the head
  /// Calls the exchange off at any stage, name lookup included, and a stream that it opened as
  /// well; the failure has reason "Aborted".
  std::stop_token stop{};
};

struct HttpResponse {
  int code = 0;
  Headers headers{};
  std::string body{};
  /// First header of that name, any case; "" when absent.
  std::string header(std::string_view name) const;
};

/// What a look for the next line gave.
struct StreamLine {
  enum class State {
    kLine,
    kEnd,        ///< the body ended in order behind its last line
    kWantRead,   ///< none yet: look again when the descriptor is readable
    kWantWrite,  ///< none yet: look again when the descriptor is writable
    kFailed,
  };
  State state = State::kLine;
  std::string text{};  ///< kLine; without its '\n'
  Status error{};      ///< kFailed: a line cut off by the end, or a broken connection
};

/// A response whose body is read line by line as it comes, by who carries many at once. One thread
/// reads; abort() may come from any other, and makes the descriptor readable.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  virtual const HttpResponse& head() const = 0;  ///< body empty
  virtual int fd() const = 0;
  /// Never waits.
  virtual StreamLine tryReadLine() = 0;
  /// For who has waited in vain for `waited`: the connection counts as broken from now on. Returns
  /// the failure in words.
  virtual Status breakForSilence(std::chrono::milliseconds waited) = 0;
  /// The rest of the body, up to `max_bytes`.
  virtual Result<std::string> readAll(std::chrono::milliseconds timeout, std::size_t max_bytes) = 0;
  virtual void abort() = 0;
};

class HttpChannel;

struct HttpClientOptions {
  std::size_t max_connections = 64;  ///< for send(); streams have connections of their own
  std::size_t max_body_bytes = 256u << 20;
  std::chrono::seconds max_idle{60};
  std::chrono::seconds max_age{450};  ///< times a factor in [0.67, 1.33): 5 to 10 minutes

  // For who must be sure that the same server still answers (design invariant 9). The usual use:
  // on_broken forgets that this was proven, may_use_new_connection says "proven, or this request is
  // the proof". Both run on threads of callers and of streams, several at once, with no lock of the
  // client held; they must not call the client and must be callable for as long as it and its
  // streams live.

  /// Told of every connection that broke: cut, reset, silent beyond its time, or ended by the
  /// server while it was idle, also where the request under way then succeeds on another one. Runs
  /// before anything else is sent in its place, and idle connections are given up with it, so that
  /// what is sent next goes out on a new connection. `why` is the failure in words. Not called for
  /// what this program ended (aborted, too old, another endpoint) nor for a connection that could
  /// not be made, which the caller's "Unreachable" tells.
  std::function<void(const Status& why)> on_broken{};
  /// Asked right before `request` becomes the first one on a connection, streams' included. False:
  /// it is not sent and the call fails, with "Unreachable" or, where a connection had taken it
  /// already and broke, with "Unanswered". Empty: always true.
  std::function<bool(const HttpRequest& request)> may_use_new_connection{};
};

/// Keep-alive pool of HTTP/1.1 connections to one endpoint. Thread-safe.
/// Failures: reason "Unreachable" when nothing was sent (no connection, TLS refused: the message
/// says which and what to check), reason "Unanswered" when the request may have been carried out.
/// A pooled connection that turns out stale before a byte of the answer came is replaced once,
/// for methods and requests where that is safe (not POST once bytes were sent), and where
/// HttpClientOptions::may_use_new_connection allows it.
class HttpClient {
 public:
  HttpClient(Endpoint endpoint, const Clock& clock, Random& random, HttpClientOptions options = {});
  ~HttpClient();

  Result<HttpResponse> send(const HttpRequest& request);
  /// On a connection of its own. Returns when the head was read.
  Result<std::unique_ptr<HttpStream>> open(const HttpRequest& request);
  /// The same for who reads without waiting, and for upgrades (http_channel.h).
  Result<std::unique_ptr<HttpChannel>> openChannel(const HttpRequest& request);
  /// New connections use this endpoint; present ones finish what they do and are not reused.
  void replaceEndpoint(Endpoint endpoint);
  /// Calls off every exchange and stream under way, and every later one at its start.
  void shutdown();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::net
