#include "kubelet/net_streams.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace vkb::kubelet {
namespace {

class ChannelStream final : public ByteStream {
 public:
  explicit ChannelStream(std::unique_ptr<net::HttpChannel> channel)
      : channel_(std::move(channel)) {}
  int fd() const override { return channel_->fd(); }
  StreamIo tryRead(char* data, std::size_t size) override {
    return toStreamIo(channel_->tryRead(data, size));
  }
  StreamIo tryWrite(const char* data, std::size_t size) override {
    return toStreamIo(channel_->tryWrite(data, size));
  }
  void shutdownWrite() override { channel_->shutdownWrite(); }

 private:
  std::unique_ptr<net::HttpChannel> channel_;
};

}  // namespace

StreamIo toStreamIo(const net::IoResult& result) {
  using net::IoState;
  switch (result.state) {
    case IoState::kOk:
      return {StreamIo::State::kDone, result.bytes};
    case IoState::kWantRead:
      return {StreamIo::State::kWantRead, 0};
    case IoState::kWantWrite:
      return {StreamIo::State::kWantWrite, 0};
    case IoState::kEof:
      return {StreamIo::State::kEnd, 0};
    default:
      return {StreamIo::State::kBroken, 0};
  }
}

std::unique_ptr<ByteStream> streamOf(std::unique_ptr<net::HttpChannel> channel) {
  return std::make_unique<ChannelStream>(std::move(channel));
}

StreamIo ChunkedSource::tryRead(char* data, std::size_t size) {
  if (last_given_) return {StreamIo::State::kEnd, 0};
  // "ffff\r\n", the bytes, "\r\n": leading zeros are allowed (RFC 9112 §7.1).
  constexpr std::size_t kSizeLine = 6, kMostBytes = 0xffff;
  const StreamIo read =
      source_.tryRead(data + kSizeLine, std::min(size - kChunkOverhead, kMostBytes));
  if (read.state == StreamIo::State::kEnd) {
    constexpr std::string_view kLast = "0\r\n\r\n";
    std::memcpy(data, kLast.data(), kLast.size());
    last_given_ = true;
    return {StreamIo::State::kDone, kLast.size()};
  }
  if (read.state != StreamIo::State::kDone) return read;
  constexpr const char* kHex = "0123456789abcdef";
  for (std::size_t i = 0; i < 4; ++i) data[i] = kHex[(read.bytes >> (12 - 4 * i)) & 15];
  std::memcpy(data + 4, "\r\n", 2);
  std::memcpy(data + kSizeLine + read.bytes, "\r\n", 2);
  return {StreamIo::State::kDone, read.bytes + kChunkOverhead};
}

}  // namespace vkb::kubelet
