#include "net/http_connection.h"

#include <algorithm>
#include <cerrno>

#include "base/write_stamp.h"
#include "net/http_head.h"
#include "net/transport_errors.h"

namespace vkb::net {
namespace {

/// One TLS record. More would not come in one read.
constexpr std::size_t kReadBytes = 16u << 10;

bool isDead(const IoResult& result) {
  return result.state == IoState::kEof || result.state == IoState::kTruncated ||
         (result.state == IoState::kFailed &&
          (result.error_number == ECONNRESET || result.error_number == EPIPE));
}

}  // namespace

Status HttpConnection::broken(const IoResult& result, const char* when) const {
  if (result.state == IoState::kAborted) return abortedByUs();
  return unanswered("the connection to " + connector_->label() + " broke " + when + ": " +
                    howItBroke(result));
}

ExchangeFailure HttpConnection::noHead(const IoResult& result,
                                       std::chrono::milliseconds timeout) const {
  if (result.state == IoState::kTimeout) {
    return {.status = unanswered(connector_->label() + " gave no answer within " +
                                 durationText(timeout) + "; check that the server is healthy")};
  }
  // A refused client certificate ends the handshake on the server's side: no request was looked at.
  if (!was_used_ && isClientCertificateAlert(result.tls_alert) &&
      connector_->context() != nullptr) {
    return {.status = clientCertificateRefused(connector_->label(), result, *connector_->context()),
            .nothing_sent = true};
  }
  return {.status = broken(result, "before an answer came"),
          .connection_was_dead = isDead(result) && input_.empty()};
}

tl::expected<HttpResponse, ExchangeFailure> HttpConnection::exchange(
    const std::string& wire, bool for_head, Deadline deadline, std::chrono::milliseconds timeout) {
  keep_alive_ = false;
  const IoResult sent = socket_->writeAll(wire.data(), wire.size(), deadline);
  if (!sent.ok()) {
    // A server that refuses a large request may answer before it has read all of it, and close: the
    // answer (or the TLS alert) can be there although writing failed.
    const bool may_have_answered =
        sent.state == IoState::kFailed || sent.state == IoState::kTruncated;
    if (may_have_answered) {
      auto answer =
          readHead(for_head, std::min(deadline, deadlineIn(std::chrono::seconds(1))), timeout);
      keep_alive_ = false;
      if (answer || !answer.error().connection_was_dead) {
        was_used_ = true;
        return answer;
      }
    }
    ExchangeFailure failed = noHead(sent, timeout);
    if (sent.bytes == 0) {
      failed.nothing_sent = true;
      if (failed.status.reason == reasons::kUnanswered) {
        failed.status.reason = reasons::kUnreachable;
      }
    }
    return tl::unexpected(std::move(failed));
  }
  base::noteRequestWritten(std::chrono::steady_clock::now());
  auto answer = readHead(for_head, deadline, timeout);
  was_used_ = true;
  return answer;
}

/// Reads once into input_.
IoResult HttpConnection::fill(Deadline deadline) {
  // Where data never runs out, poll(2) is never asked.
  if (std::chrono::steady_clock::now() > deadline) return {.state = IoState::kTimeout};
  char bytes[kReadBytes];  // most reads bring a fraction of it: nothing is filled with zeros
  IoResult result = socket_->readSome(bytes, sizeof bytes, deadline);
  if (result.ok()) input_.append(bytes, result.bytes);
  return result;
}

/// The same without waiting.
IoResult HttpConnection::tryFill() {
  char bytes[kReadBytes];
  IoResult result = socket_->tryRead(bytes, sizeof bytes);
  if (result.ok()) {
    input_.append(bytes, result.bytes);
  } else if (socket_->aborted()) {
    result = {.state = IoState::kAborted};  // and not what an abort looks like from here
  } else {
    input_.shrink_to_fit();  // it is empty, and there may be hundreds of idle ones
  }
  return result;
}

tl::expected<HttpResponse, ExchangeFailure> HttpConnection::readHead(
    bool for_head, Deadline deadline, std::chrono::milliseconds timeout) {
  while (true) {
    if (!input_.empty()) {
      auto head = parseResponseHead(input_, for_head);
      if (!head) {
        head.error().message = connector_->label() + ": " + head.error().message;
        return tl::unexpected(ExchangeFailure{.status = std::move(head.error())});
      }
      if (*head) {
        ResponseHead& found = **head;
        input_.erase(0, found.size);
        const int code = found.response.code;
        if (code >= 100 && code < 200 && code != 101) continue;
        keep_alive_ = found.keep_alive;
        announced_length_ = found.framing == Framing::kLength ? found.length : 0;
        body_ = BodyDecoder(found);
        return std::move(found.response);
      }
    }
    const IoResult result = fill(deadline);
    if (!result.ok()) return tl::unexpected(noHead(result, timeout));
  }
}

template <typename Fill>
Result<IoState> HttpConnection::readBodyBy(Fill fill, std::string& out) {
  const std::size_t before = out.size();
  while (!body_.finished()) {
    if (input_.empty()) {
      const IoResult result = fill();
      if (result.state == IoState::kWantRead || result.state == IoState::kWantWrite) {
        return result.state;
      }
      if (result.state == IoState::kEof && body_.endsWithConnection()) break;
      if (!result.ok()) {
        keep_alive_ = false;
        return failure(broken(result, "in the middle of an answer"));
      }
    }
    const auto used = body_.feed(input_, out);
    if (!used) {
      keep_alive_ = false;
      return tl::unexpected(used.error());
    }
    input_.erase(0, *used);
    if (out.size() > before) return IoState::kOk;
  }
  return out.size() > before ? IoState::kOk : IoState::kEof;
}

Result<bool> HttpConnection::readBody(std::string& out, Deadline deadline) {
  const auto state = readBodyBy([&] { return fill(deadline); }, out);
  if (!state) return failure(state.error());
  return *state == IoState::kOk;
}

Result<IoState> HttpConnection::tryReadBody(std::string& out) {
  return readBodyBy([this] { return tryFill(); }, out);
}

bool HttpConnection::isStillQuiet() { return input_.empty() && socket_->isQuiet(); }

}  // namespace vkb::net
