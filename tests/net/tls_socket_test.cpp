// TlsSocketImpl by itself: on both sides, under two threads, under Poco's HTTP classes.
#include <Poco/Exception.h>
#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/StreamSocket.h>
#include <netinet/in.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sstream>
#include <thread>

#include "net/tls_socket_impl.h"
#include "net_fixture.h"

namespace vkb::test {
namespace {

using net::Deadline;
using net::IoState;
using net::TlsContext;
using net::TlsSocketImpl;
using net::TlsSocketPtr;

Deadline soon() { return net::deadlineIn(seconds(20)); }

class TlsSocketTest : public NetTest {
 protected:
  static std::shared_ptr<const TlsContext> clientContext(const CertPair& own = {}) {
    net::Endpoint endpoint;
    endpoint.ca_pem = testCa().pem();
    endpoint.client_cert_pem = own.cert_pem;
    endpoint.client_key_pem = own.key_pem;
    return TlsContext::client(endpoint).value();
  }

  static std::shared_ptr<const TlsContext> serverContext() {
    return TlsContext::server(
               {.cert_pem = loopbackCert().cert_pem,
                .key_pem = loopbackCert().key_pem,
                .client_ca_pem = testCa().pem(),
                .client_certificates = TlsContext::ClientCertificates::kVerifiedIfGiven})
        .value();
  }

  struct Pair {
    TlsSocketPtr client, server;
  };
  /// Both ends of one connection; the handshake is done.
  static Pair connected(const CertPair& client_cert = {}) {
    int fds[2] = {-1, -1};
    ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
    Pair pair{new TlsSocketImpl(fds[0]), new TlsSocketImpl(fds[1])};
    EXPECT_TRUE(pair.server->startServer(serverContext()));
    std::jthread greeter([&] { pair.server->writeAll("!", 1, soon()); });
    const auto done = pair.client->startClient(clientContext(client_cert), "localhost", soon());
    EXPECT_TRUE(done.ok()) << done.what;
    char byte = 0;
    EXPECT_TRUE(pair.client->readSome(&byte, 1, soon()).ok());
    return pair;
  }

  static TlsSocketPtr dialled(const TlsTestServer& server) {
    TlsSocketPtr socket(new TlsSocketImpl(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(server.port());
    EXPECT_TRUE(socket->dial(reinterpret_cast<sockaddr*>(&address), sizeof address, soon()).ok());
    EXPECT_TRUE(socket->startClient(clientContext(), "127.0.0.1", soon()).ok());
    return socket;
  }
};

std::string pattern(std::size_t size, unsigned salt) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>((i * 31 + salt) & 0xff);
  return text;
}

void readExactly(TlsSocketImpl& socket, std::string& out, std::size_t size) {
  char buffer[10'000];
  while (out.size() < size) {
    const auto result = socket.readSome(buffer, sizeof buffer, soon());
    if (!result.ok()) return;
    out.append(buffer, result.bytes);
  }
}

TEST_F(TlsSocketTest, AReaderAndAWriterOnEachSideFloodOneConnectionAtOnce) {
  Pair pair = connected();
  const std::string up = pattern(48u << 20, 1), down = pattern(48u << 20, 2);
  std::string up_got, down_got;
  {
    std::jthread a([&] { pair.client->writeAll(up.data(), up.size(), soon()); });
    std::jthread b([&] { pair.server->writeAll(down.data(), down.size(), soon()); });
    std::jthread c([&] { readExactly(*pair.client, down_got, down.size()); });
    std::jthread d([&] { readExactly(*pair.server, up_got, up.size()); });
  }
  EXPECT_TRUE(up_got == up);
  EXPECT_TRUE(down_got == down);
}

TEST_F(TlsSocketTest, AReaderThatEmptiedTheSocketIsSentToWaitBeforeItLooksAgain) {
  Pair pair = connected();
  char byte = 0;
  ASSERT_TRUE(pair.server->writeAll("a", 1, soon()).ok());
  ASSERT_TRUE(pair.client->readSome(&byte, 1, soon()).ok());
  ASSERT_TRUE(pair.server->writeAll("b", 1, soon()).ok());
  EXPECT_EQ(pair.client->tryRead(&byte, 1).state, IoState::kWantRead) << "no system call";
  EXPECT_EQ(pair.client->wait(POLLIN, soon()), IoState::kOk);
  EXPECT_TRUE(pair.client->tryRead(&byte, 1).ok());
  EXPECT_EQ(byte, 'b');
}

TEST_F(TlsSocketTest, WhoFoundTheSocketQuietIsSentToWaitBeforeItLooksAgain) {
  Pair pair = connected();
  ASSERT_TRUE(pair.client->isQuiet());
  ASSERT_TRUE(pair.server->writeAll("a", 1, soon()).ok());
  char byte = 0;
  EXPECT_EQ(pair.client->tryRead(&byte, 1).state, IoState::kWantRead) << "no system call";
  EXPECT_TRUE(pair.client->readSome(&byte, 1, soon()).ok());
  EXPECT_EQ(byte, 'a');
}

TEST_F(TlsSocketTest, WhoAsksWhetherAllIsQuietIsToldTheTruth) {
  Pair pair = connected();
  EXPECT_TRUE(pair.client->isQuiet());
  pair.client->rest();
  EXPECT_TRUE(pair.client->isQuiet());
  char byte = 0;
  ASSERT_TRUE(pair.server->writeAll("ab", 2, soon()).ok());
  ASSERT_TRUE(pair.client->readSome(&byte, 1, soon()).ok());
  pair.client->rest();
  EXPECT_FALSE(pair.client->isQuiet()) << "half of a record is left, and stays";

  Pair told = connected();
  ASSERT_TRUE(told.server->writeAll("a", 1, soon()).ok());
  ASSERT_TRUE(told.client->readSome(&byte, 1, soon()).ok());
  told.client->rest();
  ASSERT_TRUE(told.server->writeAll("b", 1, soon()).ok());
  EXPECT_FALSE(told.client->isQuiet()) << "the socket was empty a moment ago";

  Pair ended = connected();
  ended.server->close();
  EXPECT_FALSE(ended.client->isQuiet());
}

TEST_F(TlsSocketTest, TheServerKnowsWhoTheClientIs) {
  Pair named = connected(testCa().issue({.common_name = "kube-apiserver"}));
  X509* cert = named.server->takePeerCertificate();
  ASSERT_NE(cert, nullptr);
  char name[64] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof name);
  X509_free(cert);
  EXPECT_STREQ(name, "kube-apiserver");
  EXPECT_EQ(connected().server->takePeerCertificate(), nullptr);
}

TEST_F(TlsSocketTest, AnOrderlyEndIsToldFromACut) {
  Pair orderly = connected();
  orderly.server->close();
  char byte = 0;
  EXPECT_EQ(orderly.client->readSome(&byte, 1, soon()).state, IoState::kEof);

  Pair cut = connected();
  ::shutdown(cut.server->fd(), SHUT_RDWR);
  EXPECT_EQ(cut.client->readSome(&byte, 1, soon()).state, IoState::kTruncated);
}

TEST_F(TlsSocketTest, AbortWakesReaderAndWriter) {
  const std::string flood(16u << 20, 'x');  // more than the socket's buffers take
  const auto took = shortest(milliseconds(50), [&] {
    Pair pair = connected();
    IoState read = IoState::kOk, write = IoState::kOk;
    Gate running;
    std::jthread reader([&] {
      char byte = 0;
      running.open();
      read = pair.client->readSome(&byte, 1, soon()).state;
    });
    std::jthread writer([&] {
      running.open();
      write = pair.client->writeAll(flood.data(), flood.size(), soon()).state;
    });
    EXPECT_TRUE(running.wait(2));
    const auto start = std::chrono::steady_clock::now();
    pair.client->abort();
    reader.join();
    writer.join();
    EXPECT_EQ(read, IoState::kAborted);
    EXPECT_EQ(write, IoState::kAborted);
    return since(start);
  });
  EXPECT_LT(took, milliseconds(50));
}

TEST_F(TlsSocketTest, DecryptedBytesCountAsReadable) {
  Pair pair = connected();
  const auto readable = [&](int ms) {
    return pair.client->poll(Poco::Timespan(0, ms * 1000), Poco::Net::Socket::SELECT_READ);
  };
  EXPECT_FALSE(readable(0));
  ASSERT_TRUE(pair.server->writeAll("ab", 2, soon()).ok());
  EXPECT_TRUE(readable(20'000));
  char byte = 0;
  ASSERT_TRUE(pair.client->readSome(&byte, 1, soon()).ok());
  EXPECT_TRUE(readable(0));  // 'b' is in OpenSSL, the descriptor is empty
  ASSERT_TRUE(pair.client->readSome(&byte, 1, soon()).ok());
  EXPECT_FALSE(readable(0));
}

TEST_F(TlsSocketTest, NonBlockingReadsReturnAtOnceUnderPoco) {
  Pair pair = connected();
  pair.client->setBlocking(false);
  char byte = 0;
  EXPECT_EQ(pair.client->receiveBytes(&byte, 1), -1);
  pair.server->close();
  pair.client->setBlocking(true);
  EXPECT_EQ(pair.client->receiveBytes(&byte, 1), 0);
}

TEST_F(TlsSocketTest, ReceiveTimeoutUnderPocoIsNotDoubled) {
  Pair pair = connected();
  pair.client->setReceiveTimeout(Poco::Timespan(0, 200'000));
  const auto took = shortest(milliseconds(380), [&] {
    char byte = 0;
    const auto start = std::chrono::steady_clock::now();
    EXPECT_THROW(pair.client->receiveBytes(&byte, 1), Poco::TimeoutException);
    EXPECT_GE(since(start), milliseconds(200));
    return since(start);
  });
  EXPECT_LT(took, milliseconds(380));
}

TEST_F(TlsSocketTest, SendTimeoutUnderPocoHoldsForAPeerThatDoesNotRead) {
  Pair pair = connected();
  pair.server->setSendTimeout(Poco::Timespan(0, 200'000));
  const std::string flood(16u << 20, 'x');  // more than the socket's buffers take
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THROW(pair.server->sendBytes(flood.data(), static_cast<int>(flood.size())),
               Poco::TimeoutException);
  EXPECT_GE(since(start), milliseconds(200));
}

/// What a client says first, read by OpenSSL alone.
struct ClientHello {
  std::string alpn, groups, sni;

  static int onHello(SSL* ssl, int*, void* into) {
    auto* hello = static_cast<ClientHello*>(into);
    const auto extension = [&](unsigned type) {
      const unsigned char* data = nullptr;
      std::size_t size = 0;
      return SSL_client_hello_get0_ext(ssl, type, &data, &size) == 1
                 ? std::string(reinterpret_cast<const char*>(data), size)
                 : std::string();
    };
    hello->alpn = extension(TLSEXT_TYPE_application_layer_protocol_negotiation);
    hello->groups = extension(TLSEXT_TYPE_supported_groups);
    hello->sni = extension(TLSEXT_TYPE_server_name);
    return SSL_CLIENT_HELLO_ERROR;  // that was all
  }
};

TEST_F(TlsSocketTest, TheClientOffersHttp11AndTheGroupsThatGoHas) {
  const auto helloFor = [](const char* peer) {
    int fds[2] = {-1, -1};
    ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
    ClientHello hello;
    std::jthread server([&hello, fd = fds[1]] {
      SSL_CTX* ctx = SSL_CTX_new(TLS_server_method());
      SSL_CTX_set_client_hello_cb(ctx, ClientHello::onHello, &hello);
      SSL* ssl = SSL_new(ctx);
      SSL_set_fd(ssl, fd);
      SSL_accept(ssl);
      SSL_free(ssl);
      SSL_CTX_free(ctx);
      ::close(fd);
    });
    TlsSocketPtr client(new TlsSocketImpl(fds[0]));
    EXPECT_FALSE(client->startClient(clientContext(), peer, soon()).ok());
    server.join();
    return hello;
  };
  const ClientHello named = helloFor("api.example.org.");
  EXPECT_EQ(named.alpn, std::string("\0\x09\x08http/1.1", 11));
  // X25519, P-256, P-384, P-521.
  EXPECT_EQ(named.groups, std::string("\0\x08\0\x1d\0\x17\0\x18\0\x19", 10));
  EXPECT_TRUE(named.sni.ends_with(std::string("\0\x0f", 2) + "api.example.org"));
  EXPECT_EQ(helloFor("192.0.2.1").sni, "");
  EXPECT_EQ(helloFor("fd00::1").sni, "");
}

TEST_F(TlsSocketTest, CarriesPocosHttpClientSession) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    while (const auto request = connection.readRequest()) {
      connection.startChunked();
      connection.chunk("echo of ");
      connection.chunk(request->body);
      connection.endChunked();
    }
  });
  Poco::Net::HTTPClientSession session{Poco::Net::StreamSocket(dialled(server).duplicate())};
  session.setKeepAlive(true);
  for (const std::string body : {"one", "two"}) {
    Poco::Net::HTTPRequest request("POST", "/", "HTTP/1.1");
    request.setContentLength(static_cast<std::streamsize>(body.size()));
    session.sendRequest(request) << body;
    Poco::Net::HTTPResponse response;
    std::ostringstream text;
    text << session.receiveResponse(response).rdbuf();
    EXPECT_EQ(response.getStatus(), 200);
    EXPECT_EQ(text.str(), "echo of " + body);
  }
  EXPECT_TRUE(session.socket().secure());
}

}  // namespace
}  // namespace vkb::test
