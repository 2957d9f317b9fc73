#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "vkbridge/json.h"
#include "vkbridge/status.h"

/// What a provider may be able to do besides running pods: logs, exec, attach, port-forward and
/// statistics. Each is an interface of its own; a provider that lacks one hands in none, and the
/// kubelet API answers 501. The kubelet API has authenticated and authorized the caller before any
/// of these is called; names are home's and well-formed, but the pod may be unknown here.
namespace vkb {

/// What became of one attempt to read or write without waiting.
struct StreamIo {
  enum class State {
    kDone,       ///< `bytes` were moved, at least one
    kWantRead,   ///< nothing was; try again when fd() is readable
    kWantWrite,  ///< nothing was; try again when fd() is writable
    kEnd,        ///< the other side has ended its direction in order
    kBroken,     ///< the stream is cut off; nothing more will come or go
  };
  State state = State::kDone;
  std::size_t bytes = 0;
};

/// One end of a byte stream that never blocks. One thread uses it; it is closed by destroying it,
/// which must not block either.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// What poll(2) is asked about; the same for the stream's whole life. Bytes may be there although
  /// poll does not say so: only kWantRead or kWantWrite mean that waiting makes sense.
  virtual int fd() const = 0;
  virtual StreamIo tryRead(char* data, std::size_t size) = 0;
  /// After kWantRead or kWantWrite the caller comes back with the same bytes first.
  virtual StreamIo tryWrite(const char* data, std::size_t size) = 0;
  /// Nothing more will be written. The other direction goes on.
  virtual void shutdownWrite() = 0;
};

/// A container of a pod of this virtual node, by home's names.
struct ContainerRef {
  std::string ns, pod;
  std::string container;  ///< "" for port-forward
};

/// virtual-kubelet's ContainerLogOpts, after PodLogOptions of the API. A provider honours all.
struct ContainerLogOptions {
  bool follow = false;                       ///< the stream goes on until the container ends
  bool previous = false;                     ///< of the container's last run before this one
  bool timestamps = false;                   ///< each line with an RFC 3339 time before it
  std::optional<std::int64_t> tail_lines{};  ///< 0: none of those that are there
  std::optional<std::int64_t> since_seconds{};
  std::string since_time{};  ///< RFC 3339; "" or since_seconds, never both
  std::optional<std::int64_t> limit_bytes{};
  std::string stream{};  ///< "" or All, Stdout, Stderr (Kubernetes 1.32)
};

class ContainerLogs {
 public:
  virtual ~ContainerLogs() = default;
  /// The log as a stream that is only read. May block until its first byte could be there, not
  /// longer than `stop` lets it; called from executor threads, several at once. Status::code is
  /// what the client gets, with the message as its text; 0 becomes 500.
  virtual Result<std::unique_ptr<ByteStream>> getContainerLogs(const ContainerRef& container,
                                                               const ContainerLogOptions& options,
                                                               std::stop_token stop) = 0;
};

/// exec, attach or port-forward as the client asked for it: a connection that is to be upgraded to
/// SPDY/3.1 or WebSocket. What then travels on it is between the client and the container's side;
/// neither the kubelet API nor, if it passes the connection on, the provider looks into it.
struct StreamRequest {
  enum class Kind { kExec, kAttach, kPortForward };
  Kind kind = Kind::kExec;
  ContainerRef container{};
  std::string method = "POST";  ///< or GET, as WebSocket clients send
  bool stdin_wanted = false, stdout_wanted = false, stderr_wanted = false, tty = false;
  std::vector<std::string> command{};  ///< exec
  std::vector<std::uint16_t> ports{};  ///< port-forward over WebSocket; SPDY names them inside
  /// Upgrade, X-Stream-Protocol-Version and Sec-WebSocket-*, as often as they came; credentials and
  /// everything else of the client are not among them.
  std::vector<std::pair<std::string, std::string>> headers{};
};

/// The answer's head, and either the connection (code 101) or the body of a refusal.
struct StreamAnswer {
  int code = 0;
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string body{};
  std::unique_ptr<ByteStream> connection{};
};

class ContainerStreams {
 public:
  virtual ~ContainerStreams() = default;
  /// Blocks until the other side has answered, not longer than `stop` lets it; called from executor
  /// threads, several at once. Errors as for getContainerLogs().
  virtual Result<StreamAnswer> openStream(const StreamRequest& request, std::stop_token stop) = 0;
};

class PodStats {
 public:
  virtual ~PodStats() = default;
  /// A Summary of stats.k8s.io/v1alpha1: {"node": …, "pods": […]} with home's names and UIDs. What
  /// is not known is left out; metrics that the provider cannot get at all are an empty summary,
  /// not an error. usageCoreNanoSeconds never goes back while this process lives. May block;
  /// several calls at once.
  virtual Result<Json> getStatsSummary(std::stop_token stop) = 0;
};

}  // namespace vkb
