#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "net/server/test_certs.h"

namespace vkb::test {

/// A request as it arrived.
struct ReceivedRequest {
  std::string method;
  std::string target;
  std::string head;  ///< all lines, with their CRLF
  std::string body;
  bool in_one_piece = false;  ///< head and body came with a single read

  bool has(std::string_view text) const { return head.find(text) != std::string::npos; }
};

/// One accepted connection, seen by the handler that serves it. Blocking, and written with OpenSSL
/// alone: nothing of the code under test serves it.
class TestConnection {
 public:
  ~TestConnection();
  TestConnection(const TestConnection&) = delete;
  TestConnection& operator=(const TestConnection&) = delete;

  /// The next request with its Content-Length body; nothing when the client has gone.
  std::optional<ReceivedRequest> readRequest();
  /// True when all was taken.
  bool write(std::string_view bytes);
  /// A complete answer with Content-Length.
  bool answer(int code, std::string_view body, std::string_view more_headers = "");
  /// Head of a chunked answer, then its parts.
  bool startChunked();
  bool chunk(std::string_view bytes);
  bool endChunked() { return write("0\r\n\r\n"); }

  /// close_notify under TLS, then FIN.
  void closeInOrder();
  void cutOff();  ///< FIN without close_notify
  void reset();   ///< RST
  /// Until the client ends the connection.
  void waitForEnd();
  /// The same, unless `wake_fd` gets readable before: then false.
  bool waitForEndOr(int wake_fd);
  /// Bytes to and from another port, until either side ends: what a CONNECT proxy does.
  void tunnelTo(std::uint16_t port);

  bool usesTls() const { return ssl_ != nullptr; }
  std::string sni() const;                ///< "" when the client sent none
  int number() const { return number_; }  ///< 1 for the first connection of the server

 private:
  friend class TlsTestServer;
  TestConnection(int fd, int number) : fd_(fd), number_(number) {}
  long read(char* data, std::size_t size);

  int fd_;
  SSL* ssl_ = nullptr;
  int number_;
  std::string input_;
};

struct TestServerOptions {
  CertPair cert{};                    ///< empty: plain HTTP
  std::string client_ca_pem{};        ///< asks for client certificates of this authority …
  bool client_cert_required = false;  ///< … and ends the handshake without one
  int max_tls_version = 0;            ///< TLS1_2_VERSION to forbid 1.3
  std::string address = "127.0.0.1";  ///< or "::1"
  bool silent_handshake = false;      ///< accepts TCP and says nothing
};

/// A server on a loopback port of its own; each connection is served by `handler` on a thread of
/// its own. Destroying it ends every connection and joins every thread.
class TlsTestServer {
 public:
  using Handler = std::function<void(TestConnection&)>;

  TlsTestServer(TestServerOptions options, Handler handler);
  ~TlsTestServer();
  TlsTestServer(const TlsTestServer&) = delete;
  TlsTestServer& operator=(const TlsTestServer&) = delete;

  std::uint16_t port() const { return port_; }
  /// Connections accepted so far (TCP; the handshake may have failed).
  int accepted() const { return accepted_; }
  /// Handler that answers `code` and `body` to every request for as long as the client stays.
  static Handler always(int code, std::string body);

 private:
  void acceptLoop();
  void serve(int fd, int number);

  const TestServerOptions options_;
  const Handler handler_;
  SSL_CTX* ctx_ = nullptr;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> accepted_{0};
  std::mutex mutex_;
  bool stopping_ = false;  ///< guarded by mutex_, as what follows
  std::set<int> open_;     ///< descriptors of running connections
  std::vector<std::thread> threads_;
  std::thread accept_thread_;
};

/// A count that one thread raises and another waits for, with a deadline so that a broken test
/// fails instead of hanging.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  /// False after 20 s.
  bool wait(int count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

}  // namespace vkb::test
