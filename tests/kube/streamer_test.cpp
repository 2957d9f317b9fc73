// Byte streams through the REST client: credentials, renewal, identity.
#include "kube/streamer.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "kube/identity.h"
#include "kube/rest_client_over.h"
#include "scripted_transport.h"
#include "support/fake_runtime.h"

namespace vkb::kube {
namespace {

using test::headerOf;

class StreamerTest : public ::testing::Test {
 protected:
  StreamerTest() {
    auto transport = std::make_unique<test::ScriptedTransport>();
    transport_ = transport.get();
    ClusterAccess access;
    access.exec.emplace();
    access.exec->command = "get-token";
    RestClientOptions options;
    options.user_agent = "vk-bridge/1";
    client_ = makeRestClientOver(
        {clock_, logger_, metrics_, std::move(transport),
         std::make_unique<Credentials>(access, clock_, logger_,
                                       [this](const ClusterAccess&) {
                                         ExecCredential credential;
                                         credential.token = "t" + std::to_string(++runs_);
                                         return Result<ExecCredential>(credential);
                                       })},
        "https://api.example:6443", options);
  }
  static net::HttpRequest exec() {
    net::HttpRequest request{.method = "POST", .target = "/api/v1/namespaces/a/pods/b/exec"};
    request.upgrade = true;
    request.headers = {{"Upgrade", "SPDY/3.1"}};
    return request;
  }

  test::FakeClock clock_;
  base::NullLogger logger_;
  base::Metrics metrics_;
  int runs_ = 0;
  test::ScriptedTransport* transport_ = nullptr;
  std::unique_ptr<Client> client_;
};

TEST_F(StreamerTest, CarriesOurCredentialsAndGivesBackAnyAnswer) {
  transport_->answer = [](const net::HttpRequest&) {
    return net::HttpResponse{404, {}, "no such pod"};
  };
  const auto channel = client_->streamer()->openChannel(exec());
  ASSERT_TRUE(channel);
  EXPECT_EQ((*channel)->head().code, 404);
  ASSERT_EQ(transport_->requests.size(), 1U);
  const net::HttpRequest& sent = transport_->requests[0];
  EXPECT_EQ(headerOf(sent, "Authorization"), "Bearer t1");
  EXPECT_EQ(headerOf(sent, "User-Agent"), "vk-bridge/1");
  EXPECT_EQ(headerOf(sent, "Upgrade"), "SPDY/3.1");
  EXPECT_EQ(headerOf(sent, "Accept"), "") << "what is upgraded is not JSON";
  EXPECT_TRUE(sent.upgrade);
}

TEST_F(StreamerTest, A401RenewsTheCredentialsOnceAndDialsAgain) {
  transport_->answer = [](const net::HttpRequest& request) {
    const bool renewed = headerOf(request, "Authorization") == "Bearer t2";
    return net::HttpResponse{renewed ? 101 : 401, {}, ""};
  };
  const auto channel = client_->streamer()->openChannel(exec());
  ASSERT_TRUE(channel);
  EXPECT_EQ((*channel)->head().code, 101);
  EXPECT_EQ(transport_->requests.size(), 2U);
}

TEST_F(StreamerTest, NoStreamIsOpenedToAnotherCluster) {
  transport_->answer = [](const net::HttpRequest& request) {
    if (request.upgrade) return net::HttpResponse{101, {}, ""};
    return net::HttpResponse{200, {}, R"({"metadata":{"uid":"another"}})"};
  };
  IdentityGuard guard(std::move(client_), "expected");
  const auto channel = guard.streamer()->openChannel(exec());
  ASSERT_FALSE(channel);
  EXPECT_EQ(channel.error().reason, reasons::kIdentityChanged);
  for (const net::HttpRequest& sent : transport_->requests) EXPECT_FALSE(sent.upgrade);
}

}  // namespace
}  // namespace vkb::kube
