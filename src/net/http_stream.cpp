#include "net/http_stream.h"

#include "net/transport_errors.h"

namespace vkb::net {

tl::unexpected<Status> ConnectionStream::fail(Status status) {
  failed_ = status;
  return failure(std::move(status));
}

/// fail() for what the server or the network did to the connection.
tl::unexpected<Status> ConnectionStream::broke(Status status) {
  breaks_->reportUnlessAborted(status);
  return fail(std::move(status));
}

/// The next complete line in the buffer, if there is one. Used text is dropped once it is worth the
/// move.
std::optional<std::string> ConnectionStream::takeLine() {
  constexpr std::size_t kWorthMoving = 256u << 10;
  const std::size_t end = buffer_.find('\n', scanned_);
  if (end == std::string::npos) {
    buffer_.erase(0, start_);
    start_ = 0;
    scanned_ = buffer_.size();
    return std::nullopt;
  }
  std::string line = buffer_.substr(start_, end - start_);
  start_ = scanned_ = end + 1;
  if (start_ == buffer_.size() || start_ > kWorthMoving) {
    buffer_.erase(0, start_);
    start_ = scanned_ = 0;
  }
  return line;
}

Result<std::optional<std::string>> ConnectionStream::readLine(std::chrono::milliseconds idle) {
  if (failed_) return failure(*failed_);
  if (abortable_->handle().aborted()) return fail(abortedByUs());
  while (true) {
    if (auto line = takeLine()) return line;
    if (buffer_.size() > kMaxLineBytes) {
      return fail({.reason = kReasonBodyTooLarge,
                   .message = connection_->connector()->label() +
                              " sent a line longer than 64 MiB; the stream was given up"});
    }
    const auto more = connection_->readBody(buffer_, deadlineIn(idle));
    if (!more) return broke(more.error());
    if (*more) continue;
    if (buffer_.empty()) return std::nullopt;
    return broke(unanswered("the stream from " + connection_->connector()->label() +
                            " ended in the middle of a line"));
  }
}

Result<std::string> ConnectionStream::readAll(std::chrono::milliseconds timeout,
                                              std::size_t max_bytes) {
  if (failed_) return failure(*failed_);
  const Deadline deadline = deadlineIn(timeout);
  std::string all = buffer_.substr(start_);
  buffer_.clear();
  start_ = scanned_ = 0;
  while (true) {
    if (all.size() > max_bytes) {
      return fail({.reason = kReasonBodyTooLarge,
                   .message = connection_->connector()->label() + " sent more than " +
                              std::to_string(max_bytes) + " bytes"});
    }
    const auto more = connection_->readBody(all, deadline);
    if (!more) return broke(more.error());
    if (!*more) return all;
  }
}

}  // namespace vkb::net
