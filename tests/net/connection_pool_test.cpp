// Which connection carries a request, and when another one takes over.
#include <atomic>
#include <thread>

#include "net_fixture.h"

namespace vkb::test {
namespace {

using ::testing::HasSubstr;

using ConnectionPoolTest = NetTest;

TEST_F(ConnectionPoolTest, IdleConnectionsAreGivenUpAfterTheirTime) {
  TlsTestServer server(tls(), TlsTestServer::always(200, "ok"));
  const auto client = clientFor(endpointOf(server), {.max_idle = seconds(60)});
  failureOf(*client);
  clock_.advance(seconds(59));
  failureOf(*client);
  EXPECT_EQ(server.accepted(), 1);
  clock_.advance(seconds(60));
  failureOf(*client);
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(ConnectionPoolTest, BusyConnectionsAreReplacedAtAJitteredAge) {
  TlsTestServer server(tls(), TlsTestServer::always(200, "ok"));
  const auto client = clientFor(endpointOf(server), {.max_age = seconds(450)});
  failureOf(*client);
  int age = 0;
  while (server.accepted() == 1 && age < 1000) {
    clock_.advance(seconds(10));
    age += 10;
    failureOf(*client);
  }
  EXPECT_GE(age, 300);
  EXPECT_LE(age, 610);
}

TEST_F(ConnectionPoolTest, NewEndpointIsUsedFromTheNextRequestOn) {
  TlsTestServer first(tls(), TlsTestServer::always(200, "first"));
  TlsTestServer second(tls(), TlsTestServer::always(200, "second"));
  const auto client = clientFor(endpointOf(first));
  EXPECT_EQ(failureOf(*client).message, "first");
  client->replaceEndpoint(endpointOf(second));
  EXPECT_EQ(failureOf(*client).message, "second");
}

TEST_F(ConnectionPoolTest, RequestUnderWayOutlivesAChangeOfEndpointButItsConnectionDoesNot) {
  Gate arrived, go;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    while (connection.readRequest()) {
      arrived.open();
      go.wait();
      connection.answer(200, "ok");
    }
  });
  const auto client = clientFor(endpointOf(server));
  int code = 0;
  std::jthread worker([&] { code = failureOf(*client).code; });
  ASSERT_TRUE(arrived.wait());
  client->replaceEndpoint(endpointOf(server));
  go.open();
  worker.join();
  EXPECT_EQ(code, 200);
  EXPECT_EQ(failureOf(*client).code, 200);
  EXPECT_EQ(server.accepted(), 2);
}

/// First connection: one answer, then dead in the way of the test; the others work.
class StaleConnectionTest : public ConnectionPoolTest {
 protected:
  /// `die` runs when the second request of the first connection has arrived.
  Handler dyingAt2nd(std::function<void(TestConnection&)> die) {
    return [this, die = std::move(die)](TestConnection& connection) {
      for (int nth = 1; const auto request = connection.readRequest(); ++nth) {
        ++requests_;
        if (connection.number() == 1 && nth == 2) return die(connection);
        connection.answer(200, "ok");
      }
    };
  }

  std::atomic<int> requests_{0};
};

TEST_F(StaleConnectionTest, IsReplacedOnceForAGet) {
  for (const bool hard : {false, true}) {
    requests_ = 0;
    TlsTestServer server(tls(), dyingAt2nd([hard](TestConnection& connection) {
                           if (hard) {
                             connection.reset();
                           } else {
                             connection.closeInOrder();
                           }
                         }));
    const auto client = clientFor(endpointOf(server));
    ASSERT_EQ(failureOf(*client).code, 200);
    EXPECT_EQ(failureOf(*client).code, 200);
    EXPECT_EQ(server.accepted(), 2);
    EXPECT_EQ(requests_, 3);
  }
}

TEST_F(StaleConnectionTest, IsNotReplacedForAPostThatMayHaveArrived) {
  TlsTestServer server(tls(),
                       dyingAt2nd([](TestConnection& connection) { connection.closeInOrder(); }));
  const auto client = clientFor(endpointOf(server));
  ASSERT_EQ(failureOf(*client).code, 200);
  const auto response = client->send(post("{}"));
  ASSERT_FALSE(response.has_value());
  EXPECT_TRUE(response.error().isUnanswered());
  EXPECT_EQ(server.accepted(), 1);
  EXPECT_EQ(requests_, 2);
}

TEST_F(StaleConnectionTest, IsReplacedForEveryMethodThatMayBeRepeated) {
  const net::Headers merge = {{"Content-Type", "application/merge-patch+json"}};
  const net::Headers json_patch = {{"Content-Type", "application/json-patch+json"}};
  const auto codeOf = [&](const char* method, const net::Headers& headers) {
    TlsTestServer server(tls(),
                         dyingAt2nd([](TestConnection& connection) { connection.closeInOrder(); }));
    const auto client = clientFor(endpointOf(server));
    failureOf(*client);
    const auto response =
        client->send({.method = method, .target = "/", .headers = headers, .body = "{}"});
    return response ? response->code : 0;
  };
  EXPECT_EQ(codeOf("PUT", {}), 200);
  EXPECT_EQ(codeOf("DELETE", {}), 200);
  EXPECT_EQ(codeOf("PATCH", merge), 200);
  EXPECT_EQ(codeOf("PATCH", json_patch), 0);
}

TEST_F(StaleConnectionTest, ThatIsKnownToBeClosedIsNotUsedForAPost) {
  Gate closed;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.answer(200, "ok");
    if (connection.number() > 1) return connection.waitForEnd();
    connection.closeInOrder();
    closed.open();
  });
  const auto client = clientFor(endpointOf(server));
  ASSERT_EQ(failureOf(*client).code, 200);
  ASSERT_TRUE(closed.wait());
  const auto response = client->send(post("{}"));
  ASSERT_TRUE(response.has_value()) << response.error().message;
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(StaleConnectionTest, ThatSentSomethingUnaskedIsNotUsed) {
  Gate sent;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.answer(200, "ok");
    if (connection.number() == 1) {
      connection.write("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
      sent.open();
    }
    connection.waitForEnd();
  });
  const auto client = clientFor(endpointOf(server));
  ASSERT_EQ(failureOf(*client).code, 200);
  ASSERT_TRUE(sent.wait());
  EXPECT_EQ(failureOf(*client).code, 200);
}

TEST_F(ConnectionPoolTest, AFreshConnectionThatDiesIsNotRetried) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.reset();
  });
  const auto status = failureOf(*clientFor(endpointOf(server)));
  EXPECT_TRUE(status.isUnanswered());
  EXPECT_THAT(status.message, HasSubstr("before an answer came"));
  EXPECT_EQ(server.accepted(), 1);
}

TEST_F(ConnectionPoolTest, NoMoreConnectionsThanAllowedAreOpened) {
  Gate arrived, go;
  std::atomic<int> now{0}, most{0};
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    while (connection.readRequest()) {
      most = std::max(most.load(), ++now);
      arrived.open();
      go.wait();
      --now;
      connection.answer(200, "ok");
    }
  });
  const auto client = clientFor(endpointOf(server), {.max_connections = 3});
  std::atomic<int> good{0};
  {
    std::vector<std::jthread> workers;
    for (int i = 0; i < 12; ++i) {
      workers.emplace_back([&] { good += failureOf(*client).code == 200; });
    }
    ASSERT_TRUE(arrived.wait(3));
    go.open();
  }
  EXPECT_EQ(good, 12);
  EXPECT_EQ(most, 3);
  EXPECT_EQ(server.accepted(), 3);
}

TEST_F(ConnectionPoolTest, WaitingForAFreeConnectionEndsWithTheTimeout) {
  Gate arrived, go;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    while (connection.readRequest()) {
      arrived.open();
      go.wait();
      connection.answer(200, "ok");
    }
  });
  const auto client = clientFor(endpointOf(server), {.max_connections = 1});
  std::jthread first([&] { failureOf(*client); });
  ASSERT_TRUE(arrived.wait());
  const auto status = failureOf(*client, milliseconds(100));
  EXPECT_EQ(status.reason, reasons::kUnreachable);
  EXPECT_THAT(status.message, HasSubstr("busy"));
  go.open();
}

TEST_F(ConnectionPoolTest, ManyThreadsShareOneClient) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    while (const auto request = connection.readRequest()) connection.answer(200, request->target);
  });
  const auto client = clientFor(endpointOf(server), {.max_connections = 4});
  std::atomic<int> wrong{0};
  {
    std::vector<std::jthread> workers;
    for (int w = 0; w < 8; ++w) {
      workers.emplace_back([&, w] {
        for (int i = 0; i < 50; ++i) {
          const std::string target = "/" + std::to_string(w) + "/" + std::to_string(i);
          const auto response = client->send(get(target));
          wrong += !response || response->body != target;
        }
      });
    }
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(server.accepted(), 4);
}

}  // namespace
}  // namespace vkb::test
