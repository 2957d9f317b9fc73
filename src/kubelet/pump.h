#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "vkbridge/streams.h"

namespace vkb::kubelet {

/// What a stream has to be waited for.
struct Wants {
  bool read = false, write = false;
  bool operator==(const Wants&) const = default;
};

/// One direction of a splice: bytes read from one stream and written to another through one buffer,
/// which exists only while something is in it. Never blocks.
class OneWay {
 public:
  static constexpr std::size_t kBufferBytes = 64u << 10;
  /// Sources are never asked for less.
  static constexpr std::size_t kLeastReadBytes = 8u << 10;

  OneWay(ByteStream& from, ByteStream& to, std::string first)
      : from_(from), to_(to), first_(std::move(first)) {}

  enum class State {
    kWaiting,  ///< for what addWants() says
    kMore,     ///< its turn is over, though it could go on
    kEnded,    ///< all was passed on, and the end too
    kCutOff,   ///< the source broke; what had come was passed on
    kRefused,  ///< nobody takes the bytes any more
  };
  /// Moves what can be moved, at most `budget` bytes.
  State step(std::size_t budget);
  void addWants(Wants& from, Wants& to) const;
  std::uint64_t moved() const { return moved_; }

 private:
  bool isFull() const { return kBufferBytes - (end_ - begin_) < kLeastReadBytes; }
  bool isEmpty() const { return begin_ == end_ && first_.empty(); }
  bool readSome();
  bool writeSome();

  ByteStream& from_;
  ByteStream& to_;
  std::string first_;  ///< goes out before anything that is read
  std::size_t first_sent_ = 0;
  std::unique_ptr<char[]> buffer_;
  std::size_t begin_ = 0, end_ = 0;
  StreamIo::State last_read_ = StreamIo::State::kDone, last_write_ = StreamIo::State::kDone;
  bool end_passed_on_ = false;
  std::uint64_t moved_ = 0;
};

/// Carries one session, each direction for itself: a full buffer one way never keeps the other way
/// from moving (SPDY has no flow control of its own that would).
class Pump {
 public:
  enum class Mode {
    /// Byte for byte. An end is passed on while the other way goes on; over when both have ended,
    /// or when bytes can no longer reach somebody.
    kSplice,
    /// The backend's bytes are an answer: over with its end, or when the client goes. What the
    /// client still says is for nobody.
    kAnswer,
  };
  /// The strings go out first: the answer's head to the client, and what the client had already
  /// sent behind its request to the backend. The streams outlive the pump.
  Pump(Mode mode, ByteStream& client, ByteStream& backend, std::string to_client,
       std::string to_backend = {})
      : mode_(mode),
        down_(backend, client, std::move(to_client)),
        up_(client, backend, std::move(to_backend)) {}

  enum class State { kWaiting, kMore, kOver };
  State step();
  Wants clientWants() const;
  Wants backendWants() const;
  /// One direction has ended.
  bool isHalfOver() const { return up_over_ != down_over_; }
  /// Bytes that have reached somebody.
  std::uint64_t moved() const { return down_.moved() + (mode_ == Mode::kSplice ? up_.moved() : 0); }

 private:
  const Mode mode_;
  OneWay down_, up_;
  bool down_over_ = false, up_over_ = false;
};

}  // namespace vkb::kubelet
