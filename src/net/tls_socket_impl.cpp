#include "net/tls_socket_impl.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "net/tls_text.h"

namespace vkb::net {
namespace {

IoResult failedWith(int error) {
  return {.state = IoState::kFailed,
          .error_number = error,
          .what = std::generic_category().message(error)};
}

timespec remaining(Deadline deadline) {
  const auto left = deadline - std::chrono::steady_clock::now();
  if (left <= left.zero()) return {0, 0};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  return {static_cast<time_t>(seconds.count()),
          static_cast<long>(std::chrono::nanoseconds(left - seconds).count())};
}

/// OpenSSL numbers the peer's alerts 1000 + alert.
int alertOf(int reason) {
  return reason >= SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256
             ? reason - SSL_AD_REASON_OFFSET
             : -1;
}

}  // namespace

TlsSocketImpl::TlsSocketImpl(int fd) : StreamSocketImpl(fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

TlsSocketImpl::~TlsSocketImpl() {
  if (initialized() && !aborted_) sendCloseNotify();
}

IoState TlsSocketImpl::wait(short events, Deadline deadline) {
  while (true) {
    if (aborted_) return IoState::kAborted;
    pollfd entry{.fd = sockfd(), .events = events, .revents = 0};
    const timespec left = remaining(deadline);
    const int count = ppoll(&entry, 1, &left, nullptr);
    if (aborted_) return IoState::kAborted;
    if (count > 0) return IoState::kOk;
    if (count == 0) return IoState::kTimeout;
    if (errno != EINTR) return IoState::kFailed;
  }
}

IoResult TlsSocketImpl::dial(const sockaddr* address, socklen_t size, Deadline deadline) {
  if (::connect(sockfd(), address, size) == 0) return {};
  if (errno != EINPROGRESS) return failedWith(errno);
  if (const IoState state = wait(POLLOUT, deadline); state != IoState::kOk) return {.state = state};
  int error = 0;
  socklen_t error_size = sizeof error;
  getsockopt(sockfd(), SOL_SOCKET, SO_ERROR, &error, &error_size);
  return error == 0 ? IoResult{} : failedWith(error);
}

bool TlsSocketImpl::attachSsl(std::shared_ptr<const TlsContext> context) {
  context_ = std::move(context);
  bio_state_.fd = sockfd();
  ssl_.reset(context_->newSsl(&report_));
  BIO* bio = ssl_ == nullptr ? nullptr : newSocketBio(&bio_state_);
  if (bio == nullptr) return false;
  SSL_set_bio(ssl_.get(), bio, bio);
  return true;
}

bool TlsSocketImpl::expectPeer(const std::string& peer_name) {
  if (isIpLiteral(peer_name)) {
    // RFC 6066 §3: no literal addresses in SNI. RFC 9525 §6.5: an address is matched as such.
    const std::string address = peer_name.substr(0, peer_name.find('%'));
    return !context_->verifiesPeer() ||
           X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), address.c_str()) == 1;
  }
  const std::string name =
      peer_name.ends_with('.') ? peer_name.substr(0, peer_name.size() - 1) : peer_name;
  if (SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) != 1) return false;
  return !context_->verifiesPeer() || SSL_set1_host(ssl_.get(), name.c_str()) == 1;
}

IoResult TlsSocketImpl::startClient(std::shared_ptr<const TlsContext> context,
                                    const std::string& peer_name, Deadline deadline) {
  if (!attachSsl(std::move(context)) || !expectPeer(peer_name)) {
    return {.state = IoState::kFailed, .what = takeErrorText()};
  }
  SSL_set_connect_state(ssl_.get());
  return untilDone(
      [this] {
        return tlsStep([](SSL* ssl, std::size_t*) { return SSL_do_handshake(ssl); }, false);
      },
      deadline);
}

bool TlsSocketImpl::startServer(std::shared_ptr<const TlsContext> context) {
  if (!attachSsl(std::move(context))) return false;
  SSL_set_accept_state(ssl_.get());
  return true;
}

X509* TlsSocketImpl::takePeerCertificate() {
  const std::lock_guard lock(mutex_);
  return ssl_ == nullptr ? nullptr : SSL_get1_peer_certificate(ssl_.get());
}

bool TlsSocketImpl::peerIsVerified() {
  const std::lock_guard lock(mutex_);
  return ssl_ != nullptr && context_->verifiesPeer() && SSL_is_init_finished(ssl_.get()) == 1 &&
         SSL_get0_peer_certificate(ssl_.get()) != nullptr &&
         SSL_get_verify_result(ssl_.get()) == X509_V_OK && report_.verify_error == 0;
}

template <typename Operation>
IoResult TlsSocketImpl::tlsStep(Operation operation, bool writes) {
  const std::lock_guard lock(mutex_);
  if (ssl_broken_ || (writes && write_broken_)) return {.state = IoState::kTruncated};
  // SSL_get_error reads this thread's queue. To see that it is empty costs less than to empty it.
  if (ERR_peek_error() != 0) ERR_clear_error();
  std::size_t bytes = 0;
  const int code = operation(ssl_.get(), &bytes);
  if (code > 0) return {.state = IoState::kOk, .bytes = bytes};
  return sslFailure(code, writes);
}

IoResult TlsSocketImpl::sslFailure(int return_code, bool writes) {
  switch (SSL_get_error(ssl_.get(), return_code)) {
    case SSL_ERROR_WANT_READ:
      return {.state = IoState::kWantRead};
    case SSL_ERROR_WANT_WRITE:
      return {.state = IoState::kWantWrite};
    case SSL_ERROR_ZERO_RETURN:
      return {.state = IoState::kEof};
    case SSL_ERROR_SYSCALL:
      (writes ? write_broken_ : ssl_broken_) = true;
      if (bio_state_.error_number == 0) return {.state = IoState::kTruncated};
      return failedWith(bio_state_.error_number);
    default:
      break;
  }
  ssl_broken_ = true;
  const int reason = ERR_GET_REASON(ERR_peek_error());
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    ERR_clear_error();
    return {.state = IoState::kTruncated};
  }
  return {.state = IoState::kFailed,
          .tls_alert = alertOf(reason),
          .tls_reason = reason,
          .what = takeErrorText()};
}

/// True: the last read emptied the socket and OpenSSL holds nothing of it, not even the head of a
/// record: it would have asked for the rest, in vain. Then the buffers go, which
/// SSL_MODE_RELEASE_BUFFERS alone leaves to most connections that idle (measured); in any other
/// case SSL_free_buffers() is not safe before OpenSSL 3.0.14 (CVE-2024-4741).
bool TlsSocketImpl::releaseIfDrainedLocked() {
  if (ssl_ == nullptr || !bio_state_.drained || ssl_broken_) return false;
  if (SSL_has_pending(ssl_.get()) == 1) return false;
  SSL_free_buffers(ssl_.get());
  return true;
}

/// To ask again before the descriptor is readable would be a system call and a buffer for nothing:
/// half of all reads, otherwise. Says so once.
bool TlsSocketImpl::takeDrained() {
  const std::lock_guard lock(mutex_);
  const bool drained = releaseIfDrainedLocked();
  bio_state_.drained = false;
  return drained;
}

void TlsSocketImpl::rest() {
  const std::lock_guard lock(mutex_);
  releaseIfDrainedLocked();
}

IoResult TlsSocketImpl::tryRead(char* data, std::size_t size) {
  if (ssl_ != nullptr) {
    if (takeDrained()) return {.state = IoState::kWantRead};
    return tlsStep([&](SSL* ssl, std::size_t* n) { return SSL_read_ex(ssl, data, size, n); },
                   false);
  }
  const ssize_t n = ::recv(sockfd(), data, size, 0);
  if (n > 0) return {.state = IoState::kOk, .bytes = static_cast<std::size_t>(n)};
  if (n == 0) return {.state = IoState::kEof};
  if (errno == EAGAIN || errno == EINTR) return {.state = IoState::kWantRead};
  return failedWith(errno);
}

IoResult TlsSocketImpl::tryWrite(const char* data, std::size_t size) {
  if (ssl_ != nullptr) {
    return tlsStep([&](SSL* ssl, std::size_t* n) { return SSL_write_ex(ssl, data, size, n); },
                   true);
  }
  const ssize_t n = ::send(sockfd(), data, size, MSG_NOSIGNAL);
  if (n >= 0) return {.state = IoState::kOk, .bytes = static_cast<std::size_t>(n)};
  if (errno == EAGAIN || errno == EINTR) return {.state = IoState::kWantWrite};
  return failedWith(errno);
}

/// Repeats `step` and waits in between for what it wants, until it wants nothing any more.
template <typename Step>
IoResult TlsSocketImpl::untilDone(Step step, Deadline deadline) {
  while (true) {
    IoResult result = step();
    if (result.ok()) return result;
    if (aborted_) return {.state = IoState::kAborted};
    if (result.state != IoState::kWantRead && result.state != IoState::kWantWrite) return result;
    const short events = result.state == IoState::kWantRead ? POLLIN : POLLOUT;
    if (const IoState state = wait(events, deadline); state != IoState::kOk)
      return {.state = state};
  }
}

bool TlsSocketImpl::isQuiet() {
  {
    const std::lock_guard lock(mutex_);
    char byte = 0;
    const bool held = ssl_ != nullptr && SSL_has_pending(ssl_.get()) == 1;
    // Then whoever reads next begins by waiting.
    bio_state_.drained =
        !held && ::recv(sockfd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
    if (bio_state_.drained) return true;
  }
  char byte = 0;
  return tryRead(&byte, 1).state == IoState::kWantRead;
}

IoResult TlsSocketImpl::readSome(char* data, std::size_t size, Deadline deadline) {
  return untilDone([&] { return tryRead(data, size); }, deadline);
}

IoResult TlsSocketImpl::writeAll(const char* data, std::size_t size, Deadline deadline) {
  std::size_t done = 0;
  while (done < size) {
    IoResult result = untilDone([&] { return tryWrite(data + done, size - done); }, deadline);
    if (!result.ok()) {
      result.bytes = done;
      return result;
    }
    done += result.bytes;
  }
  return {.state = IoState::kOk, .bytes = done};
}

void TlsSocketImpl::endWriting() {
  const std::lock_guard lock(mutex_);
  if (!initialized()) return;
  sendCloseNotify();
  ::shutdown(sockfd(), SHUT_WR);
}

void TlsSocketImpl::abort() {
  aborted_ = true;
  // The lock keeps the owner from closing the descriptor, whose number another connection could
  // have by now. shutdown(2) wakes poll(2), also on a socket that is still connecting.
  const std::lock_guard lock(mutex_);
  if (initialized()) ::shutdown(sockfd(), SHUT_RDWR);
}

/// Best effort: told so, the peer knows that nothing was cut off.
void TlsSocketImpl::sendCloseNotify() {
  if (ssl_ == nullptr || ssl_broken_ || write_broken_ || SSL_in_init(ssl_.get()) != 0) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

}  // namespace vkb::net
