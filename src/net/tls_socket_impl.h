#pragma once

#include <Poco/AutoPtr.h>
#include <Poco/Net/StreamSocketImpl.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>

#include "net/io.h"
#include "net/socket_bio.h"
#include "net/tls_context.h"

namespace vkb::net {

/// A TCP connection that starts plain and may turn into TLS once; goes under Poco's HTTP classes in
/// place of Poco::Net::SecureStreamSocketImpl, whose defects it does not share: the descriptor
/// never blocks, waiting is poll(2) with a deadline outside any lock, and the lock is held round
/// single SSL_* calls only.
///
/// Threads: one may read while another writes; abort() may come from any third. Closing and
/// destroying is the owner's, after both are done.
class TlsSocketImpl final : public Poco::Net::StreamSocketImpl {
 public:
  /// Takes over `fd` and makes it non-blocking.
  explicit TlsSocketImpl(int fd);

  /// Connects an unconnected descriptor.
  IoResult dial(const sockaddr* address, socklen_t size, Deadline deadline);

  /// Client side handshake, up to its end. `peer_name` is what the certificate must be good for: a
  /// DNS name (then also sent as SNI) or an IP address.
  IoResult startClient(std::shared_ptr<const TlsContext> context, const std::string& peer_name,
                       Deadline deadline);
  /// Server side; the handshake happens with the first read or write, so that accepting never waits
  /// for a slow client.
  bool startServer(std::shared_ptr<const TlsContext> context);

  /// What the handshake found; complete once it has failed or ended.
  const HandshakeReport& report() const { return report_; }
  /// The peer's verified leaf certificate or null; the caller frees it. After the handshake.
  X509* takePeerCertificate();
  /// The peer sent a certificate, and the context's authorities cover it. After the handshake.
  bool peerIsVerified();

  // Never wait. kWantRead and kWantWrite say what to poll for, whatever came meanwhile.
  IoResult tryRead(char* data, std::size_t size);
  IoResult tryWrite(const char* data, std::size_t size);
  // Wait. A read returns as soon as there is something.
  IoResult readSome(char* data, std::size_t size, Deadline deadline);
  IoResult writeAll(const char* data, std::size_t size, Deadline deadline);
  /// Looks: nothing came, no end either. What TLS itself sends behind an answer (session tickets)
  /// is taken in.
  bool isQuiet();
  /// kOk when poll(2) reports any of `events` (or an error, which the next call shows).
  IoState wait(short events, Deadline deadline);

  /// Nothing is to come for a while: buffers go, unless there is something in them.
  void rest();
  /// close_notify and FIN, as far as they can go out at once; reading goes on. Never fails: a peer
  /// that is gone needs to be told nothing.
  void endWriting();

  /// Ends the connection under whoever reads, writes or dials: they return kAborted at once.
  void abort();
  bool aborted() const { return aborted_.load(); }
  int fd() const { return sockfd(); }

  // Poco::Net::SocketImpl. Timeouts and blocking are this class's own; errors become Poco's
  // exceptions here and nowhere else.
  int sendBytes(const void* buffer, int length, int flags = 0) override;
  int receiveBytes(void* buffer, int length, int flags = 0) override;
  using Poco::Net::StreamSocketImpl::receiveBytes;
  using Poco::Net::StreamSocketImpl::sendBytes;
  int available() override;
  bool poll(const Poco::Timespan& timeout, int mode) override;
  void close() override;
  void shutdownSend() override;
  void shutdown() override;
  void setSendTimeout(const Poco::Timespan& timeout) override { send_timeout_ = timeout; }
  Poco::Timespan getSendTimeout() override { return send_timeout_; }
  void setReceiveTimeout(const Poco::Timespan& timeout) override { receive_timeout_ = timeout; }
  Poco::Timespan getReceiveTimeout() override { return receive_timeout_; }
  void setBlocking(bool flag) override { blocking_ = flag; }
  bool getBlocking() const override { return blocking_; }
  bool secure() const override { return ssl_ != nullptr; }

 protected:
  ~TlsSocketImpl() override;

 private:
  bool attachSsl(std::shared_ptr<const TlsContext> context);
  bool expectPeer(const std::string& peer_name);
  template <typename Operation>
  IoResult tlsStep(Operation operation, bool writes);
  template <typename Step>
  IoResult untilDone(Step step, Deadline deadline);
  IoResult sslFailure(int return_code, bool writes);
  bool releaseIfDrainedLocked();
  bool takeDrained();
  void sendCloseNotify();

  struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  SocketBioState bio_state_;
  HandshakeReport report_;
  std::shared_ptr<const TlsContext> context_;
  std::mutex mutex_;  ///< round each SSL_* call and round closing the descriptor
  std::unique_ptr<SSL, SslFree> ssl_;
  bool ssl_broken_ = false;  ///< after a fatal error only SSL_free is allowed
  /// The peer takes nothing any more; what it said before (an alert, an answer) can still be read.
  bool write_broken_ = false;
  std::atomic<bool> aborted_{false};
  Poco::Timespan send_timeout_{0}, receive_timeout_{0};  ///< 0: for ever, as in Poco
  bool blocking_ = true;
};

using TlsSocketPtr = Poco::AutoPtr<TlsSocketImpl>;

}  // namespace vkb::net
