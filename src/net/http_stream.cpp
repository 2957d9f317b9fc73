#include "net/http_stream.h"

#include "net/transport_errors.h"

namespace vkb::net {
namespace {

StreamLine failedLine(tl::unexpected<Status> why) {
  return {.state = StreamLine::State::kFailed, .error = std::move(why.value())};
}

}  // namespace

tl::unexpected<Status> ConnectionStream::fail(Status status) {
  failed_ = status;
  return failure(std::move(status));
}

/// fail() for what the server or the network did to the connection.
tl::unexpected<Status> ConnectionStream::broke(Status status) {
  breaks_->reportUnlessAborted(status);
  return fail(std::move(status));
}

StreamLine ConnectionStream::tryReadLine() {
  using State = StreamLine::State;
  if (failed_) return failedLine(failure(*failed_));
  if (abortable_->handle().aborted()) return failedLine(fail(abortedByUs()));
  while (true) {
    if (auto line = lines_.takeLine()) return {.state = State::kLine, .text = std::move(*line)};
    if (lines_.size() > kMaxLineBytes) {
      return failedLine(
          fail({.reason = kReasonBodyTooLarge,
                .message = connection_->connector()->label() +
                           " sent a line longer than 64 MiB; the stream was given up"}));
    }
    const auto more = connection_->tryReadBody(lines_.bytes());
    if (!more) return failedLine(broke(more.error()));
    switch (*more) {
      case IoState::kOk:
        continue;
      case IoState::kWantRead:
      case IoState::kWantWrite:
        lines_.shrink();
        return {.state = *more == IoState::kWantRead ? State::kWantRead : State::kWantWrite};
      default:
        break;
    }
    if (lines_.size() == 0) return {.state = State::kEnd};
    return failedLine(broke(unanswered("the stream from " + connection_->connector()->label() +
                                       " ended in the middle of a line")));
  }
}

Status ConnectionStream::breakForSilence(std::chrono::milliseconds waited) {
  return broke(unanswered("the stream from " + connection_->connector()->label() +
                          " was silent for " + durationText(waited)))
      .value();
}

Result<std::string> ConnectionStream::readAll(std::chrono::milliseconds timeout,
                                              std::size_t max_bytes) {
  if (failed_) return failure(*failed_);
  const Deadline deadline = deadlineIn(timeout);
  std::string all = lines_.takeRest();
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
