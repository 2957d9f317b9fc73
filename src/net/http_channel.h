#pragma once

#include <memory>
#include <string>

#include "net/abort_registry.h"
#include "net/http_client.h"
#include "net/http_connection.h"
#include "net/io.h"

namespace vkb::net {

/// An answer whose head was read, on a connection of its own, for who carries many at once: nothing
/// here but readAll() waits. After 101 both directions are open and what travels is the other
/// protocol's; after any other code the body is read, without its framing.
/// One thread; HttpRequest::stop and the client's shutdown() may end it from others.
class HttpChannel {
 public:
  virtual ~HttpChannel() = default;
  virtual const HttpResponse& head() const = 0;  ///< body empty
  virtual int fd() const = 0;
  /// kEof: the body is complete, or after 101 the peer has ended its direction. kTruncated: it was
  /// cut off.
  virtual IoResult tryRead(char* data, std::size_t size) = 0;
  /// After 101 only.
  virtual IoResult tryWrite(const char* data, std::size_t size) = 0;
  virtual void shutdownWrite() = 0;
  /// The rest of the body, for answers that are small by nature.
  virtual Result<std::string> readAll(std::chrono::milliseconds timeout, std::size_t max_bytes) = 0;
};

std::unique_ptr<HttpChannel> makeChannel(std::unique_ptr<Abortable> abortable,
                                         std::unique_ptr<HttpConnection> connection,
                                         HttpResponse head);

}  // namespace vkb::net
