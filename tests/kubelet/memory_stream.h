#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <string>

#include "vkbridge/streams.h"

namespace vkb::test {

/// A stream whose other side is the test: what it gives, how much it takes, how it ends.
class MemoryStream final : public ByteStream {
 public:
  std::string incoming;          ///< to be read
  std::size_t piece = 1u << 20;  ///< most of it that one read gives, and one write takes
  std::string outgoing;          ///< what was written
  std::size_t room = SIZE_MAX;   ///< how much more is taken
  bool ended = false, broken = false, refuses = false;
  int write_ends = 0;
  int fd_number = -1;

  int fd() const override { return fd_number; }
  StreamIo tryRead(char* data, std::size_t size) override {
    const std::size_t n = std::min({size, piece, incoming.size()});
    if (n > 0) {
      std::memcpy(data, incoming.data(), n);
      incoming.erase(0, n);
      return {StreamIo::State::kDone, n};
    }
    if (broken) return {StreamIo::State::kBroken, 0};
    if (ended) return {StreamIo::State::kEnd, 0};
    return {StreamIo::State::kWantRead, 0};
  }
  StreamIo tryWrite(const char* data, std::size_t size) override {
    if (refuses) return {StreamIo::State::kBroken, 0};
    const std::size_t n = std::min({size, piece, room});
    if (n == 0) return {StreamIo::State::kWantWrite, 0};
    outgoing.append(data, n);
    room -= n;
    return {StreamIo::State::kDone, n};
  }
  void shutdownWrite() override { ++write_ends; }
};

}  // namespace vkb::test
