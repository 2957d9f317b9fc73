#include "kubelet/connection.h"

#include <Poco/Net/HTTPResponse.h>

#include <array>

namespace vkb::kubelet {
namespace {

/// One TLS record.
constexpr std::size_t kReadBytes = 16u << 10;

/// Status line and fields; a body of known length is in it already.
std::string serialize(const Answer& answer) {
  using Poco::Net::HTTPResponse;
  std::string text =
      "HTTP/1.1 " + std::to_string(answer.code) + " " +
      HTTPResponse::getReasonForStatus(static_cast<HTTPResponse::HTTPStatus>(answer.code)) + "\r\n";
  for (const auto& [name, value] : answer.headers) text += name + ": " + value + "\r\n";
  if (answer.code == 101) return text + "Connection: Upgrade\r\n\r\n";
  text += "Connection: close\r\n";
  if (answer.stream) return text + "Transfer-Encoding: chunked\r\n\r\n";
  return text + "Content-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n" + answer.body;
}

}  // namespace

Connection::Connection(ConnectionHost& host, std::uint64_t id, net::TlsSocketPtr socket)
    : host_(host),
      id_(id),
      socket_(std::move(socket)),
      client_(socket_),
      since_(std::chrono::steady_clock::now()) {}

Connection::~Connection() = default;

void Connection::start() {
  client_watch_ = host_.loop().watch(client_.fd(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->onReady();
  });
  host_.loop().setInterest(client_watch_, true, false);
}

void Connection::setState(State state) {
  const bool head_over = state_ == State::kHead;
  state_ = state;
  since_ = std::chrono::steady_clock::now();
  if (head_over) host_.onHeadOver(*this);
}

void Connection::onReady() {
  switch (state_) {
    case State::kHead:
      return readHead();
    case State::kPumping:
      return step();
    case State::kLingering:
      return drain();
    case State::kWorking:
    case State::kClosed:
      return;
  }
}

void Connection::readHead() {
  std::array<char, kReadBytes> buffer;
  while (state_ == State::kHead) {
    const net::IoResult read = socket_->tryRead(buffer.data(), buffer.size());
    if (read.state == net::IoState::kWantRead || read.state == net::IoState::kWantWrite) {
      const bool reads = read.state == net::IoState::kWantRead;
      return host_.loop().setInterest(client_watch_, reads, !reads);
    }
    if (!read.ok()) return close();
    const std::string_view fresh(buffer.data(), read.bytes);
    const bool first = input_.empty();
    input_.append(fresh);
    host_.onHeadBytes(*this, fresh.size());
    if (state_ != State::kHead) return;
    // Looked at again only for a new line, or one drop at a time would cost its square.
    if (first || fresh.find('\n') != std::string_view::npos ||
        input_.size() >= kMaxRequestHeadBytes) {
      onHead(parseRequestHead(input_));
    }
  }
}

void Connection::onHead(tl::expected<std::optional<RequestHead>, HeadError> parsed) {
  if (!parsed) {
    setState(State::kWorking);
    input_ = {};
    return answer(textAnswer(parsed.error().code, parsed.error().message));
  }
  if (!*parsed) return;
  setState(State::kWorking);
  head_ = std::move(**parsed);
  input_ = input_.substr(head_.size);  // a copy: the head's memory goes
  peer_ = net::verifiedPeer(*socket_);
  host_.loop().setInterest(client_watch_, false, false);
  host_.submit(shared_from_this());
}

void Connection::answer(Answer answer) {
  if (state_ != State::kWorking) return;
  if (answer.stream && !host_.takeSession()) {
    answer = textAnswer(503, "too many sessions are open on this node; try again later");
  } else {
    is_session_ = answer.stream != nullptr;
  }
  std::string text = serialize(answer);
  splices_ = answer.code == 101 && answer.stream;
  backend_ = std::move(answer.stream);
  head_ = {};
  if (splices_) {
    beginPump(Pump::Mode::kSplice, std::move(text), std::exchange(input_, {}));
  } else {
    input_ = {};
    if (backend_) {
      framed_ = std::make_unique<ChunkedSource>(*backend_);
    } else {
      framed_ = std::make_unique<EmptyStream>();
    }
    beginPump(Pump::Mode::kAnswer, std::move(text), "");
  }
}

void Connection::beginPump(Pump::Mode mode, std::string to_client, std::string to_backend) {
  pump_.emplace(mode, client_, framed_ ? *framed_ : *backend_, std::move(to_client),
                std::move(to_backend));
  if (backend_) {
    backend_watch_ = host_.loop().watch(backend_->fd(), [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->step();
    });
  }
  setState(State::kPumping);
  step();
}

void Connection::step() {
  if (state_ != State::kPumping) return;
  const Pump::State state = pump_->step();
  if (pump_->moved() != moved_) {
    moved_ = pump_->moved();
    since_ = std::chrono::steady_clock::now();
  }
  if (state == Pump::State::kOver) return splices_ ? close() : linger();
  setInterests();
  if (state == Pump::State::kMore && !std::exchange(step_posted_, true)) {
    host_.loop().post([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->step_posted_ = false;
      self->step();
    });
  }
}

void Connection::setInterests() {
  const Wants client = pump_->clientWants();
  host_.loop().setInterest(client_watch_, client.read, client.write);
  if (backend_watch_ == 0) return;
  const Wants backend = pump_->backendWants();
  host_.loop().setInterest(backend_watch_, backend.read, backend.write);
}

/// Closing with bytes unread would reset the connection, and the client could lose the answer.
void Connection::linger() {
  client_.shutdownWrite();
  if (std::exchange(is_session_, false)) host_.giveSessionBack();
  setState(State::kLingering);
  drain();
}

void Connection::drain() {
  std::array<char, kReadBytes> buffer;
  // Bounded in time by onTick(); a flood is not worth more than a few records a turn.
  for (int i = 0; i < 16; ++i) {
    const net::IoResult read = socket_->tryRead(buffer.data(), buffer.size());
    if (read.state == net::IoState::kWantRead) {
      return host_.loop().setInterest(client_watch_, true, false);
    }
    if (!read.ok()) return close();
  }
  host_.loop().setInterest(client_watch_, true, false);
}

void Connection::onTick(net::Deadline now) {
  const Limits& limits = host_.limits();
  const auto quiet = now - since_;
  switch (state_) {
    case State::kHead:
      if (quiet >= limits.head_timeout) close();
      return;
    case State::kPumping:
      if (quiet >= limits.idle_timeout || (!is_session_ && quiet >= limits.answer_timeout) ||
          (pump_->isHalfOver() && quiet >= limits.half_open_timeout)) {
        close();
      }
      return;
    case State::kLingering:
      if (quiet >= limits.linger) close();
      return;
    case State::kWorking:  // bounded by the queue and by what the work itself may take
    case State::kClosed:
      return;
  }
}

void Connection::close() {
  if (state_ == State::kClosed) return;
  const auto self = weak_from_this().lock();  // onClosed() may let go of the last other owner
  setState(State::kClosed);
  stop_.request_stop();
  if (client_watch_ != 0) host_.loop().unwatch(client_watch_);
  if (backend_watch_ != 0) host_.loop().unwatch(backend_watch_);
  pump_.reset();
  framed_.reset();
  backend_.reset();
  // The descriptor is closed with the last reference, which may be a task's that is under way.
  socket_->abort();
  if (is_session_) host_.giveSessionBack();
  host_.onClosed(*this);
}

}  // namespace vkb::kubelet
