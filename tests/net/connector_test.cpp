// From a host name to a connection, and what is said when there is none.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "net_fixture.h"

namespace vkb::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ConnectorTest : public NetTest {
 protected:
  static net::Endpoint at(std::string host, std::uint16_t port) {
    net::Endpoint endpoint;
    endpoint.host = std::move(host);
    endpoint.port = port;
    endpoint.ca_pem = testCa().pem();
    return endpoint;
  }
};

/// A loopback port that drops every further SYN: its accept queue is full.
class SilentPort {
 public:
  SilentPort() {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener_, 0);
    socklen_t size = sizeof address;
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    for (int& filler : fillers_) {
      filler = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      ::connect(filler, reinterpret_cast<sockaddr*>(&address), sizeof address);
    }
  }
  ~SilentPort() {
    for (const int filler : fillers_) ::close(filler);
    ::close(listener_);
  }
  SilentPort(const SilentPort&) = delete;
  SilentPort& operator=(const SilentPort&) = delete;
  std::uint16_t port() const { return port_; }

 private:
  int listener_ = -1;
  int fillers_[4] = {};
  std::uint16_t port_ = 0;
};

TEST_F(ConnectorTest, ARefusedConnectionIsTold) {
  std::uint16_t port = 0;
  {
    TlsTestServer gone({}, [](TestConnection&) {});
    port = gone.port();
  }
  const auto status = failureOf(*clientFor(at("127.0.0.1", port)));
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message, AllOf(HasSubstr("127.0.0.1:" + std::to_string(port)),
                                    HasSubstr("connection refused"), HasSubstr("check")));
}

TEST_F(ConnectorTest, ANameWithoutAddressIsTold) {
  // No name server is asked for a name that cannot be one.
  const auto status = failureOf(*clientFor(at("no..such..name", 443)));
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message,
              AllOf(HasSubstr("cannot find the address of \"no..such..name\""), HasSubstr("DNS")));
}

TEST_F(ConnectorTest, AnAddressThatDoesNotAnswerIsGivenUpInTime) {
  SilentPort silent;
  const auto client = clientFor(at("127.0.0.1", silent.port()));
  const auto took = shortest(milliseconds(400), [&] {
    const auto start = std::chrono::steady_clock::now();
    const auto status = failureOf(*client, milliseconds(250));
    EXPECT_EQ(status.reason, reasons::kUnreachable);
    EXPECT_THAT(status.message, AllOf(HasSubstr("no answer in time"), HasSubstr("firewall")));
    EXPECT_GE(since(start), milliseconds(250));
    return since(start);
  });
  EXPECT_LT(took, milliseconds(400));
}

TEST_F(ConnectorTest, DiallingCanBeCalledOff) {
  SilentPort silent;
  const auto client = clientFor(at("127.0.0.1", silent.port()));
  const auto took = shortest(milliseconds(50), [&] {
    std::stop_source source;
    net::HttpRequest request = get("/");
    request.stop = source.get_token();
    Status status;
    Gate running;
    std::jthread worker([&] {
      running.open();
      status = client->send(request).error();
    });
    EXPECT_TRUE(running.wait());
    const auto stopped = std::chrono::steady_clock::now();
    source.request_stop();
    worker.join();
    EXPECT_EQ(status.reason, net::kReasonAborted);
    return since(stopped);
  });
  EXPECT_LT(took, milliseconds(50));
}

TEST_F(ConnectorTest, AServerThatNeverShakesHandsIsGivenUpInTime) {
  TestServerOptions options = tls();
  options.silent_handshake = true;
  TlsTestServer server(options, [](TestConnection&) {});
  const auto status = failureOf(*clientFor(endpointOf(server)), milliseconds(200));
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message, HasSubstr("handshake did not end in time"));
}

TEST_F(ConnectorTest, Ipv6LoopbackIsDialledAndVerified) {
  TestServerOptions options = tls();
  options.address = "::1";
  ReceivedRequest seen;
  TlsTestServer server(options, [&](TestConnection& connection) {
    seen = *connection.readRequest();
    connection.answer(200, "six");
    connection.waitForEnd();
  });
  const auto status = failureOf(*clientFor(at("::1", server.port())));
  EXPECT_EQ(status.message, "six");
  EXPECT_TRUE(seen.has("Host: [::1]:" + std::to_string(server.port()) + "\r\n"));
}

TEST_F(ConnectorTest, EveryAddressOfANameIsTried) {
  // "localhost" is ::1 and 127.0.0.1 on most machines; only one of them listens.
  TlsTestServer server(tls(), TlsTestServer::always(200, "found"));
  EXPECT_EQ(failureOf(*clientFor(at("localhost", server.port()))).message, "found");
}

class ProxyTest : public ConnectorTest {
 protected:
  /// A proxy that tunnels to the port asked for, after `reply`.
  Handler proxy(std::string reply = "HTTP/1.1 200 Connection established\r\n\r\n") {
    return [this, reply = std::move(reply)](TestConnection& connection) {
      const auto request = connection.readRequest();
      if (!request) return;
      seen_ = *request;
      connection.write(reply);
      if (reply.find(" 200 ") == std::string::npos) return connection.waitForEnd();
      const std::string& target = request->target;
      connection.tunnelTo(
          static_cast<std::uint16_t>(std::stoi(target.substr(target.rfind(':') + 1))));
    };
  }

  static net::Endpoint through(const TlsTestServer& proxy, net::Endpoint endpoint) {
    endpoint.proxy_host = "127.0.0.1";
    endpoint.proxy_port = proxy.port();
    return endpoint;
  }

  ReceivedRequest seen_;
};

TEST_F(ProxyTest, TheTunnelCarriesTlsToTheServerItself) {
  std::string sni;
  TlsTestServer server({.cert = testCa().issue({.dns = {"api.example.org"}})},
                       [&](TestConnection& connection) {
                         sni = connection.sni();
                         while (connection.readRequest()) connection.answer(200, "behind");
                       });
  TlsTestServer proxy_server({}, proxy());
  net::Endpoint endpoint = through(proxy_server, endpointOf(server));
  endpoint.tls_server_name = "api.example.org";
  endpoint.proxy_authorization = "Basic dXNlcjpwYXNz";
  const auto client = clientFor(endpoint);
  EXPECT_EQ(failureOf(*client).message, "behind");
  EXPECT_EQ(failureOf(*client).message, "behind");
  EXPECT_EQ(proxy_server.accepted(), 1);
  EXPECT_EQ(sni, "api.example.org");
  EXPECT_EQ(seen_.method, "CONNECT");
  EXPECT_EQ(seen_.target, "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_TRUE(seen_.has("Host: " + seen_.target + "\r\n"));
  EXPECT_TRUE(seen_.has("Proxy-Authorization: Basic dXNlcjpwYXNz\r\n"));
}

TEST_F(ProxyTest, ANameIsLeftToTheProxyToLookUp) {
  TlsTestServer proxy_server({}, proxy("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
  failureOf(*clientFor(through(proxy_server, at("only.the.proxy.knows", 6443))));
  EXPECT_EQ(seen_.target, "only.the.proxy.knows:6443");
}

TEST_F(ProxyTest, ARefusalOfTheProxyIsTold) {
  TlsTestServer forbids({}, proxy("HTTP/1.1 403 Forbidden\r\n\r\n"));
  auto status = failureOf(*clientFor(through(forbids, at("10.0.0.1", 6443))));
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message, AllOf(HasSubstr("10.0.0.1:6443 through proxy 127.0.0.1"),
                                    HasSubstr("the proxy answered 403")));

  TlsTestServer demands({}, proxy("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"));
  net::Endpoint endpoint = through(demands, at("10.0.0.1", 6443));
  endpoint.proxy_authorization = "Basic c2VjcmV0";
  status = failureOf(*clientFor(endpoint));
  EXPECT_THAT(status.message, AllOf(HasSubstr("user and password"), Not(HasSubstr("c2VjcmV0"))));
}

TEST_F(ProxyTest, AProxyThatHangsIsGivenUpInTime) {
  TlsTestServer proxy_server({}, [](TestConnection& connection) { connection.waitForEnd(); });
  const auto status =
      failureOf(*clientFor(through(proxy_server, at("10.0.0.1", 6443))), milliseconds(200));
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message, AllOf(HasSubstr("no tunnel"), HasSubstr("proxy-url")));
}

TEST_F(ProxyTest, AProxyThatIsDownIsNamed) {
  std::uint16_t port = 0;
  {
    TlsTestServer gone({}, [](TestConnection&) {});
    port = gone.port();
  }
  net::Endpoint endpoint = at("10.0.0.1", 6443);
  endpoint.proxy_host = "127.0.0.1";
  endpoint.proxy_port = port;
  const auto status = failureOf(*clientFor(endpoint));
  EXPECT_THAT(status.message, AllOf(HasSubstr("127.0.0.1:" + std::to_string(port)),
                                    HasSubstr("connection refused")));
}

}  // namespace
}  // namespace vkb::test
