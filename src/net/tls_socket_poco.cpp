// The face that TlsSocketImpl shows to Poco's HTTP classes.
#include <Poco/Exception.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/Socket.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "net/tls_socket_impl.h"

namespace vkb::net {
namespace {

Deadline deadlineOf(const Poco::Timespan& timeout) {
  if (timeout == 0) return Deadline::max();
  return std::chrono::steady_clock::now() + std::chrono::microseconds(timeout.totalMicroseconds());
}

[[noreturn]] void throwPoco(const IoResult& result) {
  switch (result.state) {
    case IoState::kTimeout:
      throw Poco::TimeoutException();
    case IoState::kAborted:
      throw Poco::Net::ConnectionAbortedException("closed by this side");
    case IoState::kTruncated:
      throw Poco::Net::ConnectionResetException("connection cut off");
    default:
      throw Poco::Net::NetException(result.what, result.error_number);
  }
}

}  // namespace

int TlsSocketImpl::sendBytes(const void* buffer, int length, int) {
  const auto* data = static_cast<const char*>(buffer);
  const auto size = static_cast<std::size_t>(length);
  const IoResult result =
      blocking_ ? writeAll(data, size, deadlineOf(send_timeout_)) : tryWrite(data, size);
  if (result.ok()) return static_cast<int>(result.bytes);
  if (result.state == IoState::kWantRead || result.state == IoState::kWantWrite) return -1;
  throwPoco(result);
}

/// 0 at the end; the end without close_notify too, as HTTP delimits its own messages. Negative when
/// non-blocking and nothing is there.
int TlsSocketImpl::receiveBytes(void* buffer, int length, int) {
  auto* data = static_cast<char*>(buffer);
  const auto size = static_cast<std::size_t>(length);
  const IoResult result =
      blocking_ ? readSome(data, size, deadlineOf(receive_timeout_)) : tryRead(data, size);
  switch (result.state) {
    case IoState::kOk:
      return static_cast<int>(result.bytes);
    case IoState::kEof:
    case IoState::kTruncated:
      return 0;
    case IoState::kWantRead:
    case IoState::kWantWrite:
      return -1;
    default:
      throwPoco(result);
  }
}

int TlsSocketImpl::available() {
  if (ssl_ == nullptr) return StreamSocketImpl::available();
  const std::lock_guard lock(mutex_);
  return SSL_pending(ssl_.get());
}

/// Decrypted bytes wait in OpenSSL, where poll(2) does not see them.
bool TlsSocketImpl::poll(const Poco::Timespan& timeout, int mode) {
  const bool reads = (mode & Poco::Net::Socket::SELECT_READ) != 0;
  const bool writes = (mode & Poco::Net::Socket::SELECT_WRITE) != 0;
  if (reads && ssl_ != nullptr) {
    const std::lock_guard lock(mutex_);
    // SSL_has_pending is true for half a record, too: only a peek tells.
    if (!ssl_broken_ && SSL_has_pending(ssl_.get()) == 1) {
      char byte = 0;
      ERR_clear_error();
      const bool ready = SSL_peek(ssl_.get(), &byte, 1) > 0;
      ERR_clear_error();
      if (ready) return true;
    }
  }
  const auto events = static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0));
  const Deadline deadline =
      std::chrono::steady_clock::now() + std::chrono::microseconds(timeout.totalMicroseconds());
  return wait(events, deadline) != IoState::kTimeout;
}

void TlsSocketImpl::close() {
  const std::lock_guard lock(mutex_);
  if (!aborted_) sendCloseNotify();
  ssl_broken_ = true;
  StreamSocketImpl::close();
}

void TlsSocketImpl::shutdownSend() {
  const std::lock_guard lock(mutex_);
  sendCloseNotify();
  StreamSocketImpl::shutdownSend();
}

void TlsSocketImpl::shutdown() {
  const std::lock_guard lock(mutex_);
  sendCloseNotify();
  StreamSocketImpl::shutdown();
}

}  // namespace vkb::net
