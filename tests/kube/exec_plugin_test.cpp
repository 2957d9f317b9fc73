#include "kube/exec_plugin.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "json/time.h"
#include "kube_fixture.h"
#include "vkbridge/json.h"

namespace vkb::kube {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kV1 = "client.authentication.k8s.io/v1";
constexpr const char* kAnswer =
    R"(echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t"}}')";

class ExecPluginTest : public ::testing::Test {
 protected:
  ClusterAccess accessTo(const std::string& script, const std::string& version = kV1) {
    const std::string file = folder_.write("plugin", "#!/bin/sh\n" + script + "\n");
    ::chmod(file.c_str(), 0700);
    ClusterAccess access;
    access.server = "https://a:6443";
    access.ca_pem = test::kSamplePem;
    access.exec.emplace();
    access.exec->api_version = version;
    access.exec->command = file;
    return access;
  }
  std::string failureOf(const std::string& script) {
    const auto credential = runExecPlugin(accessTo(script));
    EXPECT_FALSE(credential);
    if (credential) return "";
    EXPECT_EQ(credential.error().retry, Retry::kSlow);
    return credential.error().message;
  }

  test::TempFolder folder_;
};

TEST_F(ExecPluginTest, GivesTokenAndExpiry) {
  const auto credential = runExecPlugin(accessTo(
      R"(echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":
        {"token":" t ","expirationTimestamp":"2026-01-01T00:00:10Z"}}')"));
  ASSERT_TRUE(credential) << credential.error().message;
  EXPECT_EQ(credential->token, "t");
  EXPECT_EQ(credential->expires, json::parseTime("2026-01-01T00:00:10Z"));
}

TEST_F(ExecPluginTest, GivesAClientCertificate) {
  const auto credential = runExecPlugin(accessTo(
      R"(echo '{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":
        {"clientCertificateData":"c","clientKeyData":"k"}}')",
      "client.authentication.k8s.io/v1beta1"));
  ASSERT_TRUE(credential) << credential.error().message;
  EXPECT_EQ(credential->client_cert_pem, "c");
  EXPECT_EQ(credential->client_key_pem, "k");
}

TEST_F(ExecPluginTest, GetsArgumentsEnvironmentAndClusterInfo) {
  ClusterAccess access = accessTo(
      "printf '%s|%s|%s|%s' \"$1\" \"$2\" \"$NAME\" "
      "\"$KUBERNETES_EXEC_INFO\" > \"$OUT\"\n" +
      std::string(kAnswer));
  access.tls_server_name = "n";
  access.exec->args = {"a b", ""};
  access.exec->env = {{"NAME", "va lue"}, {"OUT", folder_.path("out")}};
  access.exec->provide_cluster_info = true;
  access.exec->cluster_config = R"({"x":1})";
  ASSERT_TRUE(runExecPlugin(access));
  std::ifstream file(folder_.path("out"));
  const std::string out{std::istreambuf_iterator<char>(file), {}};
  ASSERT_TRUE(out.starts_with("a b||va lue|")) << out;
  const Json info = Json::parse(out.substr(out.find('{')));
  EXPECT_EQ(info["apiVersion"], kV1);
  EXPECT_EQ(info["kind"], "ExecCredential");
  EXPECT_EQ(info["spec"]["interactive"], false);
  EXPECT_EQ(info["spec"]["cluster"]["server"], "https://a:6443");
  EXPECT_EQ(info["spec"]["cluster"]["tls-server-name"], "n");
  EXPECT_EQ(info["spec"]["cluster"]["config"], (Json{{"x", 1}}));
  EXPECT_TRUE(info["spec"]["cluster"].contains("certificate-authority-data"));
}

TEST_F(ExecPluginTest, WithoutProvideClusterInfoTheClusterIsNotTold) {
  ClusterAccess access =
      accessTo("case $KUBERNETES_EXEC_INFO in *cluster*) exit 9;; esac\n" + std::string(kAnswer));
  EXPECT_TRUE(runExecPlugin(access));
}

TEST_F(ExecPluginTest, FailureShowsExitCodeAndStderr) {
  EXPECT_THAT(failureOf("echo 'log in first: run sample login' >&2; exit 7"),
              AllOf(HasSubstr("plugin\""), HasSubstr("exit code 7"),
                    HasSubstr("log in first: run sample login")));
  EXPECT_THAT(failureOf("kill -9 $$"), HasSubstr("was ended by a signal"));
}

TEST_F(ExecPluginTest, APluginThatIsNotThereIsNamedWithItsInstallHint) {
  ClusterAccess access = accessTo("");
  access.exec->command = "no-such-plugin-anywhere";
  access.exec->install_hint = "install it from sample.example";
  const auto credential = runExecPlugin(access);
  ASSERT_FALSE(credential);
  EXPECT_THAT(credential.error().message,
              AllOf(HasSubstr("no-such-plugin-anywhere"), HasSubstr("No such file"),
                    HasSubstr("install it from sample.example")));
}

TEST_F(ExecPluginTest, AnswersThatAreNoCredentialAreRefusedWithoutBeingShown) {
  EXPECT_THAT(failureOf("echo hello"), HasSubstr("did not print an ExecCredential"));
  EXPECT_THAT(failureOf("true"), HasSubstr("did not print an ExecCredential"));
  const auto with = [&](const std::string& status, const std::string& version = kV1) {
    return failureOf("echo '{\"apiVersion\":\"" + version +
                     "\",\"kind\":\"ExecCredential\",\"status\":" + status + "}'");
  };
  EXPECT_THAT(with("{}"), HasSubstr("neither a token nor a client certificate"));
  EXPECT_THAT(with("null"), HasSubstr("neither a token nor a client certificate"));
  EXPECT_THAT(with(R"({"clientKeyData":"k"})"), HasSubstr("only one of"));
  EXPECT_THAT(with(R"({"token":"hun ter2"})"), HasSubstr("white space"));
  EXPECT_THAT(with(R"({"token":"hun ter2"})"), Not(HasSubstr("ter2")));
  EXPECT_THAT(with(R"({"token":"t","expirationTimestamp":"soon"})"), HasSubstr("RFC 3339"));
  EXPECT_THAT(with(R"({"token":"t"})", "client.authentication.k8s.io/v1beta1"),
              HasSubstr("answered in apiVersion"));
}

TEST_F(ExecPluginTest, APluginThatHangsIsKilledWithWhatItStarted) {
  // The grandchild holds the pipe open; it must not keep the caller waiting.
  const auto credential = runExecPlugin(accessTo("echo waiting >&2; sleep 600 & sleep 600"),
                                        std::chrono::milliseconds(1000));
  ASSERT_FALSE(credential);
  EXPECT_THAT(credential.error().message,
              AllOf(HasSubstr("did not end within 1 s"), HasSubstr("waiting")));
}

TEST_F(ExecPluginTest, APluginThatLeavesAChildBehindIsNotWaitedFor) {
  EXPECT_TRUE(runExecPlugin(accessTo("sleep 600 &\n" + std::string(kAnswer))));
}

TEST_F(ExecPluginTest, SigpipeIsAsInAFreshProcess) {
  // Poco blocks SIGPIPE in every thread and main ignores it; neither may reach the plugin.
  sigset_t pipe, before;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const auto previous = ::signal(SIGPIPE, SIG_IGN);
  const std::string message = failureOf("grep -E '^Sig(Blk|Ign)' /proc/self/status >&2; exit 1");
  ::signal(SIGPIPE, previous);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  for (const std::string name : {"SigBlk:", "SigIgn:"}) {
    const std::size_t at = message.find(name);
    ASSERT_NE(at, std::string::npos) << message;
    const auto signals = std::stoull(message.substr(at + name.size() + 1, 16), nullptr, 16);
    EXPECT_EQ(signals & (1ull << (SIGPIPE - 1)), 0u) << message;
  }
}

TEST_F(ExecPluginTest, NoFileOfOursIsOpenInIt) {
  const int plain = ::open("/dev/null", O_RDONLY);
  const int leak = ::fcntl(plain, F_DUPFD, 200);  // without close-on-exec
  const auto credential = runExecPlugin(
      accessTo("[ -e /proc/$$/fd/" + std::to_string(leak) + " ] && exit 4\n" + kAnswer));
  ::close(plain);
  ::close(leak);
  EXPECT_TRUE(credential) << credential.error().message;
}

TEST_F(ExecPluginTest, AFloodOfOutputIsTakenInAndCut) {
  EXPECT_THAT(failureOf("head -c 3000000 /dev/zero | tr '\\0' x; head -c 100000 /dev/zero | tr "
                        "'\\0' y >&2; echo end >&2; exit 1"),
              HasSubstr("end"));
}

}  // namespace
}  // namespace vkb::kube
