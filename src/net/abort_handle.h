#pragma once

#include <atomic>
#include <functional>
#include <mutex>

#include "net/tls_socket_impl.h"

namespace vkb::net {

/// The off switch of one exchange, through all its stages: waiting for a pool slot, name lookup,
/// dialling, handshake, writing and reading. abort() may come from any thread, any number of times.
class AbortHandle {
 public:
  void abort() {
    aborted_ = true;
    const std::lock_guard lock(mutex_);
    if (socket_) socket_->abort();
    if (wake_) wake_();
  }
  bool aborted() const { return aborted_; }

  /// From now on abort() ends this socket; null: none.
  void setSocket(TlsSocketPtr socket) {
    const std::lock_guard lock(mutex_);
    socket_ = std::move(socket);
    if (aborted_ && socket_) socket_->abort();
  }

  /// While alive, abort() calls `wake`; who waits looks at aborted() after making it. For waits on
  /// something other than a socket.
  class Waker {
   public:
    Waker(AbortHandle& handle, std::function<void()> wake) : handle_(handle) {
      const std::lock_guard lock(handle_.mutex_);
      handle_.wake_ = std::move(wake);
    }
    ~Waker() {
      const std::lock_guard lock(handle_.mutex_);
      handle_.wake_ = nullptr;
    }
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;

   private:
    AbortHandle& handle_;
  };

 private:
  std::atomic<bool> aborted_{false};
  std::mutex mutex_;  ///< taken before the locks that socket_ and wake_ take
  TlsSocketPtr socket_;
  std::function<void()> wake_;
};

}  // namespace vkb::net
