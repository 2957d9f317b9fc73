#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "support/process.h"

namespace vkb::e2e {

/// Cuts a byte stream into TLS records. Once the bytes turn out not to be TLS they come as they
/// are.
class RecordSplitter {
 public:
  static constexpr std::uint8_t kApplicationData = 23;
  /// `type` is the record's, or 0 for bytes that are not TLS.
  using Sink = std::function<void(std::uint8_t type, std::string bytes)>;
  void feed(std::string_view bytes, const Sink& sink);
  /// What is left of an unfinished record, at the end of the stream.
  std::string rest() { return std::move(partial_); }

 private:
  std::string partial_;
  bool raw_ = false;
};

/// One direction of a relayed connection: bytes waiting for the moment they are due.
class Lane {
 public:
  static constexpr std::size_t kMaxBytes = 4U << 20U;  ///< above it the source is not read
  void push(std::string bytes, Deadline due);
  /// Writes what is due; false when the socket failed.
  bool flush(int to, Deadline now);
  bool empty() const { return chunks_.empty(); }
  bool full() const { return bytes_ >= kMaxBytes; }
  /// When the first bytes are due; only when not empty.
  Deadline due() const { return chunks_.front().due; }

  RecordSplitter records;
  bool ended = false;     ///< the source said end of stream
  bool finished = false;  ///< and that was passed on

 private:
  struct Chunk {
    Deadline due;
    std::string bytes;
    std::size_t sent = 0;
  };
  std::deque<Chunk> chunks_;
  std::size_t bytes_ = 0;
};

/// A client's connection and the one made to the server for it.
struct Connection {
  Fd client, server;
  bool connecting = true;  ///< the connect to the server is under way
  bool dead = false;
  bool lose_answer = false;  ///< the next application data from the server is the awaited answer
  Lane to_server, to_client;
};

/// Ends a connection with a reset rather than in order.
void resetSocket(Fd& socket);

}  // namespace vkb::e2e
