#include "support/tls_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "json/json.h"
#include "support/kubeconfig.h"

namespace vkb::e2e {

namespace {

std::string decode(const std::string& base64) {
  std::string bytes(base64.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(base64.data()),
                                   static_cast<int>(base64.size()));
  if (size < 0) throw std::runtime_error("the kubeconfig holds no proper base64");
  bytes.resize(static_cast<std::size_t>(size));
  while (!bytes.empty() && bytes.back() == '\0') bytes.pop_back();
  return bytes;
}

template <typename Write>
std::string pem(const Write& write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

void useIdentity(SSL_CTX* context, const Identity& identity) {
  if (identity.cert_pem.empty()) return;
  BIO* cert_text = BIO_new_mem_buf(identity.cert_pem.data(), -1);
  BIO* key_text = BIO_new_mem_buf(identity.key_pem.data(), -1);
  X509* cert = PEM_read_bio_X509(cert_text, nullptr, nullptr, nullptr);
  EVP_PKEY* key = PEM_read_bio_PrivateKey(key_text, nullptr, nullptr, nullptr);
  const bool used = cert != nullptr && key != nullptr &&
                    SSL_CTX_use_certificate(context, cert) == 1 &&
                    SSL_CTX_use_PrivateKey(context, key) == 1;
  X509_free(cert);
  EVP_PKEY_free(key);
  BIO_free(cert_text);
  BIO_free(key_text);
  if (!used) throw std::runtime_error("the client certificate cannot be used");
}

}  // namespace

Identity adminOf(const Cluster& cluster) {
  Json config = readKubeconfig(cluster);
  const Json& user = userOf(config);
  return {decode(json::str(user, "client-certificate-data")),
          decode(json::str(user, "client-key-data"))};
}

Identity selfSignedIdentity(const std::string& common_name, const std::string& organization) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = X509_new();
  X509_set_version(cert, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, key);
  X509_NAME* name = X509_get_subject_name(cert);
  const auto add = [&](const char* field, const std::string& value) {
    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
  };
  add("O", organization);
  add("CN", common_name);
  X509_set_issuer_name(cert, name);
  X509_sign(cert, key, EVP_sha256());
  Identity identity{pem([&](BIO* bio) { PEM_write_bio_X509(bio, cert); }), pem([&](BIO* bio) {
                      PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
                    })};
  X509_free(cert);
  EVP_PKEY_free(key);
  return identity;
}

Fd tcpConnect(const std::string& host, std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{20, 0};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect to " + host + ":" + std::to_string(port));
  }
  return socket;
}

TlsClient::TlsClient(const std::string& host, std::uint16_t port, const Identity& identity)
    : socket_(tcpConnect(host, port)), context_(SSL_CTX_new(TLS_client_method())) {
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
  useIdentity(context_, identity);
  ssl_ = SSL_new(context_);
  SSL_set_fd(ssl_, socket_.get());
  if (SSL_connect(ssl_) != 1) {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    throw std::runtime_error("no TLS handshake with " + host + ":" + std::to_string(port));
  }
}

TlsClient::TlsClient(TlsClient&& other) noexcept
    : socket_(std::move(other.socket_)),
      context_(std::exchange(other.context_, nullptr)),
      ssl_(std::exchange(other.ssl_, nullptr)) {}

TlsClient::~TlsClient() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

bool TlsClient::write(std::string_view bytes) {
  std::size_t written = 0;
  return bytes.empty() || SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written) == 1;
}

std::string TlsClient::read() {
  std::string buffer(64u << 10, '\0');
  std::size_t size = 0;
  if (SSL_read_ex(ssl_, buffer.data(), buffer.size(), &size) != 1) return "";
  buffer.resize(size);
  return buffer;
}

std::string TlsClient::readAll() {
  std::string all;
  while (true) {
    const std::string more = read();
    if (more.empty()) return all;
    all += more;
  }
}

std::string TlsClient::readHead() {
  std::string head;
  while (head.find("\r\n\r\n") == std::string::npos) {
    const std::string more = read();
    if (more.empty()) break;
    head += more;
  }
  return head;
}

HttpAnswer httpGet(const std::string& host, std::uint16_t port, const std::string& target,
                   const Identity& identity, const std::string& more_headers) {
  TlsClient client(host, port, identity);
  client.write("GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + more_headers + "\r\n");
  const std::string answer = client.readAll();
  const auto body = answer.find("\r\n\r\n");
  if (answer.size() < 12 || body == std::string::npos) return {};
  return {std::stoi(answer.substr(9, 3)), answer.substr(body + 4)};
}

}  // namespace vkb::e2e
