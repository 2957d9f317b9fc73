#pragma once

#include <memory>
#include <string>
#include <utility>

#include "net/body_decoder.h"
#include "net/connector.h"
#include "net/http_client.h"
#include "net/tls_socket_impl.h"

namespace vkb::net {

/// Why no head was read, with what a retry needs to know.
struct ExchangeFailure {
  Status status;
  /// The connection had ended before a byte of the answer came, as one does that the server had
  /// given up while it was idle.
  bool connection_was_dead = false;
  bool nothing_sent = false;
};

/// One HTTP/1.1 connection: request out, head in, body in, again. Used by one thread at a time;
/// what another thread may do is abort the socket.
class HttpConnection {
 public:
  HttpConnection(std::shared_ptr<Connector> connector, TlsSocketPtr socket)
      : connector_(std::move(connector)), socket_(std::move(socket)) {}

  const std::shared_ptr<Connector>& connector() const { return connector_; }
  const TlsSocketPtr& socket() const { return socket_; }
  /// Has carried an exchange before the one asked for next.
  bool wasUsed() const { return was_used_; }

  /// Sends `wire` and reads the head of the answer; interim (1xx) answers are read past.
  /// `timeout` is for the message only.
  tl::expected<HttpResponse, ExchangeFailure> exchange(const std::string& wire, bool for_head,
                                                       Deadline deadline,
                                                       std::chrono::milliseconds timeout);
  /// Appends what comes next of the body; false at its end. Every failure is "Unanswered" or
  /// "Aborted"; a body that ends too early is one.
  Result<bool> readBody(std::string& out, Deadline deadline);
  /// The same without waiting: kOk when something came, kEof at the body's end, kWantRead or
  /// kWantWrite.
  Result<IoState> tryReadBody(std::string& out);
  /// Length of the body when the server told it, else 0.
  std::uint64_t announcedLength() const { return announced_length_; }

  /// What came behind the head and was not read as a body: after an upgrade, the other protocol.
  std::string takeInput() { return std::exchange(input_, {}); }
  BodyDecoder& body() { return body_; }

  /// The answer was read to its end and both sides keep the connection.
  bool isReusable() const { return keep_alive_ && body_.finished() && input_.empty(); }
  /// Nobody uses it for a while.
  void rest() { socket_->rest(); }
  /// False when the server has closed the connection, or sent what nobody asked for.
  bool isStillQuiet();

 private:
  tl::expected<HttpResponse, ExchangeFailure> readHead(bool for_head, Deadline deadline,
                                                       std::chrono::milliseconds timeout);
  IoResult fill(Deadline deadline);
  IoResult tryFill();
  template <typename Fill>
  Result<IoState> readBodyBy(Fill fill, std::string& out);
  ExchangeFailure noHead(const IoResult& result, std::chrono::milliseconds timeout) const;
  Status broken(const IoResult& result, const char* when) const;

  std::shared_ptr<Connector> connector_;
  TlsSocketPtr socket_;
  std::string input_;  ///< received and not yet used
  BodyDecoder body_;
  std::uint64_t announced_length_ = 0;
  bool keep_alive_ = false;
  bool was_used_ = false;
};

}  // namespace vkb::net
