#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace vkb::e2e {

/// A TCP relay on 127.0.0.1 between the bridge and an API server. TLS passes through end to end, so
/// certificates are checked as ever; faults are made on the bytes.
///
/// "Requests" are counted as TLS application-data records from client to server (5-byte record
/// headers, type 23): at least one each HTTP/1.1 request, and in TLS 1.3 a few for a handshake's
/// encrypted end. That is exact enough to stop at the n-th step of something, and repeatable.
/// Bytes that are not TLS pass as they come and count nothing.
///
/// One thread, owned by this object, does all the work; every method may be called from any thread
/// and has taken effect when it returns.
class Relay {
 public:
  enum class Direction { kToServer, kToClient };
  enum class Moment {
    kRequestLost,  ///< the request is not passed on
    kAnswerLost,   ///< the request takes effect; the first record of its answer is not passed back
  };

  /// Relays to host:port; throws std::runtime_error when it cannot listen or resolve.
  Relay(const std::string& host, std::uint16_t port);
  Relay(const Relay&) = delete;
  ~Relay();

  std::uint16_t port() const;
  std::uint64_t requests() const;
  /// Accepted so far.
  std::uint64_t connections() const;

  /// At the `nth` request from now (1: the next) `action` runs on the relay's thread, and then all
  /// connections are cut. Replaces an earlier one. `action` must not call back into the relay.
  void atRequest(std::uint64_t nth, Moment moment, std::function<void()> action);
  /// True once the action given to atRequest has run.
  bool waitFired(std::chrono::milliseconds time);

  /// Resets every connection.
  void cutAll();
  /// New connections are refused (ECONNREFUSED); those that are open stay.
  void refuse(bool on);
  /// Nothing is passed on, either way, until switched off; connections stay open.
  void stall(bool on);
  /// Bytes that arrive from now on are passed on that much later.
  void delay(Direction direction, std::chrono::milliseconds time);

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace vkb::e2e
