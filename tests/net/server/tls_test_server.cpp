#include "net/tls_test_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace vkb::test {
namespace {

void must(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  ERR_print_errors_fp(stderr);
  std::abort();
}

sockaddr_storage addressOf(const std::string& text, std::uint16_t port, socklen_t& size) {
  sockaddr_storage storage{};
  if (text.find(':') == std::string::npos) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    must(inet_pton(AF_INET, text.c_str(), &v4->sin_addr) == 1, "inet_pton");
    size = sizeof *v4;
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    must(inet_pton(AF_INET6, text.c_str(), &v6->sin6_addr) == 1, "inet_pton");
    size = sizeof *v6;
  }
  return storage;
}

SSL_CTX* newContext(const TestServerOptions& options) {
  SSL_CTX* ctx = SSL_CTX_new(TLS_server_method());
  must(ctx != nullptr, "SSL_CTX_new");
  if (options.max_tls_version != 0) SSL_CTX_set_max_proto_version(ctx, options.max_tls_version);
  BIO* certs = BIO_new_mem_buf(options.cert.cert_pem.data(), -1);
  X509* leaf = PEM_read_bio_X509(certs, nullptr, nullptr, nullptr);
  must(leaf != nullptr && SSL_CTX_use_certificate(ctx, leaf) == 1, "server certificate");
  X509_free(leaf);
  while (X509* next = PEM_read_bio_X509(certs, nullptr, nullptr, nullptr)) {
    SSL_CTX_add0_chain_cert(ctx, next);
  }
  BIO_free(certs);
  BIO* keys = BIO_new_mem_buf(options.cert.key_pem.data(), -1);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(keys, nullptr, nullptr, nullptr);
  must(key != nullptr && SSL_CTX_use_PrivateKey(ctx, key) == 1, "server key");
  EVP_PKEY_free(key);
  BIO_free(keys);
  if (!options.client_ca_pem.empty()) {
    BIO* cas = BIO_new_mem_buf(options.client_ca_pem.data(), -1);
    X509* ca = PEM_read_bio_X509(cas, nullptr, nullptr, nullptr);
    must(ca != nullptr, "client CA");
    X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca);
    X509_free(ca);
    BIO_free(cas);
    const int required = options.client_cert_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | required, nullptr);
  }
  ERR_clear_error();
  return ctx;
}

int fdOf(BIO* bio) { return static_cast<int>(BIO_get_fd(bio, nullptr)); }

int bioWrite(BIO* bio, const char* data, int size) {
  return static_cast<int>(::send(fdOf(bio), data, static_cast<std::size_t>(size), MSG_NOSIGNAL));
}

int bioRead(BIO* bio, char* data, int size) {
  return static_cast<int>(::recv(fdOf(bio), data, static_cast<std::size_t>(size), 0));
}

/// OpenSSL's own socket BIO but for the two calls: ThreadSanitizer learns the order of two threads
/// from the bytes between them only where instrumented code sends and receives those.
BIO* newSocketBio(int fd) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_TYPE_SOCKET, "test socket");
    BIO_meth_set_create(made, BIO_meth_get_create(BIO_s_socket()));
    BIO_meth_set_destroy(made, BIO_meth_get_destroy(BIO_s_socket()));
    BIO_meth_set_ctrl(made, BIO_meth_get_ctrl(BIO_s_socket()));
    BIO_meth_set_write(made, bioWrite);
    BIO_meth_set_read(made, bioRead);
    return made;
  }();
  BIO* bio = BIO_new(method);
  BIO_set_fd(bio, fd, BIO_NOCLOSE);
  return bio;
}

/// Value of Content-Length in a head, 0 without one.
std::size_t contentLength(const std::string& head) {
  const std::size_t at = head.find("Content-Length: ");
  return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + 16, nullptr, 10);
}

}  // namespace

TestConnection::~TestConnection() {
  SSL_free(ssl_);
  ::close(fd_);
}

long TestConnection::read(char* data, std::size_t size) {
  if (ssl_ == nullptr) return ::recv(fd_, data, size, 0);
  ERR_clear_error();
  return SSL_read(ssl_, data, static_cast<int>(size));
}

bool TestConnection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    ERR_clear_error();
    const long n = ssl_ == nullptr ? ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL)
                                   : SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::optional<ReceivedRequest> TestConnection::readRequest() {
  ReceivedRequest request;
  int reads = 0;
  std::size_t need = 0;  // head and body, once the head is there
  std::size_t head_size = 0;
  while (true) {
    if (head_size == 0) {
      if (const std::size_t end = input_.find("\r\n\r\n"); end != std::string::npos) {
        head_size = end + 4;
        request.head = input_.substr(0, head_size);
        need = head_size + contentLength(request.head);
      }
    }
    if (head_size != 0 && input_.size() >= need) break;
    char buffer[65536];
    const long n = read(buffer, sizeof buffer);
    if (n <= 0) return std::nullopt;
    ++reads;
    input_.append(buffer, static_cast<std::size_t>(n));
  }
  request.body = input_.substr(head_size, need - head_size);
  request.in_one_piece = reads == 1;
  input_.erase(0, need);
  const std::size_t space = request.head.find(' ');
  request.method = request.head.substr(0, space);
  request.target = request.head.substr(space + 1, request.head.find(' ', space + 1) - space - 1);
  return request;
}

bool TestConnection::answer(int code, std::string_view body, std::string_view more_headers) {
  std::string text = "HTTP/1.1 " + std::to_string(code) + " Some Reason\r\n";
  text.append(more_headers);
  text += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
  return write(text.append(body));
}

bool TestConnection::startChunked() {
  return write(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
}

bool TestConnection::chunk(std::string_view bytes) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return write(std::string(size).append(bytes).append("\r\n"));
}

void TestConnection::closeInOrder() {
  if (ssl_ != nullptr) SSL_shutdown(ssl_);
  ::shutdown(fd_, SHUT_WR);
}

void TestConnection::cutOff() { ::shutdown(fd_, SHUT_WR); }

void TestConnection::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  // Disconnecting sends the RST and keeps the descriptor, which the destructor closes.
  const sockaddr none{.sa_family = AF_UNSPEC, .sa_data = {}};
  ::connect(fd_, &none, sizeof none);
}

void TestConnection::waitForEnd() {
  char buffer[4096];
  while (read(buffer, sizeof buffer) > 0) {
  }
}

bool TestConnection::waitForEndOr(int wake_fd) {
  pollfd entries[2] = {{fd_, POLLRDHUP, 0}, {wake_fd, POLLIN, 0}};
  while (::poll(entries, 2, -1) < 0) {
  }
  return entries[0].revents != 0;
}

void TestConnection::tunnelTo(std::uint16_t port) {
  const int other = ::socket(AF_INET, SOCK_STREAM, 0);
  socklen_t size = 0;
  const sockaddr_storage address = addressOf("127.0.0.1", port, size);
  must(::connect(other, reinterpret_cast<const sockaddr*>(&address), size) == 0, "tunnel");
  pollfd entries[2] = {{fd_, POLLIN, 0}, {other, POLLIN, 0}};
  bool open = true;
  while (open && ::poll(entries, 2, -1) > 0) {
    for (int i = 0; i < 2 && open; ++i) {
      if (entries[i].revents == 0) continue;
      char buffer[65536];
      const ssize_t n = ::recv(entries[i].fd, buffer, sizeof buffer, 0);
      open = n > 0 &&
             ::send(entries[1 - i].fd, buffer, static_cast<std::size_t>(n), MSG_NOSIGNAL) == n;
    }
  }
  ::close(other);
}

std::string TestConnection::sni() const {
  const char* name =
      ssl_ == nullptr ? nullptr : SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? "" : name;
}

TlsTestServer::TlsTestServer(TestServerOptions options, Handler handler)
    : options_(std::move(options)), handler_(std::move(handler)) {
  if (!options_.cert.cert_pem.empty()) ctx_ = newContext(options_);
  socklen_t size = 0;
  sockaddr_storage address = addressOf(options_.address, 0, size);
  listener_ = ::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(listener_ >= 0, "socket");
  must(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0, "bind");
  must(::listen(listener_, 64) == 0, "listen");
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ =
      ntohs(address.ss_family == AF_INET ? reinterpret_cast<sockaddr_in*>(&address)->sin_port
                                         : reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
  accept_thread_ = std::thread([this] { acceptLoop(); });
}

TlsTestServer::~TlsTestServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  ::shutdown(listener_, SHUT_RDWR);
  accept_thread_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
  SSL_CTX_free(ctx_);
}

void TlsTestServer::acceptLoop() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const std::lock_guard lock(mutex_);
    if (fd < 0 || stopping_) {
      if (fd >= 0) ::close(fd);
      return;
    }
    open_.insert(fd);
    threads_.emplace_back([this, fd, number = ++accepted_] { serve(fd, number); });
  }
}

void TlsTestServer::serve(int fd, int number) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);

  TestConnection connection(fd, number);
  bool ready = true;
  if (options_.silent_handshake) {
    char byte = 0;
    while (::recv(fd, &byte, 1, 0) > 0) {
    }
    ready = false;
  } else if (ctx_ != nullptr) {
    connection.ssl_ = SSL_new(ctx_);
    BIO* bio = newSocketBio(fd);
    SSL_set_bio(connection.ssl_, bio, bio);
    ERR_clear_error();
    ready = SSL_accept(connection.ssl_) == 1;
  }
  if (ready) handler_(connection);
  const std::lock_guard lock(mutex_);
  open_.erase(fd);  // before ~TestConnection closes it
}

TlsTestServer::Handler TlsTestServer::always(int code, std::string body) {
  return [code, body = std::move(body)](TestConnection& connection) {
    while (connection.readRequest()) {
      if (!connection.answer(code, body)) return;
    }
  };
}

}  // namespace vkb::test
