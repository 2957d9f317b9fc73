#pragma once

#include <memory>

#include "net/http_channel.h"
#include "net/tls_socket_impl.h"
#include "vkbridge/streams.h"

namespace vkb::kubelet {

StreamIo toStreamIo(const net::IoResult& result);

/// A connection of ours as a stream. Does not own the TLS context, which the socket does.
class SocketStream final : public ByteStream {
 public:
  explicit SocketStream(net::TlsSocketPtr socket)
      : socket_(std::move(socket)), fd_(socket_->fd()) {}
  int fd() const override { return fd_; }
  StreamIo tryRead(char* data, std::size_t size) override {
    return toStreamIo(socket_->tryRead(data, size));
  }
  StreamIo tryWrite(const char* data, std::size_t size) override {
    return toStreamIo(socket_->tryWrite(data, size));
  }
  void shutdownWrite() override { socket_->endWriting(); }

 private:
  net::TlsSocketPtr socket_;
  const int fd_;
};

/// An answer of another server, or its upgraded connection, as a stream: what a provider whose
/// backend is an API server gives.
std::unique_ptr<ByteStream> streamOf(std::unique_ptr<net::HttpChannel> channel);

/// `source` with HTTP's chunks put round what is read of it, and the last chunk at its end; a
/// source that breaks gives none, so that the reader knows. Asked for at least kChunkOverhead + 1
/// bytes. What is written to it is for nobody.
class ChunkedSource final : public ByteStream {
 public:
  static constexpr std::size_t kChunkOverhead = 8;
  explicit ChunkedSource(ByteStream& source) : source_(source) {}
  int fd() const override { return source_.fd(); }
  StreamIo tryRead(char* data, std::size_t size) override;
  StreamIo tryWrite(const char*, std::size_t size) override {
    return {StreamIo::State::kDone, size};
  }
  void shutdownWrite() override {}

 private:
  ByteStream& source_;
  bool last_given_ = false;
};

/// Has ended; takes everything and keeps nothing. The backend of an answer that is there already.
class EmptyStream final : public ByteStream {
 public:
  int fd() const override { return -1; }
  StreamIo tryRead(char*, std::size_t) override { return {StreamIo::State::kEnd, 0}; }
  StreamIo tryWrite(const char*, std::size_t size) override {
    return {StreamIo::State::kDone, size};
  }
  void shutdownWrite() override {}
};

}  // namespace vkb::kubelet
