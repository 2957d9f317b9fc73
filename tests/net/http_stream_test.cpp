// Answers that are read while they come.
#include <thread>

#include "net_fixture.h"

namespace vkb::test {
namespace {

using ::testing::HasSubstr;

class HttpStreamTest : public NetTest {
 protected:
  std::unique_ptr<net::HttpStream> open(const TlsTestServer& server) {
    client_ = clientFor(endpointOf(server));
    auto stream = client_->open(get("/watch"));
    if (!stream) {
      ADD_FAILURE() << stream.error().message;
      return nullptr;
    }
    return std::move(*stream);
  }

  std::unique_ptr<net::HttpClient> client_;
};

TEST_F(HttpStreamTest, GivesEachLineWhenItHasCome) {
  Gate read;
  bool in_time = true;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.chunk("{\"n\":1}\n");
    in_time = in_time && read.wait(1);  // the reader has it although nothing follows
    connection.chunk("{\"n\":2}\n{\"n\"");
    in_time = in_time && read.wait(2);
    connection.chunk(":3}\n");
    connection.chunk("\n");
    connection.endChunked();
    connection.waitForEnd();
  });
  const auto stream = open(server);
  EXPECT_EQ(stream->head().code, 200);
  EXPECT_EQ(stream->head().header("Content-Type"), "application/json");
  EXPECT_EQ(next(*stream), "{\"n\":1}");
  read.open();
  EXPECT_EQ(next(*stream), "{\"n\":2}");
  read.open();
  EXPECT_EQ(next(*stream), "{\"n\":3}");
  EXPECT_EQ(next(*stream), "");
  EXPECT_EQ(next(*stream), "<end>");
  EXPECT_EQ(next(*stream), "<end>");
  EXPECT_TRUE(in_time);
}

TEST_F(HttpStreamTest, AsksTheServerToCloseAfterwards) {
  ReceivedRequest seen;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    seen = *connection.readRequest();
    connection.answer(200, "x\n");
    connection.waitForEnd();
  });
  EXPECT_EQ(next(*open(server)), "x");
  EXPECT_TRUE(seen.has("Connection: close\r\n"));
}

TEST_F(HttpStreamTest, AStreamHasAConnectionOfItsOwn) {
  Gate done;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    while (const auto request = connection.readRequest()) {
      if (request->target == "/watch") {
        connection.startChunked();
        done.wait();
        return;
      }
      connection.answer(200, "ok");
    }
  });
  client_ = clientFor(endpointOf(server), {.max_connections = 1});
  auto first = client_->open(get("/watch"));
  auto second = client_->open(get("/watch"));
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(failureOf(*client_).code, 200);
  EXPECT_EQ(server.accepted(), 3);
  done.open();
}

/// How a stream may be cut, and that each is an error and not an end.
struct Cut {
  const char* name;
  std::function<void(TestConnection&)> cut;
};
class HttpStreamCutTest : public HttpStreamTest, public ::testing::WithParamInterface<Cut> {};

TEST_P(HttpStreamCutTest, IsAnErrorAfterTheLinesBefore) {
  Gate read;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.chunk("whole\n");
    read.wait();
    GetParam().cut(connection);
    connection.waitForEnd();
  });
  const auto stream = open(server);
  EXPECT_EQ(next(*stream), "whole");
  read.open();
  EXPECT_EQ(next(*stream), "<Unanswered>");
  EXPECT_EQ(next(*stream), "<Unanswered>");
}

INSTANTIATE_TEST_SUITE_P(
    Where, HttpStreamCutTest,
    ::testing::Values(Cut{"BetweenChunksInOrder", [](TestConnection& c) { c.closeInOrder(); }},
                      Cut{"BetweenChunks", [](TestConnection& c) { c.cutOff(); }},
                      Cut{"ByReset", [](TestConnection& c) { c.reset(); }},
                      Cut{"InTheMiddleOfALine",
                          [](TestConnection& c) {
                            c.chunk("half a li");
                            c.cutOff();
                          }},
                      Cut{"InTheMiddleOfAChunk",
                          [](TestConnection& c) {
                            c.write("10\r\nhalf");
                            c.closeInOrder();
                          }},
                      Cut{"InTheMiddleOfALineThoughTheBodyEnds",
                          [](TestConnection& c) {
                            c.chunk("half a li");
                            c.endChunked();
                          }}),
    [](const auto& each) { return each.param.name; });

TEST_F(HttpStreamTest, WholeLinesBeforeACutAreGivenFirst) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.write("100\r\none\ntwo\nthr");
    connection.cutOff();
    connection.waitForEnd();
  });
  const auto stream = open(server);
  EXPECT_EQ(next(*stream), "one");
  EXPECT_EQ(next(*stream), "two");
  EXPECT_EQ(next(*stream), "<Unanswered>");
}

TEST_F(HttpStreamTest, SilenceBeyondTheLimitIsAnError) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.waitForEnd();
  });
  const auto took = shortest(milliseconds(400), [&] {
    const auto stream = open(server);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(next(*stream, milliseconds(250)), "<Unanswered>");
    EXPECT_GE(since(start), milliseconds(250));
    return since(start);
  });
  EXPECT_LT(took, milliseconds(400));
}

class HttpStreamAbortTest : public HttpStreamTest, public ::testing::WithParamInterface<bool> {};

TEST_P(HttpStreamAbortTest, FromAnotherThreadWakesTheReaderAtOnce) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.chunk("first\n");
    connection.waitForEnd();
  });
  const auto took = shortest(milliseconds(50), [&] {
    std::stop_source source;
    client_ = clientFor(endpointOf(server));
    net::HttpRequest request = get("/watch");
    request.stop = source.get_token();
    const auto stream = std::move(*client_->open(request));
    Gate started;
    std::string outcome;
    std::jthread reader([&] {
      next(*stream);
      started.open();
      outcome = next(*stream);
    });
    EXPECT_TRUE(started.wait());
    const auto aborted = std::chrono::steady_clock::now();
    if (GetParam()) {
      source.request_stop();
    } else {
      stream->abort();
    }
    reader.join();
    const auto took_this_time = since(aborted);
    EXPECT_EQ(outcome, "<Aborted>");
    EXPECT_EQ(next(*stream), "<Aborted>");
    return took_this_time;
  });
  EXPECT_LT(took, milliseconds(50));
}

INSTANTIATE_TEST_SUITE_P(How, HttpStreamAbortTest, ::testing::Bool(),
                         [](const auto& each) { return each.param ? "ByStopToken" : "ByCall"; });

TEST_F(HttpStreamTest, OpeningCanBeCalledOffBeforeTheHeadCame) {
  Gate arrived;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    arrived.open();
    connection.waitForEnd();
  });
  const auto client = clientFor(endpointOf(server));
  std::stop_source source;
  net::HttpRequest request = get("/watch");
  request.stop = source.get_token();
  Status status;
  std::jthread opener([&] { status = client->open(request).error(); });
  ASSERT_TRUE(arrived.wait());
  source.request_stop();
  opener.join();
  EXPECT_EQ(status.reason, net::kReasonAborted);
}

TEST_F(HttpStreamTest, ShutdownOfTheClientEndsItsStreams) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.waitForEnd();
  });
  const auto stream = open(server);
  client_->shutdown();
  EXPECT_EQ(next(*stream), "<Aborted>");
}

TEST_F(HttpStreamTest, AStreamOutlivesItsClient) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.chunk("line\n");
    connection.endChunked();
    connection.waitForEnd();
  });
  const auto stream = open(server);
  client_.reset();
  EXPECT_EQ(next(*stream), "line");
  EXPECT_EQ(next(*stream), "<end>");
}

TEST_F(HttpStreamTest, LongLinesAndManyLinesPass) {
  const std::string big(9u << 20, 'b');
  constexpr int kMany = 20'000;
  TlsTestServer server(tls(), [&](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    connection.chunk(big + "\n");
    std::string lines;
    for (int i = 0; i < kMany; ++i) lines += std::to_string(i) + "\n";
    connection.chunk(lines);
    connection.endChunked();
    connection.waitForEnd();
  });
  const auto stream = open(server);
  EXPECT_EQ(next(*stream) == big, true);
  for (int i = 0; i < kMany; ++i) ASSERT_EQ(next(*stream), std::to_string(i));
  EXPECT_EQ(next(*stream), "<end>");
}

TEST_F(HttpStreamTest, ALineWithoutEndIsGivenUp) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.startChunked();
    const std::string part(1u << 20, 'x');
    while (connection.chunk(part)) {
    }
  });
  EXPECT_EQ(next(*open(server)), "<BodyTooLarge>");
}

TEST_F(HttpStreamTest, TheBodyOfARefusalIsReadWhole) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.answer(410, "{\"reason\":\"Expired\"}");
    connection.waitForEnd();
  });
  const auto stream = open(server);
  EXPECT_EQ(stream->head().code, 410);
  EXPECT_EQ(*stream->readAll(seconds(20), 1000), "{\"reason\":\"Expired\"}");
}

TEST_F(HttpStreamTest, ReadAllHasALimitAndTakesWhatLinesLeft) {
  TlsTestServer server(tls(), [](TestConnection& connection) {
    connection.readRequest();
    connection.answer(200, "line\nrest of it");
    connection.waitForEnd();
  });
  const auto within = open(server);
  EXPECT_EQ(next(*within), "line");
  EXPECT_EQ(*within->readAll(seconds(20), 10), "rest of it");
  const auto beyond = open(server);
  const auto all = beyond->readAll(seconds(20), 14);
  ASSERT_FALSE(all.has_value());
  EXPECT_EQ(all.error().reason, net::kReasonBodyTooLarge);
}

}  // namespace
}  // namespace vkb::test
