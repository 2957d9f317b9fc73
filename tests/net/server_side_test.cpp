// What a server of ours is made of: listener, client certificates, its own certificate.
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "net/certificate.h"
#include "net/listener.h"
#include "net/transport_errors.h"
#include "net_fixture.h"

namespace vkb::test {
namespace {

using net::IoState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ClientCertificates = net::TlsContext::ClientCertificates;

/// Accepts one connection, answers one request with 200, and keeps what is known of the client.
class OneShotServer {
 public:
  explicit OneShotServer(ClientCertificates mode, const std::string& address = "127.0.0.1")
      : listener_(std::move(*net::Listener::listen(address, 0))) {
    auto context = net::TlsContext::server({.cert_pem = loopbackCert().cert_pem,
                                            .key_pem = loopbackCert().key_pem,
                                            .client_ca_pem = testCa().pem(),
                                            .client_certificates = mode});
    EXPECT_TRUE(context) << context.error().message;
    thread_ = std::thread([this, context = *context] { serve(context); });
  }
  std::uint16_t port() const { return listener_->port(); }
  std::optional<net::PeerName> peer() {
    thread_.join();
    return peer_;
  }
  ~OneShotServer() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  void serve(const std::shared_ptr<const net::TlsContext>& context) {
    pollfd waiting{listener_->fd(), POLLIN, 0};
    poll(&waiting, 1, 20'000);
    auto accepted = listener_->accept();
    if (accepted.socket.isNull() || !accepted.socket->startServer(context)) return;
    char buffer[4096];
    accepted.socket->readSome(buffer, sizeof buffer, net::deadlineIn(seconds(20)));
    peer_ = net::verifiedPeer(*accepted.socket);
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    accepted.socket->writeAll(answer.data(), answer.size(), net::deadlineIn(seconds(20)));
    accepted.socket->readSome(buffer, sizeof buffer, net::deadlineIn(seconds(20)));
  }

  std::unique_ptr<net::Listener> listener_;
  std::optional<net::PeerName> peer_;
  std::thread thread_;
};

class ServerSideTest : public NetTest {
 protected:
  /// Code of one GET with this client certificate; 0: no answer.
  int ask(const OneShotServer& server, const CertPair& certificate) {
    net::Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = server.port();
    endpoint.ca_pem = testCa().pem();
    endpoint.client_cert_pem = certificate.cert_pem;
    endpoint.client_key_pem = certificate.key_pem;
    const auto answer = clientFor(endpoint)->send(get("/"));
    return answer ? answer->code : 0;
  }
};

TEST_F(ServerSideTest, AClientCertificateOfTheAuthorityGivesUserAndGroups) {
  OneShotServer server(ClientCertificates::kRequested);
  const CertPair admin =
      testCa().issue({.common_name = "alice", .organizations = {"dev", "system:masters"}});
  EXPECT_EQ(ask(server, admin), 200);
  const auto peer = server.peer();
  ASSERT_TRUE(peer.has_value());
  EXPECT_EQ(peer->common_name, "alice");
  EXPECT_THAT(peer->organizations, ElementsAre("dev", "system:masters"));
}

TEST_F(ServerSideTest, AClientCertificateOfAnotherAuthorityPassesTheHandshakeButIsNobody) {
  OneShotServer server(ClientCertificates::kRequested);
  const TestCa other("other CA");
  EXPECT_EQ(ask(server, other.issue({.common_name = "system:admin"})), 200);
  EXPECT_FALSE(server.peer().has_value());
}

TEST_F(ServerSideTest, AnAuthorityOfTheSameNameWithAnotherKeyIsNobodyEither) {
  OneShotServer server(ClientCertificates::kRequested);
  const TestCa impostor("vk-bridge test CA");
  EXPECT_EQ(ask(server, impostor.issue({.common_name = "system:admin"})), 200);
  EXPECT_FALSE(server.peer().has_value());
}

TEST_F(ServerSideTest, AnExpiredClientCertificateIsNobody) {
  OneShotServer server(ClientCertificates::kRequested);
  const CertPair expired = testCa().issue({.common_name = "alice",
                                           .valid_from = std::chrono::hours(-3),
                                           .valid_to = std::chrono::hours(-1)});
  EXPECT_EQ(ask(server, expired), 200);
  EXPECT_FALSE(server.peer().has_value());
}

TEST_F(ServerSideTest, NoClientCertificateIsNobody) {
  OneShotServer server(ClientCertificates::kRequested);
  EXPECT_EQ(ask(server, {}), 200);
  EXPECT_FALSE(server.peer().has_value());
}

TEST_F(ServerSideTest, ACertificateThatNobodyAskedForIsNobody) {
  OneShotServer server(ClientCertificates::kIgnored);
  EXPECT_EQ(ask(server, testCa().issue({.common_name = "alice"})), 200);
  EXPECT_FALSE(server.peer().has_value());
}

TEST_F(ServerSideTest, APortInUseIsToldFromAnAddressThatIsNotOurs) {
  const auto first = net::Listener::listen("127.0.0.1", 0);
  ASSERT_TRUE(first);
  const auto second = net::Listener::listen("127.0.0.1", (*first)->port());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().reason, net::kReasonAddressInUse);
  const auto foreign = net::Listener::listen("192.0.2.1", 0);  // TEST-NET-1
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().reason, net::kReasonNoSuchAddress);
  EXPECT_FALSE(net::Listener::listen("not an address", 0));
}

TEST_F(ServerSideTest, ASelfSignedCertificateServesItsNamesAndNoOthers) {
  const WallTime now =
      std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
  const auto made = net::makeSelfSigned({.common_name = "system:node:gpu-eu",
                                         .organizations = {"system:nodes"},
                                         .dns = {"gpu-eu"},
                                         .ips = {"127.0.0.1", "2001:db8::1"},
                                         .not_before = now - std::chrono::hours(1),
                                         .not_after = now + std::chrono::hours(24)});
  ASSERT_TRUE(made) << made.error().message;
  const auto facts = net::readCertificate(made->cert_pem);
  ASSERT_TRUE(facts);
  EXPECT_THAT(facts->dns, ElementsAre("gpu-eu"));
  EXPECT_THAT(facts->ips, ElementsAre("127.0.0.1", "2001:db8::1"));
  EXPECT_EQ(std::chrono::round<std::chrono::hours>(facts->not_after - now), std::chrono::hours(24));

  TestServerOptions options;
  options.cert = {made->cert_pem, made->key_pem};
  TlsTestServer server(options, TlsTestServer::always(200, "ok"));
  net::Endpoint endpoint = endpointOf(server);
  endpoint.ca_pem = made->cert_pem;
  EXPECT_EQ(failureOf(*clientFor(endpoint)).code, 200);
  endpoint.tls_server_name = "gpu-us";
  EXPECT_EQ(failureOf(*clientFor(endpoint)).reason, reasons::kUnreachable);
}

TEST_F(ServerSideTest, NamesThatAreNoNamesMakeNoCertificate) {
  EXPECT_FALSE(net::makeSelfSigned({.common_name = "x", .dns = {"a,email:b"}}));
  EXPECT_FALSE(net::makeSelfSigned({.common_name = "x"}));
  EXPECT_FALSE(net::readCertificate("no PEM"));
}

}  // namespace
}  // namespace vkb::test
