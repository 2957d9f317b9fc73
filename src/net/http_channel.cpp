#include "net/http_channel.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "net/transport_errors.h"

namespace vkb::net {
namespace {

/// One TLS record.
constexpr std::size_t kReadBytes = 16u << 10;

class ConnectionChannel final : public HttpChannel {
 public:
  ConnectionChannel(std::unique_ptr<Abortable> abortable,
                    std::unique_ptr<HttpConnection> connection, HttpResponse head)
      : abortable_(std::move(abortable)),
        connection_(std::move(connection)),
        socket_(connection_->socket()),
        fd_(socket_->fd()),
        head_(std::move(head)),
        upgraded_(head_.code == 101),
        received_(connection_->takeInput()) {
    // A peer that takes nothing for a while (a program that does not read its stdin) is no dead
    // one. The keep-alive probes stay.
    const int never = 0;
    setsockopt(fd(), IPPROTO_TCP, TCP_USER_TIMEOUT, &never, sizeof never);
  }

  const HttpResponse& head() const override { return head_; }
  int fd() const override { return fd_; }

  IoResult tryRead(char* data, std::size_t size) override {
    return upgraded_ ? readRaw(data, size) : readBody(data, size);
  }

  IoResult tryWrite(const char* data, std::size_t size) override {
    return ours(socket_->tryWrite(data, size));
  }

  void shutdownWrite() override { socket_->endWriting(); }

  Result<std::string> readAll(std::chrono::milliseconds timeout, std::size_t max_bytes) override {
    const Deadline deadline = deadlineIn(timeout);
    std::string all;
    char buffer[kReadBytes];
    while (all.size() <= max_bytes) {
      const IoResult result = tryRead(buffer, sizeof buffer);
      if (result.ok()) {
        all.append(buffer, result.bytes);
      } else if (result.state == IoState::kEof) {
        return all;
      } else if (result.state == IoState::kWantRead || result.state == IoState::kWantWrite) {
        const short events = result.state == IoState::kWantRead ? POLLIN : POLLOUT;
        const IoState waited = socket_->wait(events, deadline);
        if (waited != IoState::kOk) return failure(broken({.state = waited}));
      } else {
        return failure(broken(result));
      }
    }
    return failure({.reason = kReasonBodyTooLarge,
                    .message = connection_->connector()->label() + " sent more than " +
                               std::to_string(max_bytes) + " bytes"});
  }

 private:
  /// What was read together with the head comes first.
  IoResult readRaw(char* data, std::size_t size) {
    if (!received_.empty()) return take(received_, data, size);
    return ours(socket_->tryRead(data, size));
  }

  IoResult readBody(char* data, std::size_t size) {
    while (decoded_.empty()) {
      BodyDecoder& body = connection_->body();
      if (body.finished()) return {.state = IoState::kEof};
      if (received_.empty()) {
        char buffer[kReadBytes];
        const IoResult result = ours(socket_->tryRead(buffer, sizeof buffer));
        if (result.state == IoState::kEof) {
          return {.state = body.endsWithConnection() ? IoState::kEof : IoState::kTruncated};
        }
        if (!result.ok()) return result;
        received_.assign(buffer, result.bytes);
      }
      const auto used = body.feed(received_, decoded_);
      if (!used) return {.state = IoState::kFailed, .what = used.error().message};
      received_.erase(0, *used);
    }
    return take(decoded_, data, size);
  }

  static IoResult take(std::string& from, char* data, std::size_t size) {
    const std::size_t n = std::min(size, from.size());
    std::memcpy(data, from.data(), n);
    if (n == from.size()) {
      from.clear();
      from.shrink_to_fit();  // there may be hundreds of idle ones
    } else {
      from.erase(0, n);
    }
    return {.state = IoState::kOk, .bytes = n};
  }

  /// An abort ends the socket under the reader, who would see it as the peer's doing.
  IoResult ours(IoResult result) const {
    if (!result.ok() && abortable_->handle().aborted()) return {.state = IoState::kAborted};
    return result;
  }

  Status broken(const IoResult& result) const {
    if (result.state == IoState::kAborted) return abortedByUs();
    return unanswered("the connection to " + connection_->connector()->label() +
                      " broke in the middle of an answer: " + howItBroke(result));
  }

  std::unique_ptr<Abortable> abortable_;
  std::unique_ptr<HttpConnection> connection_;
  TlsSocketPtr socket_;  ///< the connection's
  const int fd_;
  const HttpResponse head_;
  const bool upgraded_;
  std::string received_;  ///< from the socket, as it came
  std::string decoded_;   ///< of a body
};

}  // namespace

std::unique_ptr<HttpChannel> makeChannel(std::unique_ptr<Abortable> abortable,
                                         std::unique_ptr<HttpConnection> connection,
                                         HttpResponse head) {
  return std::make_unique<ConnectionChannel>(std::move(abortable), std::move(connection),
                                             std::move(head));
}

}  // namespace vkb::net
