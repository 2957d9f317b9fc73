// Requests over the keep-alive pool.
#include <atomic>
#include <csignal>
#include <thread>

#include "net_fixture.h"

namespace vkb::test {
namespace {

using ::testing::HasSubstr;

using HttpClientTest = NetTest;

TEST_F(HttpClientTest, SendsAndReceivesWhole) {
  ReceivedRequest seen;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    seen = *connection.readRequest();
    connection.answer(201, "{\"kind\":\"Pod\"}", "Content-Type: application/json\r\n");
    connection.waitForEnd();
  });
  const auto client = clientFor(endpointOf(server));
  net::HttpRequest request = post("{\"a\":1}");
  request.target = "/api/v1/pods?timeout=10s";
  request.headers = {{"User-Agent", "vk-bridge/1"}, {"Authorization", "Bearer t"}};
  const auto response = client->send(request);
  ASSERT_TRUE(response.has_value()) << response.error().message;
  EXPECT_EQ(response->code, 201);
  EXPECT_EQ(response->header("content-type"), "application/json");
  EXPECT_EQ(response->body, "{\"kind\":\"Pod\"}");
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.target, "/api/v1/pods?timeout=10s");
  EXPECT_EQ(seen.body, "{\"a\":1}");
  EXPECT_TRUE(seen.has("User-Agent: vk-bridge/1\r\n"));
  EXPECT_TRUE(seen.has("Host: 127.0.0.1:" + std::to_string(server.port()) + "\r\n"));
}

TEST_F(HttpClientTest, HeadAndBodyOfASmallRequestAreOneRecord) {
  ReceivedRequest seen;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    seen = *connection.readRequest();
    connection.answer(200, "");
    connection.waitForEnd();
  });
  ASSERT_TRUE(clientFor(endpointOf(server))->send(post(std::string(4000, 'b'))).has_value());
  EXPECT_TRUE(seen.in_one_piece);
}

TEST_F(HttpClientTest, OneConnectionServesManyRequests) {
  TlsTestServer server(tls(), TlsTestServer::always(200, "ok"));
  const auto client = clientFor(endpointOf(server));
  for (int i = 0; i < 100; ++i) ASSERT_EQ(failureOf(*client).code, 200);
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(HttpClientTest, EveryFramingKeepsTheConnectionUsable) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    while (const auto request = connection.readRequest()) {
      if (request->target == "/chunked") {
        connection.startChunked();
        connection.chunk("one ");
        connection.chunk("two");
        connection.endChunked();
      } else if (request->target == "/none") {
        connection.write("HTTP/1.1 204 No Content\r\n\r\n");
      } else if (request->method == "HEAD") {
        connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
      } else {
        connection.write("HTTP/1.1 100 Continue\r\n\r\n");
        connection.answer(200, "length");
      }
    }
  });
  const auto client = clientFor(endpointOf(server));
  EXPECT_EQ(client->send(get("/chunked"))->body, "one two");
  EXPECT_EQ(client->send(get("/none"))->code, 204);
  EXPECT_EQ(client->send({.method = "HEAD", .target = "/"})->body, "");
  EXPECT_EQ(client->send(get("/length"))->body, "length");
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(HttpClientTest, ABodyMayEndWithItsConnection) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.write("HTTP/1.0 200 OK\r\n\r\nall of it");
    connection.closeInOrder();
    connection.waitForEnd();
  });
  const auto client = clientFor(endpointOf(server));
  EXPECT_EQ(client->send(get("/"))->body, "all of it");
  EXPECT_EQ(client->send(get("/"))->body, "all of it");
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(HttpClientTest, ACutConnectionIsNoEndOfABody) {
  for (const char* head :
       {"HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n"}) {
    TlsTestServer server(tls(), [&](TestConnection& connection) {
      connection.readRequest();
      connection.write(std::string(head) + "half");
      connection.cutOff();
      connection.waitForEnd();
    });
    const auto status = failureOf(*clientFor(endpointOf(server)));
    EXPECT_EQ(status.reason, reasons::kUnanswered) << head;
    EXPECT_THAT(status.message, HasSubstr("in the middle of an answer")) << head;
  }
}

TEST_F(HttpClientTest, ServerThatSaysCloseIsBelieved) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    while (connection.readRequest()) connection.answer(200, "ok", "Connection: close\r\n");
  });
  const auto client = clientFor(endpointOf(server));
  EXPECT_EQ(failureOf(*client).code, 200);
  EXPECT_EQ(failureOf(*client).code, 200);
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(HttpClientTest, TimeoutIsAsLongAsAskedAndNotTwice) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.waitForEnd();
  });
  const auto client = clientFor(endpointOf(server));
  const auto took = shortest(milliseconds(500), [&] {
    const auto start = std::chrono::steady_clock::now();
    const auto status = failureOf(*client, milliseconds(300));
    EXPECT_TRUE(status.isUnanswered());
    EXPECT_THAT(status.message, HasSubstr("no answer within 300 ms"));
    EXPECT_GE(since(start), milliseconds(300));
    return since(start);
  });
  EXPECT_LT(took, milliseconds(500));
}

TEST_F(HttpClientTest, TimeoutHoldsForTheWholeExchangeHoweverSteadilyItDrips) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    while (connection.chunk("x")) {
    }
  });
  const auto client = clientFor(endpointOf(server));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(failureOf(*client, milliseconds(300)).isUnanswered());
  EXPECT_LT(since(start), seconds(10));
}

TEST_F(HttpClientTest, ABodyBeyondTheLimitIsRefused) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    while (const auto request = connection.readRequest()) {
      if (request->target == "/chunked") {
        connection.startChunked();
        connection.chunk(std::string(1001, 'x'));
        connection.endChunked();
      } else {
        connection.answer(200, std::string(request->target == "/fits" ? 1000 : 1001, 'x'));
      }
    }
  });
  const auto client = clientFor(endpointOf(server), {.max_body_bytes = 1000});
  EXPECT_EQ(client->send(get("/fits"))->body.size(), 1000u);
  for (const char* target : {"/length", "/chunked"}) {
    const auto response = client->send(get(target));
    ASSERT_FALSE(response.has_value()) << target;
    EXPECT_EQ(response.error().reason, net::kReasonBodyTooLarge);
  }
}

TEST_F(HttpClientTest, LargeBodiesGoBothWays) {
  const std::string large(8u << 20, 'L');
  TlsTestServer server(tls(), [](TestConnection& connection) {
    while (const auto request = connection.readRequest()) connection.answer(200, request->body);
  });
  const auto response = clientFor(endpointOf(server))->send(post(large));
  ASSERT_TRUE(response.has_value()) << response.error().message;
  EXPECT_EQ(response->body, large);
}

TEST_F(HttpClientTest, AnAnswerThatComesBeforeTheRequestWasTakenIsRead) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.answer(413, "too large", "Connection: close\r\n");
  });
  const auto response = clientFor(endpointOf(server))->send(post(std::string(32u << 20, 'x')));
  ASSERT_TRUE(response.has_value()) << response.error().message;
  EXPECT_EQ(response->code, 413);
}

TEST_F(HttpClientTest, StopTokenCallsARequestOffAtOnce) {
  Gate arrived;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    arrived.open();
    connection.waitForEnd();
  });
  const auto client = clientFor(endpointOf(server));
  int round = 0;
  const auto took = shortest(milliseconds(50), [&] {
    std::stop_source source;
    net::HttpRequest request = get("/");
    request.stop = source.get_token();
    Status status;
    std::jthread worker([&] { status = client->send(request).error(); });
    EXPECT_TRUE(arrived.wait(++round));
    const auto stopped = std::chrono::steady_clock::now();
    source.request_stop();
    worker.join();
    EXPECT_EQ(status.reason, net::kReasonAborted);
    return since(stopped);
  });
  EXPECT_LT(took, milliseconds(50));
}

TEST_F(HttpClientTest, ARequestThatWasStoppedBeforehandIsNotSent) {
  TlsTestServer server(tls(), TlsTestServer::always(200, "ok"));
  std::stop_source source;
  source.request_stop();
  net::HttpRequest request = get("/");
  request.stop = source.get_token();
  EXPECT_EQ(clientFor(endpointOf(server))->send(request).error().reason, net::kReasonAborted);
  EXPECT_EQ(server.accepted(), 0);
}

TEST_F(HttpClientTest, ShutdownEndsRequestsThatWaitAndThoseInLine) {
  Gate arrived;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    arrived.open();
    connection.waitForEnd();
  });
  const auto client = clientFor(endpointOf(server), {.max_connections = 1});
  std::atomic<int> aborted{0};
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 3; ++i) {
      workers.emplace_back([&] { aborted += failureOf(*client).reason == net::kReasonAborted; });
    }
    ASSERT_TRUE(arrived.wait());
    client->shutdown();
  }
  EXPECT_EQ(aborted, 3);
  EXPECT_EQ(failureOf(*client).reason, net::kReasonAborted);
}

TEST_F(HttpClientTest, WritingToAServerThatHasGoneRaisesNoSignal) {
  // The signal would end the process here: neither blocked nor ignored.
  struct sigaction deadly {};
  struct sigaction before {};
  deadly.sa_handler = SIG_DFL;
  sigaction(SIGPIPE, &deadly, &before);
  sigset_t pipe, old;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_UNBLOCK, &pipe, &old);
  for (const bool encrypted : {true, false}) {
    TlsTestServer server(encrypted ? tls() : TestServerOptions{},
                         [](TestConnection& connection) { connection.reset(); });
    net::Endpoint endpoint = endpointOf(server);
    endpoint.tls = encrypted;
    const auto client = clientFor(endpoint);
    EXPECT_FALSE(client->send(post(std::string(32u << 20, 'x'))).has_value());
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  sigaction(SIGPIPE, &before, nullptr);
}

}  // namespace
}  // namespace vkb::test
