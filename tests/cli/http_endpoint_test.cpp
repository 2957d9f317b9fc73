#include "cli/http_endpoint.h"

#include <Poco/Net/HTTPClientSession.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/NetException.h>
#include <Poco/StreamCopier.h>
#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>
#include <thread>

#ifdef __SANITIZE_THREAD__
// Debian's Poco is built without the sanitizer, which therefore does not see the atomic count of
// references by which its last owner knows that it may destroy a delegate.
extern "C" const char* __tsan_default_suppressions() {
  return "race:Poco::Delegate<Poco::Net::HTTPServerConnection";
}
#endif

namespace vkb::cli {
namespace {

using ::testing::HasSubstr;

struct Reply {
  int status = 0;
  std::string body, type, allow;
};

Reply ask(std::uint16_t port, const std::string& path, const std::string& method = "GET",
          const std::string& body = "") {
  Poco::Net::HTTPClientSession session("127.0.0.1", port);
  session.setTimeout(Poco::Timespan(30, 0));
  Poco::Net::HTTPRequest request(method, path, "HTTP/1.1");
  request.setContentLength(static_cast<std::streamsize>(body.size()));
  session.sendRequest(request) << body;
  Poco::Net::HTTPResponse response;
  Reply reply;
  Poco::StreamCopier::copyToString(session.receiveResponse(response), reply.body);
  reply.status = response.getStatus();
  reply.type = response.getContentType();
  reply.allow = response.get("Allow", "");
  return reply;
}

std::set<std::filesystem::path> threads() {
  std::set<std::filesystem::path> all;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) all.insert(task);
  return all;
}

/// How often the threads but `others` have gone to sleep so far.
long sleepsBut(const std::set<std::filesystem::path>& others) {
  long sleeps = 0;
  for (const auto& task : threads()) {
    if (others.contains(task)) continue;
    std::ifstream status(task / "status");
    std::string word;
    while (status >> word) {
      if (word == "voluntary_ctxt_switches:" && status >> word) sleeps += std::stol(word);
    }
  }
  return sleeps;
}

class HttpEndpointTest : public ::testing::Test {
 protected:
  std::unique_ptr<HttpEndpoint> start() {
    auto endpoint =
        HttpEndpoint::start("127.0.0.1:0", {.metrics = [] { return std::string("vkb_up 1\n"); },
                                            .health = [this] { return health; },
                                            .ready = [this] { return ready; }});
    EXPECT_TRUE(endpoint) << endpoint.error().message;
    return endpoint ? std::move(*endpoint) : nullptr;
  }
  std::vector<std::string> health, ready;
};

TEST_F(HttpEndpointTest, ServesMetricsInPrometheusTextFormat) {
  const auto endpoint = start();
  const Reply reply = ask(endpoint->port(), "/metrics?x=1");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "vkb_up 1\n");
  EXPECT_EQ(reply.type, "text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(HttpEndpointTest, HealthAndReadinessAreOkUntilThereAreReasons) {
  health = {};
  ready = {"cluster gpu-eu is not synced", "cluster b is not synced"};
  const auto endpoint = start();
  EXPECT_EQ(ask(endpoint->port(), "/healthz").status, 200);
  EXPECT_EQ(ask(endpoint->port(), "/healthz").body, "ok\n");
  const Reply reply = ask(endpoint->port(), "/readyz");
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.body, "cluster gpu-eu is not synced\ncluster b is not synced\n");
}

TEST_F(HttpEndpointTest, UnknownPathsAre404AndOtherMethods405) {
  const auto endpoint = start();
  for (const char* path : {"/", "/metricsx", "/metrics/", "/healthz/etcd", "//metrics"}) {
    EXPECT_EQ(ask(endpoint->port(), path).status, 404) << path;
  }
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    const Reply reply = ask(endpoint->port(), "/metrics", method, "body");
    EXPECT_EQ(reply.status, 405) << method;
    EXPECT_EQ(reply.allow, "GET");
  }
}

TEST_F(HttpEndpointTest, AHandlerThatThrowsAnythingIs500AndTheServerGoesOn) {
  auto endpoint = HttpEndpoint::start(
      "127.0.0.1:0",
      {.metrics = []() -> std::string { throw 7; },
       .health = []() -> std::vector<std::string> { throw std::runtime_error("broken"); },
       .ready = [] { return std::vector<std::string>{}; }});
  ASSERT_TRUE(endpoint);
  EXPECT_EQ(ask((*endpoint)->port(), "/metrics").status, 500);
  EXPECT_EQ(ask((*endpoint)->port(), "/healthz").body, "broken\n");
  EXPECT_EQ(ask((*endpoint)->port(), "/readyz").status, 200);
}

TEST_F(HttpEndpointTest, APortInUseIsAClearSentence) {
  const auto first = start();
  const auto second = HttpEndpoint::start("127.0.0.1:" + std::to_string(first->port()), {});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("another program uses that port"));
}

TEST_F(HttpEndpointTest, APortCanBeTakenAgainAtOnceAfterStop) {
  auto endpoint = start();
  const std::uint16_t port = endpoint->port();
  EXPECT_EQ(ask(port, "/healthz").status, 200);
  endpoint.reset();
  const auto again = HttpEndpoint::start("127.0.0.1:" + std::to_string(port), {});
  EXPECT_TRUE(again) << again.error().message;
}

TEST_F(HttpEndpointTest, BadAddressesAreClearSentences) {
  for (const char* listen : {"", "10255", "localhost", "127.0.0.1:", "127.0.0.1:x", "1.2.3.4:99999",
                             "127.0.0.1:80 ", "::1:80", "127.0.0.1:-1"}) {
    const auto endpoint = HttpEndpoint::start(listen, {});
    ASSERT_FALSE(endpoint) << listen;
    EXPECT_THAT(endpoint.error().message, HasSubstr("is not host:port")) << listen;
  }
  const auto foreign = HttpEndpoint::start("192.0.2.1:0", {});
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message, HasSubstr("no address of this machine"));
}

TEST_F(HttpEndpointTest, StopIsPromptThoughAClientIsConnectedAndSilent) {
  auto endpoint = start();
  EXPECT_EQ(ask(endpoint->port(), "/healthz").status, 200);
  Poco::Net::StreamSocket silent(Poco::Net::SocketAddress("127.0.0.1", endpoint->port()));
  const auto begin = std::chrono::steady_clock::now();
  endpoint->stop();
  endpoint->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  char byte = 0;
  int received = 0;
  try {
    silent.setReceiveTimeout(Poco::Timespan(30, 0));
    received = silent.receiveBytes(&byte, 1);
  } catch (const Poco::Net::ConnectionResetException&) {
  }
  EXPECT_EQ(received, 0) << "the connection was closed";
}

TEST_F(HttpEndpointTest, ItIsSeldomWokenWhileNobodyAsks) {
  const auto others = threads();
  const auto endpoint = start();
  EXPECT_EQ(ask(endpoint->port(), "/healthz").status, 200);
  // The end of that request may fall into the first looks.
  double a_second = 0;
  for (int looks = 0; looks == 0 || (a_second > 3 && looks < 5); ++looks) {
    const long before = sleepsBut(others);
    const auto begin = std::chrono::steady_clock::now();
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
    a_second = static_cast<double>(sleepsBut(others) - before) / passed.count();
  }
  EXPECT_LE(a_second, 3);
  EXPECT_GT(a_second, 0) << "this proves nothing";
}

TEST_F(HttpEndpointTest, ManyClientsAtOnceAreAllServed) {
  const auto endpoint = start();
  std::atomic<int> good = 0;
  std::vector<std::thread> clients;
  for (int t = 0; t < 6; ++t) {
    clients.emplace_back([&] {
      for (int i = 0; i < 20; ++i) good += ask(endpoint->port(), "/metrics").status == 200 ? 1 : 0;
    });
  }
  for (auto& client : clients) client.join();
  EXPECT_EQ(good, 120);
}

}  // namespace
}  // namespace vkb::cli
