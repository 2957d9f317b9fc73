#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "kubelet/handler.h"
#include "kubelet/limits.h"
#include "kubelet/net_streams.h"
#include "kubelet/pump.h"
#include "net/event_loop.h"

namespace vkb::kubelet {

class Connection;

/// What a connection needs of the server it belongs to. The loop's thread only.
class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;
  virtual net::EventLoop& loop() = 0;
  virtual const Limits& limits() const = 0;
  /// The request is complete: answer() is called later, unless the connection ends before.
  virtual void submit(const std::shared_ptr<Connection>& connection) = 0;
  /// `size` more bytes of an incomplete head are held. May end this very connection.
  virtual void onHeadBytes(Connection& connection, std::size_t size) = 0;
  /// The head is complete, or there will be none.
  virtual void onHeadOver(Connection& connection) = 0;
  /// A stream is to be opened: is there room for one more?
  virtual bool takeSession() = 0;
  virtual void giveSessionBack() = 0;
  /// The last that is heard of it.
  virtual void onClosed(Connection& connection) = 0;
};

/// One client's connection: TLS handshake, one request, its answer or its stream, the end. One
/// request a connection: nothing can be smuggled in behind it. The loop's thread only, but for what
/// request(), peer() and stopToken() give once the head is complete.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionHost& host, std::uint64_t id, net::TlsSocketPtr socket);
  ~Connection();

  void start();
  void onTick(net::Deadline now);
  void answer(Answer answer);
  /// At once; no answer.
  void close();

  std::uint64_t id() const { return id_; }
  bool isReadingHead() const { return state_ == State::kHead; }
  std::size_t headBytes() const { return input_.size(); }
  const RequestHead& request() const { return head_; }
  const std::optional<net::PeerName>& peer() const { return peer_; }
  std::stop_token stopToken() const { return stop_.get_token(); }

 private:
  enum class State { kHead, kWorking, kPumping, kLingering, kClosed };
  void onReady();
  void readHead();
  void onHead(tl::expected<std::optional<RequestHead>, HeadError> parsed);
  void beginPump(Pump::Mode mode, std::string to_client, std::string to_backend);
  void step();
  void setInterests();
  void linger();
  void drain();
  void setState(State state);

  ConnectionHost& host_;
  const std::uint64_t id_;
  net::TlsSocketPtr socket_;
  SocketStream client_;
  net::EventLoop::WatchId client_watch_ = 0, backend_watch_ = 0;  ///< 0: none
  State state_ = State::kHead;
  net::Deadline since_;  ///< when the state began, or bytes last moved
  std::uint64_t moved_ = 0;
  std::string input_;  ///< the head so far; then what came behind it
  RequestHead head_;
  std::optional<net::PeerName> peer_;
  std::stop_source stop_;
  std::unique_ptr<ByteStream> backend_;
  std::unique_ptr<ByteStream> framed_;  ///< round backend_, or in its place
  std::optional<Pump> pump_;
  bool is_session_ = false, splices_ = false, step_posted_ = false;
};

}  // namespace vkb::kubelet
