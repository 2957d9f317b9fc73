// The REST client from kubeconfig to socket: what the endpoint is made of, over real TLS.
#include <gmock/gmock.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "kube/base64.h"
#include "kube/rest_client.h"
#include "kube_fixture.h"
#include "net/tls_test_server.h"
#include "vkbridge/json.h"

namespace vkb::kube {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class RestLoopbackTest : public ::testing::Test {
 protected:
  /// Answers every request with an object that repeats what it asked for.
  static void echo(test::TestConnection& connection) {
    while (const auto request = connection.readRequest()) {
      connection.answer(200, Json{{"target", request->target}, {"head", request->head}}.dump());
    }
  }
  Result<std::unique_ptr<Client>> clientOf(const std::string& cluster, const std::string& user,
                                           std::shared_ptr<IdentityProof> proof = nullptr) {
    const std::string text =
        "clusters: [{name: c, cluster: {" + cluster + "}}]\nusers: [{name: u, user: {" + user +
        "}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n";
    const auto access = loadKubeconfig(folder_.write("config", text));
    if (!access) return failure(access.error());
    RestClientOptions options;
    options.user_agent = "vk-bridge/test";
    options.cluster = "c";
    options.identity_proof = std::move(proof);
    return makeRestClient(*access, clock_, random_, logger_, metrics_, options);
  }
  std::string serverAt(const test::TlsTestServer& server, const std::string& path = "") const {
    return "server: 'https://127.0.0.1:" + std::to_string(server.port()) + path + "'";
  }
  static std::string data(const std::string& key, const std::string& pem) {
    return ", " + key + "-data: " + base64Encode(pem);
  }

  test::TestCa ca_;
  test::CertPair by_address_ = ca_.issue({.ips = {"127.0.0.1"}});
  test::TempFolder folder_;
  base::SystemClock clock_;
  base::SystemRandom random_;
  base::NullLogger logger_;
  base::Metrics metrics_;
};

TEST_F(RestLoopbackTest, CaTokenAndPathPrefixOfTheKubeconfigAreUsed) {
  test::TlsTestServer server({.cert = by_address_}, echo);
  const auto client =
      clientOf(serverAt(server, "/k8s/clusters/c-1") + data("certificate-authority", ca_.pem()),
               "token: secret");
  ASSERT_TRUE(client) << client.error().message;
  const auto pod = (*client)->get(kPods, "a", "b");
  ASSERT_TRUE(pod) << pod.error().message;
  EXPECT_EQ((**pod)["target"], "/k8s/clusters/c-1/api/v1/namespaces/a/pods/b");
  const std::string head = (**pod)["head"];
  EXPECT_THAT(head, HasSubstr("Authorization: Bearer secret\r\n"));
  EXPECT_THAT(head, HasSubstr("User-Agent: vk-bridge/test\r\n"));
}

TEST_F(RestLoopbackTest, TlsServerNameIsCheckedInsteadOfTheAddress) {
  test::TlsTestServer server({.cert = ca_.issue({.dns = {"kubernetes.default"}})}, echo);
  const std::string cluster = serverAt(server) + data("certificate-authority", ca_.pem());
  EXPECT_TRUE(
      (*clientOf(cluster + ", tls-server-name: kubernetes.default", ""))->getRaw("/version"));
  const auto refused = (*clientOf(cluster, ""))->getRaw("/version");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, reasons::kUnreachable);
}

TEST_F(RestLoopbackTest, AClientCertificateIsPresented) {
  test::TlsTestServer server(
      {.cert = by_address_, .client_ca_pem = ca_.pem(), .client_cert_required = true}, echo);
  const std::string cluster = serverAt(server) + data("certificate-authority", ca_.pem());
  const test::CertPair mine = ca_.issue({.common_name = "me"});
  const auto with = (*clientOf(cluster, "client-certificate-data: " + base64Encode(mine.cert_pem) +
                                            data("client-key", mine.key_pem)))
                        ->getRaw("/version");
  EXPECT_TRUE(with) << with.error().message;
  EXPECT_FALSE((*clientOf(cluster, ""))->getRaw("/version"));
}

TEST_F(RestLoopbackTest, AServerOfAnotherAuthorityIsRefusedUnlessToldOtherwise) {
  test::TlsTestServer server({.cert = by_address_}, echo);
  const test::TestCa other("other CA");
  const auto refused =
      (*clientOf(serverAt(server) + data("certificate-authority", other.pem()), "token: secret"))
          ->getRaw("/version");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("certificate-authority"));
  EXPECT_THAT(refused.error().message, Not(HasSubstr("secret")));
  EXPECT_TRUE(
      (*clientOf(serverAt(server) + ", insecure-skip-tls-verify: true", ""))->getRaw("/version"));
}

TEST_F(RestLoopbackTest, AProxyGetsItsCredentialsAndTheServerDoesNot) {
  test::TlsTestServer server({.cert = by_address_}, echo);
  std::string connect;
  test::TlsTestServer proxy({}, [&](test::TestConnection& connection) {
    const auto request = connection.readRequest();
    if (!request) return;
    connect = request->head;
    connection.write("HTTP/1.1 200 OK\r\n\r\n");
    connection.tunnelTo(server.port());
  });
  auto client =
      clientOf(serverAt(server) + data("certificate-authority", ca_.pem()) +
                   ", proxy-url: 'http://u:p%40w@127.0.0.1:" + std::to_string(proxy.port()) + "'",
               "token: secret");
  ASSERT_TRUE(client) << client.error().message;
  const auto pod = (*client)->get(kPods, "a", "b");
  ASSERT_TRUE(pod) << pod.error().message;
  EXPECT_THAT(std::string((**pod)["head"]), Not(HasSubstr("Proxy-Authorization")));
  client->reset();
  EXPECT_THAT(connect, HasSubstr("Proxy-Authorization: Basic " + base64Encode("u:p@w")));
  EXPECT_THAT(connect, Not(HasSubstr("secret")));
}

/// Waits with a generous deadline, so that a broken test ends.
class WatchEnd final : public WatchHandler {
 public:
  void onEvent(json::RawEvent event) override {
    types.push_back(event.type);
    event_.open();
  }
  void onClosed(Status) override { closed_.open(); }
  std::vector<std::string> types;
  test::Gate event_, closed_;
};

TEST_F(RestLoopbackTest, AWatchStreamsLineByLineAndACutIsNoticed) {
  test::Gate seen;
  test::TlsTestServer server({.cert = by_address_}, [&](test::TestConnection& connection) {
    if (!connection.readRequest()) return;
    connection.startChunked();
    connection.chunk(R"({"type":"ADDED","object":{"metadata":{"name":"a")");
    connection.chunk("}}}\n");
    seen.wait();
    connection.cutOff();
  });
  const auto client = clientOf(serverAt(server) + data("certificate-authority", ca_.pem()), "");
  ASSERT_TRUE(client);
  WatchEnd end;
  const auto watch = (*client)->watch(kPods, {}, end);
  ASSERT_TRUE(end.event_.wait());
  EXPECT_EQ(end.types, std::vector<std::string>{"ADDED"});
  seen.open();
  EXPECT_TRUE(end.closed_.wait());
}

/// One address behind which another cluster's API server takes over. The server of cluster "old"
/// ends each connection after some requests, as one does that restarts.
class Takeover {
 public:
  explicit Takeover(test::CertPair cert, int requests)
      : server_({.cert = std::move(cert)}, [this, requests](test::TestConnection& connection) {
          serve(connection, requests);
        }) {}
  void switchOver() { switched_ = true; }
  const test::TlsTestServer& server() const { return server_; }
  std::vector<std::string> asked(const std::string& cluster) {
    const std::lock_guard lock(mutex_);
    return asked_[cluster];
  }
  test::Gate closed;

 private:
  void serve(test::TestConnection& connection, int requests) {
    const bool is_new = switched_;
    const std::string cluster = is_new ? "new" : "old";
    for (int i = 0; is_new || i < requests; ++i) {
      const auto request = connection.readRequest();
      if (!request) return;
      {
        const std::lock_guard lock(mutex_);
        asked_[cluster].push_back(request->method + " " +
                                  request->target.substr(0, request->target.find('?')));
      }
      connection.answer(200, Json{{"metadata", {{"uid", cluster}}}}.dump());
    }
    connection.closeInOrder();
    closed.open();
    connection.waitForEnd();
  }

  std::atomic<bool> switched_{false};
  std::mutex mutex_;
  std::map<std::string, std::vector<std::string>> asked_;
  test::TlsTestServer server_;
};

constexpr const char* kIdentityRead = "GET /api/v1/namespaces/kube-system";

class TakeoverTest : public RestLoopbackTest {
 protected:
  void connect() {
    auto proof = std::make_shared<IdentityProof>();
    auto client = clientOf(serverAt(takeover_.server()) + data("certificate-authority", ca_.pem()),
                           "", proof);
    ASSERT_TRUE(client) << client.error().message;
    guard_ = std::make_unique<IdentityGuard>(std::move(*client), "old", proof);
    ASSERT_TRUE(guard_->getRaw("/readyz"));  // after the proof: the second request, the last one
    ASSERT_TRUE(takeover_.closed.wait());
  }
  Takeover takeover_{by_address_, 2};
  std::unique_ptr<IdentityGuard> guard_;
};

TEST_F(TakeoverTest, AWriteOnAConnectionThatHadEndedDoesNotReachAnotherCluster) {
  connect();
  takeover_.switchOver();
  const auto made = guard_->create(kPods, "a", Json::object(), "", "");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().reason, reasons::kIdentityChanged);
  EXPECT_TRUE(guard_->identityDiffers());
  EXPECT_THAT(takeover_.asked("new"), testing::Each(kIdentityRead));
  EXPECT_FALSE(guard_->patch(kPods, "a", "b", PatchType::kMerge, Json::object(), ""));
  EXPECT_FALSE(guard_->remove(kPods, "a", "b", {}));
  EXPECT_FALSE(guard_->get(kPods, "a", "b"));
  EXPECT_THAT(takeover_.asked("new"), testing::Each(kIdentityRead));
}

TEST_F(TakeoverTest, TheSameClusterGoesOnWithoutAnError) {
  connect();
  const auto made = guard_->create(kPods, "a", Json::object(), "", "");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_THAT(takeover_.asked("old"),
              testing::ElementsAre(kIdentityRead, "GET /readyz", kIdentityRead,
                                   "POST /api/v1/namespaces/a/pods"));
}

TEST_F(RestLoopbackTest, TheClientEndsWhileItsWatchIsStillConnecting) {
  test::TlsTestServer server({.silent_handshake = true}, echo);
  auto client = clientOf(serverAt(server) + data("certificate-authority", ca_.pem()), "");
  ASSERT_TRUE(client);
  WatchEnd end;
  auto watch = (*client)->watch(kPods, {}, end);
  const TimePoint begun = clock_.now();
  watch.reset();
  client->reset();
  EXPECT_LT(clock_.now() - begun, std::chrono::seconds(5));
}

}  // namespace
}  // namespace vkb::kube
