#include "kube/credentials.h"

#include <gmock/gmock.h>

#include "kube_fixture.h"
#include "support/fake_runtime.h"

namespace vkb::kube {
namespace {

using namespace std::chrono_literals;

class CredentialsTest : public ::testing::Test {
 protected:
  std::unique_ptr<Credentials> make(ClusterAccess access) {
    return std::make_unique<Credentials>(std::move(access), clock_, logger_,
                                         [this](const ClusterAccess&) { return runPlugin(); });
  }
  static ClusterAccess withPlugin() {
    ClusterAccess access;
    access.exec.emplace();
    return access;
  }
  Result<ExecCredential> runPlugin() {
    ++runs_;
    if (fail_) return failure({.reason = "CredentialPlugin", .message = "broken"});
    ExecCredential credential;
    credential.token = "t" + std::to_string(runs_);
    if (life_) credential.expires = clock_.wallNow() + *life_;
    return credential;
  }
  static std::string authorization(Credentials& credentials) {
    const auto current = credentials.current();
    return current ? (*current)->authorization : "failed: " + current.error().message;
  }

  test::FakeClock clock_;
  base::NullLogger logger_;
  test::TempFolder folder_;
  int runs_ = 0;
  bool fail_ = false;
  std::optional<std::chrono::seconds> life_ = 600s;
};

TEST_F(CredentialsTest, StaticOnesStayAndAreNotRenewed) {
  ClusterAccess access;
  access.token = "static";
  const auto credentials = make(access);
  EXPECT_EQ(authorization(*credentials), "Bearer static");
  EXPECT_FALSE(credentials->renew((*credentials->current())->version));
}

TEST_F(CredentialsTest, UserAndPasswordAreBasic) {
  ClusterAccess access;
  access.username = "Aladdin";
  access.password = "open sesame";
  EXPECT_EQ(authorization(*make(access)), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST_F(CredentialsTest, ATokenFileIsReadAgainWhenItChanges) {
  ClusterAccess access;
  access.token_file = folder_.write("token", "one\n");
  const auto credentials = make(access);
  EXPECT_EQ(authorization(*credentials), "Bearer one");
  folder_.write("token", "two\n");
  EXPECT_EQ(authorization(*credentials), "Bearer one");  // not looked at for every request
  clock_.advance(10s);
  EXPECT_EQ(authorization(*credentials), "Bearer two");
}

TEST_F(CredentialsTest, A401LooksAtTheTokenFileAtOnce) {
  ClusterAccess access;
  access.token_file = folder_.write("token", "one");
  const auto credentials = make(access);
  const auto version = (*credentials->current())->version;
  EXPECT_FALSE(credentials->renew(version));  // nothing new: trying again is in vain
  folder_.write("token", "two");
  EXPECT_TRUE(credentials->renew(version));
  EXPECT_EQ(authorization(*credentials), "Bearer two");
  EXPECT_TRUE(credentials->renew(version));  // somebody else's 401 with the old one
}

TEST_F(CredentialsTest, ATokenFileThatVanishesOrBreaksLeavesTheLastTokenInUse) {
  ClusterAccess access;
  access.token_file = folder_.write("token", "one");
  const auto credentials = make(access);
  EXPECT_EQ(authorization(*credentials), "Bearer one");
  std::filesystem::remove(access.token_file);
  clock_.advance(10s);
  EXPECT_EQ(authorization(*credentials), "Bearer one");
  folder_.write("token",
                "a\x01"
                "b");
  clock_.advance(10s);
  EXPECT_EQ(authorization(*credentials), "Bearer one");
  folder_.write("token", "");
  clock_.advance(10s);
  EXPECT_EQ(authorization(*credentials), "Bearer one");
}

TEST_F(CredentialsTest, ACertificateRenewedOnDiskChangesTheTlsVersion) {
  ClusterAccess access;
  access.client_cert_pem = "old";
  access.client_key_pem = "old key";
  access.client_cert_file = folder_.write("cert", "old");
  access.client_key_file = folder_.write("key", "old key");
  const auto credentials = make(access);
  const auto before = *credentials->current();
  folder_.write("cert", "new");
  folder_.write("key", "new key");
  clock_.advance(10s);
  const auto after = *credentials->current();
  EXPECT_GT(after->tls_version, before->tls_version);
  EXPECT_EQ(after->client_cert_pem, "new");
  EXPECT_EQ(after->client_key_pem, "new key");
}

TEST_F(CredentialsTest, APluginIsRunOnceAndAgainBeforeItsAnswerExpires) {
  const auto credentials = make(withPlugin());
  EXPECT_EQ(authorization(*credentials), "Bearer t1");
  clock_.advance(539s);
  EXPECT_EQ(authorization(*credentials), "Bearer t1");
  clock_.advance(1s);
  EXPECT_EQ(authorization(*credentials), "Bearer t2");
  EXPECT_EQ(runs_, 2);
}

TEST_F(CredentialsTest, AnAnswerWithoutExpiryIsKept) {
  life_.reset();
  const auto credentials = make(withPlugin());
  authorization(*credentials);
  clock_.advance(24h);
  EXPECT_EQ(authorization(*credentials), "Bearer t1");
}

TEST_F(CredentialsTest, AShortLivedAnswerIsNotFetchedForEveryRequest) {
  life_ = 20s;
  const auto credentials = make(withPlugin());
  authorization(*credentials);
  clock_.advance(14s);
  EXPECT_EQ(authorization(*credentials), "Bearer t1");
  clock_.advance(1s);
  EXPECT_EQ(authorization(*credentials), "Bearer t2");
}

TEST_F(CredentialsTest, WhileThePluginFailsAValidAnswerIsUsed) {
  const auto credentials = make(withPlugin());
  authorization(*credentials);
  fail_ = true;
  clock_.advance(550s);
  EXPECT_EQ(authorization(*credentials), "Bearer t1");
  EXPECT_EQ(authorization(*credentials), "Bearer t1");
  EXPECT_EQ(runs_, 2);  // not again for 5 s
  clock_.advance(50s);
  EXPECT_EQ(authorization(*credentials), "failed: broken");
  fail_ = false;
  clock_.advance(5s);
  EXPECT_EQ(authorization(*credentials), "Bearer t4");
}

TEST_F(CredentialsTest, A401RunsThePluginOnceNotForEveryRefusal) {
  const auto credentials = make(withPlugin());
  const auto first = (*credentials->current())->version;
  EXPECT_TRUE(credentials->renew(first));
  EXPECT_EQ(runs_, 2);
  const auto second = (*credentials->current())->version;
  EXPECT_FALSE(credentials->renew(second));  // the server refuses what the plugin just gave
  EXPECT_EQ(runs_, 2);
  clock_.advance(10s);
  EXPECT_TRUE(credentials->renew(second));
  EXPECT_EQ(runs_, 3);
}

TEST_F(CredentialsTest, ATokenOfTheKubeconfigGoesBeforeThePlugins) {
  ClusterAccess access = withPlugin();
  access.token = "static";
  EXPECT_EQ(authorization(*make(access)), "Bearer static");
}

}  // namespace
}  // namespace vkb::kube
