// From and to addresses that are not loopback's, where Poco's own TLS sockets behave otherwise:
// they check a client's certificate against its address, and skip checks on loopback.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <thread>

#include "net/tls_socket_impl.h"
#include "net_fixture.h"

namespace vkb::test {
namespace {

using ::testing::HasSubstr;

/// Addresses of this machine that others reach it by, one of each family; 127.0.0.2 in place of a
/// missing IPv4 one, which at least is none that certificates and shortcuts expect.
std::vector<std::string> ownAddresses() {
  std::string v4, v6;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {"127.0.0.2"};
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    const unsigned wanted = IFF_UP | IFF_RUNNING;
    if (entry->ifa_addr == nullptr || (entry->ifa_flags & IFF_LOOPBACK) != 0 ||
        (entry->ifa_flags & wanted) != wanted) {
      continue;
    }
    char text[INET6_ADDRSTRLEN] = "";
    if (entry->ifa_addr->sa_family == AF_INET && v4.empty()) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(entry->ifa_addr);
      v4 = inet_ntop(AF_INET, &address->sin_addr, text, sizeof text);
    }
    if (entry->ifa_addr->sa_family == AF_INET6 && v6.empty()) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(entry->ifa_addr);
      if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) continue;
      v6 = inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof text);
    }
  }
  freeifaddrs(list);
  std::vector<std::string> addresses = {v4.empty() ? "127.0.0.2" : v4};
  if (!v6.empty()) addresses.push_back(v6);
  return addresses;
}

/// One connection from a client, served by the bridge's own server side with client certificates
/// demanded: answers the first request with the client's common name.
class OwnTlsServer {
 public:
  explicit OwnTlsServer(const std::string& address) {
    const bool v6 = address.find(':') != std::string::npos;
    listener_ = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_storage storage{};
    socklen_t size = v6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    storage.ss_family = v6 ? AF_INET6 : AF_INET;
    void* place = v6 ? static_cast<void*>(&reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr)
                     : &reinterpret_cast<sockaddr_in*>(&storage)->sin_addr;
    inet_pton(storage.ss_family, address.c_str(), place);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&storage), size), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&storage), &size);
    port_ = ntohs(v6 ? reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port
                     : reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
    thread_ = std::jthread([this, address] { serve(address); });
  }
  ~OwnTlsServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  OwnTlsServer(const OwnTlsServer&) = delete;
  OwnTlsServer& operator=(const OwnTlsServer&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  void serve(const std::string& address) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const CertPair cert = testCa().issue({.ips = {address}});
    net::TlsSocketPtr socket(new net::TlsSocketImpl(fd));
    socket->startServer(net::TlsContext::server(
                            {.cert_pem = cert.cert_pem,
                             .key_pem = cert.key_pem,
                             .client_ca_pem = testCa().pem(),
                             .client_certificates = net::TlsContext::ClientCertificates::kRequired})
                            .value());
    char buffer[4096];
    const net::Deadline deadline = net::deadlineIn(seconds(20));
    if (!socket->readSome(buffer, sizeof buffer, deadline).ok()) return;
    X509* peer = socket->takePeerCertificate();
    char name[64] = "";
    if (peer != nullptr) {
      X509_NAME_get_text_by_NID(X509_get_subject_name(peer), NID_commonName, name, sizeof name);
    }
    X509_free(peer);
    const std::string body = name;
    const std::string answer =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    socket->writeAll(answer.data(), answer.size(), deadline);
    socket->close();
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

using OwnAddressTest = NetTest;

TEST_F(OwnAddressTest, AServerThereIsVerifiedByItsAddress) {
  for (const std::string& address : ownAddresses()) {
    for (const bool right : {true, false}) {
      TestServerOptions options{.cert = testCa().issue({.ips = {right ? address : "127.0.0.1"}})};
      options.address = address;
      TlsTestServer server(options, TlsTestServer::always(200, "ok"));
      net::Endpoint endpoint = endpointOf(server);
      endpoint.host = address;
      const auto status = failureOf(*clientFor(endpoint));
      EXPECT_EQ(status.code, right ? 200 : 0) << address << ": " << status.message;
      if (!right) {
        EXPECT_THAT(status.message, HasSubstr("not valid for \"" + address + "\""));
      }
    }
  }
}

TEST_F(OwnAddressTest, AClientsCertificateIsNotHeldAgainstItsAddress) {
  for (const std::string& address : ownAddresses()) {
    OwnTlsServer server(address);
    net::Endpoint endpoint;
    endpoint.host = address;
    endpoint.port = server.port();
    endpoint.ca_pem = testCa().pem();
    // As an API server's: a name, and no address at all.
    const CertPair client = testCa().issue({.common_name = "kube-apiserver"});
    endpoint.client_cert_pem = client.cert_pem;
    endpoint.client_key_pem = client.key_pem;
    const auto status = failureOf(*clientFor(endpoint));
    EXPECT_EQ(status.code, 200) << address << ": " << status.message;
    EXPECT_EQ(status.message, "kube-apiserver");
  }
}

}  // namespace
}  // namespace vkb::test
