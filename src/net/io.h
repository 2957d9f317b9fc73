#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace vkb::net {

/// When an operation on a socket gives up. Real time, not the `Clock` seam: it bounds poll(2),
/// which no fake clock can hurry.
using Deadline = std::chrono::steady_clock::time_point;

inline Deadline deadlineIn(std::chrono::milliseconds timeout) {
  return std::chrono::steady_clock::now() + timeout;
}

enum class IoState {
  kOk,
  kWantRead,   ///< nothing done; try again when the descriptor is readable
  kWantWrite,  ///< nothing done; try again when the descriptor is writable
  kEof,        ///< the peer ended its side in order (FIN, under TLS close_notify)
  kTruncated,  ///< under TLS: FIN without close_notify; the end cannot be trusted
  kTimeout,
  kAborted,  ///< abort() was called on this side
  kFailed,
};

/// What became of one read, write, connect or handshake.
struct IoResult {
  IoState state = IoState::kOk;
  std::size_t bytes = 0;  ///< transferred, also when a write failed half way
  int error_number = 0;   ///< errno, kFailed only
  int tls_alert = -1;     ///< alert the peer sent (RFC 8446 §6), kFailed only
  int tls_reason = 0;     ///< OpenSSL reason code, kFailed only
  std::string what{};     ///< the failure in words, kFailed only

  bool ok() const { return state == IoState::kOk; }
};

}  // namespace vkb::net
