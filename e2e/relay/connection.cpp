#include "relay/connection.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace vkb::e2e {

void RecordSplitter::feed(std::string_view bytes, const Sink& sink) {
  constexpr std::size_t kHeader = 5;
  if (raw_) return sink(0, std::string(bytes));
  partial_.append(bytes);
  while (!partial_.empty()) {
    const auto byte = [this](std::size_t i) { return static_cast<std::uint8_t>(partial_[i]); };
    const bool is_tls = byte(0) >= 20 && byte(0) <= 24 && (partial_.size() < 2 || byte(1) == 3);
    if (!is_tls) {
      raw_ = true;
      return sink(0, std::exchange(partial_, {}));
    }
    if (partial_.size() < kHeader) return;
    const std::size_t length = kHeader + (std::size_t{byte(3)} << 8U) + byte(4);
    if (partial_.size() < length) return;
    const std::uint8_t type = byte(0);
    std::string record = partial_.substr(0, length);
    partial_.erase(0, length);
    sink(type, std::move(record));
  }
}

void Lane::push(std::string bytes, Deadline due) {
  if (bytes.empty()) return;
  bytes_ += bytes.size();
  chunks_.push_back({due, std::move(bytes)});
}

bool Lane::flush(int to, Deadline now) {
  while (!chunks_.empty() && chunks_.front().due <= now) {
    Chunk& chunk = chunks_.front();
    const ssize_t n = ::send(to, chunk.bytes.data() + chunk.sent, chunk.bytes.size() - chunk.sent,
                             MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    chunk.sent += static_cast<std::size_t>(n);
    bytes_ -= static_cast<std::size_t>(n);
    if (chunk.sent == chunk.bytes.size()) chunks_.pop_front();
  }
  if (chunks_.empty() && ended && !finished) {
    ::shutdown(to, SHUT_WR);
    finished = true;
  }
  return true;
}

void resetSocket(Fd& socket) {
  if (!socket) return;
  const linger now{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  socket.reset();
}

}  // namespace vkb::e2e
