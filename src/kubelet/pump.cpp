#include "kubelet/pump.h"

#include <algorithm>
#include <cstring>

namespace vkb::kubelet {
namespace {

using Io = StreamIo::State;

/// Of one turn: others wait for the same thread.
constexpr std::size_t kTurnBytes = 256u << 10;

bool isOver(Io state) { return state == Io::kEnd || state == Io::kBroken; }

void addWant(Io state, Wants& wants) {
  wants.read |= state == Io::kWantRead;
  wants.write |= state == Io::kWantWrite;
}

}  // namespace

/// True when bytes came.
bool OneWay::readSome() {
  if (isOver(last_read_) || isFull()) return false;
  if (buffer_ == nullptr) buffer_ = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  if (kBufferBytes - end_ < kLeastReadBytes) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  const StreamIo read = from_.tryRead(buffer_.get() + end_, kBufferBytes - end_);
  last_read_ = read.state;
  if (read.state != Io::kDone) return false;
  end_ += read.bytes;
  return true;
}

/// True when bytes went.
bool OneWay::writeSome() {
  if (isEmpty()) return false;
  const bool from_first = !first_.empty();
  const char* data = from_first ? first_.data() + first_sent_ : buffer_.get() + begin_;
  const std::size_t size = from_first ? first_.size() - first_sent_ : end_ - begin_;
  const StreamIo written = to_.tryWrite(data, size);
  last_write_ = written.state;
  if (written.state != Io::kDone) return false;
  moved_ += written.bytes;
  if (from_first) {
    first_sent_ += written.bytes;
    if (first_sent_ == first_.size()) first_ = {};
  } else {
    begin_ += written.bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  return true;
}

OneWay::State OneWay::step(std::size_t budget) {
  const std::uint64_t limit = moved_ + budget;
  bool progress = true;
  while (progress && moved_ < limit) {
    progress = readSome();
    progress = writeSome() || progress;
    if (isOver(last_write_)) return State::kRefused;
  }
  if (isEmpty()) {
    buffer_.reset();
    last_write_ = Io::kDone;
    if (last_read_ == Io::kBroken) return State::kCutOff;
    if (last_read_ == Io::kEnd) {
      if (!end_passed_on_) to_.shutdownWrite();
      end_passed_on_ = true;
      return State::kEnded;
    }
  }
  return progress ? State::kMore : State::kWaiting;
}

void OneWay::addWants(Wants& from, Wants& to) const {
  if (!isFull()) addWant(last_read_, from);
  if (!isEmpty()) addWant(last_write_, to);
}

Pump::State Pump::step() {
  bool more = false;
  for (auto [way, over] : {std::pair(&down_, &down_over_), std::pair(&up_, &up_over_)}) {
    if (*over) continue;
    switch (way->step(kTurnBytes)) {
      case OneWay::State::kMore:
        more = true;
        break;
      case OneWay::State::kEnded:
        *over = true;
        break;
      case OneWay::State::kCutOff:
      case OneWay::State::kRefused:
        return State::kOver;
      case OneWay::State::kWaiting:
        break;
    }
  }
  if (mode_ == Mode::kAnswer ? down_over_ || up_over_ : down_over_ && up_over_) return State::kOver;
  return more ? State::kMore : State::kWaiting;
}

Wants Pump::clientWants() const {
  Wants client, backend;
  if (!down_over_) down_.addWants(backend, client);
  if (!up_over_) up_.addWants(client, backend);
  return client;
}

Wants Pump::backendWants() const {
  Wants client, backend;
  if (!down_over_) down_.addWants(backend, client);
  if (!up_over_) up_.addWants(client, backend);
  return backend;
}

}  // namespace vkb::kubelet
