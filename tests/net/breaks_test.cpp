// Who is told of broken connections, and what is sent afterwards.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "net_fixture.h"

namespace vkb::test {
namespace {

using ::testing::HasSubstr;

/// A client that counts breaks, with a guard that forgets its proof at each, as kube's does.
class BreaksTest : public NetTest {
 protected:
  net::HttpClientOptions guarded() {
    return {.on_broken =
                [this](const Status& why) {
                  const std::lock_guard lock(mutex_);
                  why_ = why;
                  ++told_;
                  proven_ = false;
                },
            .may_use_new_connection =
                [this](const net::HttpRequest& request) {
                  return proven_ || request.target == "/identity";
                }};
  }
  /// Only told, never held back.
  net::HttpClientOptions counting() {
    net::HttpClientOptions options = guarded();
    options.may_use_new_connection = nullptr;
    return options;
  }
  Status why() {
    const std::lock_guard lock(mutex_);
    return why_;
  }

  /// Each connection serves requests until the test says that connections up to a number die: at
  /// their next request (after it was read), in the way of `die`.
  Handler mortal(std::function<void(TestConnection&)> die) {
    return [this, die = std::move(die)](TestConnection& connection) {
      while (const auto request = connection.readRequest()) {
        ++requests_;
        told_at_last_request_ = told_.load();
        if (connection.number() <= doomed_) return die(connection);
        connection.answer(200, request->target);
      }
    };
  }

  std::atomic<int> told_{0}, requests_{0}, told_at_last_request_{0}, doomed_{0};
  std::atomic<bool> proven_{true};

 private:
  std::mutex mutex_;
  Status why_;
};

TEST_F(BreaksTest, AreToldBeforeTheRequestIsSentAgain) {
  TlsTestServer server(tls(), mortal([](TestConnection& connection) { connection.reset(); }));
  const auto client = clientFor(endpointOf(server), counting());
  ASSERT_EQ(failureOf(*client).code, 200);
  EXPECT_EQ(told_, 0);
  doomed_ = 1;
  EXPECT_EQ(failureOf(*client).code, 200);
  EXPECT_EQ(server.accepted(), 2);
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(told_at_last_request_, 1);
  EXPECT_THAT(why().message, HasSubstr("broke before an answer came"));
}

TEST_F(BreaksTest, HoldBackTheRepetitionUntilTheProofHasGoneOut) {
  TlsTestServer server(tls(),
                       mortal([](TestConnection& connection) { connection.closeInOrder(); }));
  const auto client = clientFor(endpointOf(server), guarded());
  ASSERT_EQ(failureOf(*client).code, 200);
  doomed_ = 1;
  // The first connection took it, so it may have been carried out.
  EXPECT_EQ(failureOf(*client).reason, reasons::kUnanswered);
  EXPECT_EQ(server.accepted(), 1);

  const Status second = failureOf(*client);
  EXPECT_EQ(second.reason, reasons::kUnreachable);
  EXPECT_THAT(second.message, HasSubstr("not proven yet"));
  EXPECT_EQ(server.accepted(), 1);
  EXPECT_EQ(requests_, 2);

  const auto proof = client->send(get("/identity"));
  ASSERT_TRUE(proof.has_value()) << proof.error().message;
  proven_ = true;
  EXPECT_EQ(failureOf(*client).code, 200);
  EXPECT_EQ(server.accepted(), 2);
}

TEST_F(BreaksTest, OfIdleConnectionsAreNoticedBeforeAnythingIsSent) {
  Gate closed;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    ++requests_;
    connection.answer(200, "ok");
    if (connection.number() > 1) return connection.waitForEnd();
    connection.closeInOrder();
    closed.open();
  });
  const auto client = clientFor(endpointOf(server), guarded());
  ASSERT_EQ(failureOf(*client).code, 200);
  ASSERT_TRUE(closed.wait());
  const auto refused = client->send(post("{}"));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().reason, reasons::kUnreachable);
  EXPECT_EQ(told_, 1);
  EXPECT_THAT(why().message, HasSubstr("while no request used it"));
  EXPECT_EQ(requests_, 1);
  proven_ = true;
  EXPECT_TRUE(client->send(post("{}")).has_value());
}

TEST_F(BreaksTest, OfConnectionsThatWereTooOldAnywayAreNoticedToo) {
  Gate closed;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.answer(200, "ok");
    if (connection.number() > 1) return connection.waitForEnd();
    connection.cutOff();
    closed.open();
  });
  const auto client = clientFor(endpointOf(server), counting());
  ASSERT_EQ(failureOf(*client).code, 200);
  ASSERT_TRUE(closed.wait());
  clock_.advance(seconds(61));
  ASSERT_EQ(failureOf(*client).code, 200);
  EXPECT_EQ(told_, 1);
  clock_.advance(seconds(61));
  ASSERT_EQ(failureOf(*client).code, 200);
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(server.accepted(), 3);
}

TEST_F(BreaksTest, EndTheUseOfEveryConnectionMadeBefore) {
  Gate arrived, go;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    while (const auto request = connection.readRequest()) {
      if (request->target == "/slow") {
        arrived.open();
        go.wait();
      }
      if (request->target == "/die") return connection.reset();
      connection.answer(200, std::to_string(connection.number()));
    }
  });
  const auto client = clientFor(endpointOf(server), counting());
  const auto servedBy = [&](const char* target) {
    const auto response = client->send(get(target));
    return response ? response->body : response.error().reason;
  };
  std::string slow, also_slow;
  std::jthread first([&] { slow = servedBy("/slow"); });
  ASSERT_TRUE(arrived.wait(1));
  std::jthread second([&] { also_slow = servedBy("/slow"); });
  ASSERT_TRUE(arrived.wait(2));
  EXPECT_EQ(servedBy("/"), "3");
  // One breaks while two are busy, and one of these is given back only then.
  EXPECT_EQ(client->send({.method = "POST", .target = "/die"}).has_value(), false);
  go.open();
  first.join();
  second.join();
  EXPECT_EQ(slow + also_slow == "12" || slow + also_slow == "21", true);
  EXPECT_EQ(servedBy("/"), "4");
  EXPECT_EQ(servedBy("/"), "4");
  EXPECT_EQ(told_, 1);
}

TEST_F(BreaksTest, DuringTheHandshakeHoldBackTheRequestTheConnectionWasMadeFor) {
  TlsTestServer server(tls(), mortal([](TestConnection& connection) { connection.reset(); }));
  net::HttpClientOptions options;
  int asked = 0;
  options.may_use_new_connection = [&](const net::HttpRequest&) { return ++asked == 1; };
  const auto client = clientFor(endpointOf(server), options);
  EXPECT_EQ(failureOf(*client).reason, reasons::kUnreachable);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(server.accepted(), 1);
  EXPECT_EQ(requests_, 0);
}

TEST_F(BreaksTest, AreAConnectionThatIsSilentBeyondItsTime) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    while (connection.readRequest()) {
    }
  });
  const auto client = clientFor(endpointOf(server), counting());
  EXPECT_EQ(failureOf(*client, milliseconds(50)).reason, reasons::kUnanswered);
  EXPECT_EQ(told_, 1);
}

TEST_F(BreaksTest, InTheMiddleOfABodyAreTold) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    connection.closeInOrder();
  });
  const auto client = clientFor(endpointOf(server), counting());
  EXPECT_EQ(failureOf(*client).reason, reasons::kUnanswered);
  EXPECT_EQ(told_, 1);
}

TEST_F(BreaksTest, OfStreamsAreToldAndTheirOrderlyEndIsNone) {
  std::atomic<bool> cut{false};
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.chunk("line\n");
    if (cut) return connection.cutOff();
    connection.endChunked();
    connection.waitForEnd();
  });
  const auto client = clientFor(endpointOf(server), counting());
  for (const bool cutting : {false, true}) {
    cut = cutting;
    auto stream = client->open(get("/watch"));
    ASSERT_TRUE(stream.has_value());
    ASSERT_EQ(next(**stream), "line");
    EXPECT_EQ(next(**stream), cutting ? "<Unanswered>" : "<end>");
    EXPECT_EQ(told_, cutting ? 1 : 0);
  }
}

TEST_F(BreaksTest, OfStreamsThatWereSilentTooLongAreTold) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.waitForEnd();
  });
  const auto client = clientFor(endpointOf(server), counting());
  auto stream = client->open(get("/watch"));
  ASSERT_TRUE(stream.has_value());
  EXPECT_EQ((*stream)->tryReadLine().state, net::StreamLine::State::kWantRead);
  EXPECT_EQ(told_, 0);
  EXPECT_EQ((*stream)->breakForSilence(seconds(330)).reason, reasons::kUnanswered);
  EXPECT_EQ(told_, 1);
  EXPECT_EQ(next(**stream), "<Unanswered>") << "it is over";
}

TEST_F(BreaksTest, AreNotWhatThisProgramEndsItself) {
  Gate arrived;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    arrived.open();
    connection.waitForEnd();
  });
  const auto client = clientFor(endpointOf(server), counting());
  std::stop_source stop;
  std::jthread caller([&] {
    net::HttpRequest request = get("/");
    request.stop = stop.get_token();
    EXPECT_FALSE(client->send(request).has_value());
  });
  ASSERT_TRUE(arrived.wait());
  stop.request_stop();
  caller.join();
  EXPECT_EQ(told_, 0);
}

TEST_F(BreaksTest, HoldBackStreamsToo) {
  TlsTestServer server(tls(), mortal([](TestConnection& connection) { connection.reset(); }));
  const auto client = clientFor(endpointOf(server), guarded());
  proven_ = false;
  const auto stream = client->open(get("/watch"));
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(stream.error().reason, reasons::kUnreachable);
  EXPECT_EQ(requests_, 0);
}

}  // namespace
}  // namespace vkb::test
