// Who is on the other side, and what is said when it is somebody else.
#include "net_fixture.h"

namespace vkb::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TlsVerifyTest : public NetTest {
 protected:
  /// The outcome of a GET against a server with `cert`, when `change` was made to the endpoint.
  Status against(const CertPair& cert, const std::function<void(net::Endpoint&)>& change = {}) {
    TlsTestServer server({.cert = cert}, [this](TestConnection& connection) {
      sni_ = connection.sni();
      while (connection.readRequest()) connection.answer(200, "ok");
    });
    net::Endpoint endpoint = endpointOf(server);
    if (change) change(endpoint);
    return failureOf(*clientFor(endpoint));
  }

  std::string sni_;
};

TEST_F(TlsVerifyTest, AnAddressIsMatchedWithTheAddressesOfTheCertificate) {
  const auto status = against(testCa().issue({.ips = {"127.0.0.1"}}));
  EXPECT_EQ(status.code, 200) << status.message;
}

TEST_F(TlsVerifyTest, NoSniIsSentForAnAddress) {
  against(testCa().issue({.ips = {"127.0.0.1"}}));
  EXPECT_EQ(sni_, "");
}

TEST_F(TlsVerifyTest, ANameIsMatchedAndSentAsSni) {
  const auto status = against(testCa().issue({.dns = {"localhost"}}),
                              [](net::Endpoint& endpoint) { endpoint.host = "localhost"; });
  EXPECT_EQ(status.code, 200) << status.message;
  EXPECT_EQ(sni_, "localhost");
}

TEST_F(TlsVerifyTest, TlsServerNameIsCheckedAndSentInPlaceOfTheAddress) {
  const auto status =
      against(testCa().issue({.dns = {"kubernetes.default"}}),
              [](net::Endpoint& endpoint) { endpoint.tls_server_name = "kubernetes.default"; });
  EXPECT_EQ(status.code, 200) << status.message;
  EXPECT_EQ(sni_, "kubernetes.default");
}

TEST_F(TlsVerifyTest, ACertificateOfAnotherNameIsRefusedWithItsNames) {
  const auto status =
      against(testCa().issue({.dns = {"kubernetes", "kubernetes.default"}, .ips = {"10.0.0.1"}}));
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message, AllOf(HasSubstr("not valid for \"127.0.0.1\""),
                                    HasSubstr("kubernetes, kubernetes.default, 10.0.0.1"),
                                    HasSubstr("tls-server-name")));
}

TEST_F(TlsVerifyTest, AWrongTlsServerNameIsRefusedOnLoopbackToo) {
  const auto status = against(
      loopbackCert(), [](net::Endpoint& endpoint) { endpoint.tls_server_name = "other.example"; });
  EXPECT_THAT(status.message, HasSubstr("not valid for \"other.example\""));
}

TEST_F(TlsVerifyTest, TheCommonNameIsNoName) {
  const auto status = against(testCa().issue({.common_name = "localhost"}),
                              [](net::Endpoint& endpoint) { endpoint.host = "localhost"; });
  EXPECT_THAT(status.message, HasSubstr("no name at all"));
}

TEST_F(TlsVerifyTest, AWildcardStandsForOneWholeLabel) {
  const CertPair cert = testCa().issue({.dns = {"*.example.org", "web*.example.com"}});
  const auto named = [&](const char* name) {
    return against(cert, [name](net::Endpoint& endpoint) { endpoint.tls_server_name = name; }).code;
  };
  EXPECT_EQ(named("a.example.org"), 200);
  EXPECT_EQ(named("a.b.example.org"), 0);
  EXPECT_EQ(named("web1.example.com"), 0);
}

TEST_F(TlsVerifyTest, AnUnknownAuthorityIsRefused) {
  const auto status = against(TestCa("stranger").issue({.ips = {"127.0.0.1"}}));
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message,
              AllOf(HasSubstr("unknown authority"), HasSubstr("certificate-authority-data")));
}

TEST_F(TlsVerifyTest, AnAuthorityOfTheSameNameAndAnotherKeyIsRefused) {
  const auto status = against(TestCa("vk-bridge test CA").issue({.ips = {"127.0.0.1"}}));
  EXPECT_THAT(status.message, HasSubstr("unknown authority"));
}

TEST_F(TlsVerifyTest, WithoutCaDataTheSystemsRootsDecide) {
  const auto status =
      against(loopbackCert(), [](net::Endpoint& endpoint) { endpoint.ca_pem.clear(); });
  EXPECT_THAT(status.message, HasSubstr("unknown authority"));
}

TEST_F(TlsVerifyTest, AnExpiredCertificateIsRefusedWithItsDate) {
  const auto status = against(testCa().issue({.ips = {"127.0.0.1"},
                                              .valid_from = std::chrono::hours(-3),
                                              .valid_to = std::chrono::hours(-1)}));
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message,
              AllOf(HasSubstr("expired at 20"), HasSubstr(" UTC"), HasSubstr("clock")));
}

TEST_F(TlsVerifyTest, ACertificateOfTheFutureIsRefused) {
  const auto status =
      against(testCa().issue({.ips = {"127.0.0.1"}, .valid_from = std::chrono::hours(2)}));
  EXPECT_THAT(status.message, HasSubstr("not valid before"));
}

TEST_F(TlsVerifyTest, InsecureSkipVerifyAcceptsAnyCertificate) {
  const auto status =
      against(TestCa("stranger").issue({.dns = {"nobody"}}),
              [](net::Endpoint& endpoint) { endpoint.insecure_skip_verify = true; });
  EXPECT_EQ(status.code, 200) << status.message;
}

TEST_F(TlsVerifyTest, AChainThroughAnIntermediateIsFollowed) {
  const auto status = against(testCa().intermediate("middle").issue({.ips = {"127.0.0.1"}}));
  EXPECT_EQ(status.code, 200) << status.message;
}

TEST_F(TlsVerifyTest, AnIntermediateAloneMayBeTheTrustedAuthority) {
  const TestCa middle = testCa().intermediate("middle");
  const auto status = against(middle.issue({.ips = {"127.0.0.1"}}),
                              [&](net::Endpoint& endpoint) { endpoint.ca_pem = middle.pem(); });
  EXPECT_EQ(status.code, 200) << status.message;
}

TEST_F(TlsVerifyTest, AnyAuthorityOfABundleWillDo) {
  const auto status = against(loopbackCert(), [](net::Endpoint& endpoint) {
    endpoint.ca_pem = "# first\n" + TestCa("other").pem() + "\n# second\n" + endpoint.ca_pem;
  });
  EXPECT_EQ(status.code, 200) << status.message;
}

TEST_F(TlsVerifyTest, UnreadableCaDataIsNamed) {
  const auto status =
      against(loopbackCert(), [](net::Endpoint& endpoint) { endpoint.ca_pem = "not PEM"; });
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message, HasSubstr("certificate authority cannot be read"));
}

TEST_F(TlsVerifyTest, APlainHttpServerIsRecognised) {
  TlsTestServer server({}, [](TestConnection& connection) {
    connection.write("HTTP/1.1 400 Bad Request\r\n\r\n");
    connection.waitForEnd();
  });
  const auto status = failureOf(*clientFor(endpointOf(server)));
  EXPECT_THAT(status.message, HasSubstr("does not speak TLS"));
}

class ClientCertificateTest : public NetTest, public ::testing::WithParamInterface<int> {
 protected:
  /// A GET against a server that demands certificates of testCa(); the parameter is its highest
  /// TLS.
  Status with(const CertPair& client) {
    TestServerOptions options = tls();
    options.client_ca_pem = testCa().pem();
    options.client_cert_required = true;
    options.max_tls_version = GetParam();
    TlsTestServer server(options, TlsTestServer::always(200, "ok"));
    net::Endpoint endpoint = endpointOf(server);
    endpoint.client_cert_pem = client.cert_pem;
    endpoint.client_key_pem = client.key_pem;
    return failureOf(*clientFor(endpoint));
  }
};

TEST_P(ClientCertificateTest, EveryKindOfKeyIsAccepted) {
  for (const KeyKind kind : {KeyKind::kEc, KeyKind::kRsa}) {
    for (const KeyFormat format : {KeyFormat::kPkcs8, KeyFormat::kTraditional}) {
      const auto status =
          with(testCa().issue({.common_name = "bridge", .key = kind, .format = format}));
      EXPECT_EQ(status.code, 200) << status.message;
    }
  }
}

TEST_P(ClientCertificateTest, AnIntermediateIsSentAlong) {
  const auto status = with(testCa().intermediate("middle").issue({.common_name = "bridge"}));
  EXPECT_EQ(status.code, 200) << status.message;
}

TEST_P(ClientCertificateTest, AMissingOneIsTold) {
  const auto status = with({});
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message, AllOf(HasSubstr("demands a client certificate"),
                                    HasSubstr("client-certificate-data")));
}

TEST_P(ClientCertificateTest, ARefusedOneIsTold) {
  const auto status = with(TestCa("stranger").issue({.common_name = "bridge"}));
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message, HasSubstr("refused our client certificate"));
}

TEST_P(ClientCertificateTest, AKeyOfAnotherCertificateIsNamed) {
  const auto status = with({testCa().issue({}).cert_pem, testCa().issue({}).key_pem});
  EXPECT_THAT(status.message, HasSubstr("client key does not belong"));
}

TEST_P(ClientCertificateTest, UnreadableTextIsNamedAndNotShown) {
  const CertPair good = testCa().issue({});
  EXPECT_THAT(with({good.cert_pem, "c2VjcmV0"}).message,
              AllOf(HasSubstr("client key cannot be read"), Not(HasSubstr("c2VjcmV0"))));
  EXPECT_THAT(with({"", good.key_pem}).message, HasSubstr("client certificate cannot be read"));
}

INSTANTIATE_TEST_SUITE_P(Tls, ClientCertificateTest,
                         ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION), [](const auto& each) {
                           return each.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

}  // namespace
}  // namespace vkb::test
