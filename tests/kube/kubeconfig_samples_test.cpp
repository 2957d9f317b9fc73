#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "kube/kubeconfig.h"
#include "kube_fixture.h"
#include "vkbridge/json.h"

namespace vkb::kube {
namespace {

using ::testing::HasSubstr;

std::string sample(const std::string& name) {
  return test::sourcePath("kubeconfigs/" + name + ".yaml");
}

ClusterAccess loaded(const std::string& name) {
  const auto access = loadKubeconfig(sample(name));
  EXPECT_TRUE(access) << access.error().message;
  return access.value_or(ClusterAccess{});
}

TEST(KubeconfigSamples, EverySampleIsReadOrRefusedAsItsNameSays) {
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test::sourcePath("kubeconfigs"))) {
    if (entry.path().extension() != ".yaml") continue;
    const std::string name = entry.path().stem();
    const auto access = loadKubeconfig(entry.path());
    const bool good = !name.starts_with("refused-") && !name.starts_with("merge-");
    EXPECT_EQ(access.has_value(), good) << name << ": " << (access ? "" : access.error().message);
    ++seen;
  }
  EXPECT_EQ(seen, 18);
}

TEST(KubeconfigSamples, ClientCertificate) {
  const ClusterAccess access = loaded("client-certificate");
  EXPECT_EQ(access.server, "https://192.0.2.10:6443");
  EXPECT_EQ(access.ca_pem, test::kSamplePem);
  EXPECT_EQ(access.client_cert_pem, test::kSamplePem);
  EXPECT_EQ(access.client_key_pem, test::kSampleKey);
  EXPECT_EQ(access.context, "sample");
  EXPECT_EQ(access.ns, "default");
}

TEST(KubeconfigSamples, ClientCertificateFilesCountFromTheFolder) {
  const ClusterAccess access = loaded("client-certificate-files");
  EXPECT_EQ(access.ca_pem, test::kSamplePem);
  EXPECT_EQ(access.client_key_pem, test::kSampleKey);
  EXPECT_EQ(access.client_key_file, test::sourcePath("kubeconfigs/pki/client.key"));
  EXPECT_EQ(access.ca_file, test::sourcePath("kubeconfigs/pki/ca.crt"));
}

TEST(KubeconfigSamples, TokensAndPasswords) {
  EXPECT_EQ(loaded("token").token, "sample-token");
  EXPECT_EQ(loaded("token-file").token_file, test::sourcePath("kubeconfigs/pki/token"));
  EXPECT_EQ(loaded("basic-auth").username, "sample");
  EXPECT_EQ(loaded("basic-auth").password, "sample: password");
}

TEST(KubeconfigSamples, WaysToTheServer) {
  EXPECT_TRUE(loaded("insecure").insecure_skip_tls_verify);
  EXPECT_EQ(loaded("tls-server-name").tls_server_name, "kubernetes.default");
  EXPECT_EQ(loaded("system-roots").ca_pem, "");
  EXPECT_EQ(loaded("system-roots").server, "https://clusters.example.com/k8s/clusters/c-1");
  EXPECT_EQ(loaded("proxy").proxy_url, "http://user:password@proxy.example.com:3128");
  EXPECT_EQ(loaded("kubectl-proxy").server, "http://127.0.0.1:8001");
}

TEST(KubeconfigSamples, ExecPlugins) {
  for (const auto& [name, version] :
       {std::pair{"exec", "client.authentication.k8s.io/v1"},
        std::pair{"exec-v1beta1", "client.authentication.k8s.io/v1beta1"}}) {
    const ClusterAccess access = loaded(name);
    ASSERT_TRUE(access.exec);
    EXPECT_EQ(access.exec->api_version, version);
    EXPECT_EQ(access.exec->command, "sample-credential-plugin");
    EXPECT_THAT(access.exec->args, testing::ElementsAre("get-token", "--cluster", "sample"));
    EXPECT_EQ(access.exec->env.at("SAMPLE_PROFILE"), "production");
    EXPECT_TRUE(access.exec->provide_cluster_info);
    EXPECT_EQ(Json::parse(access.exec->cluster_config),
              (Json{{"audience", "sample"}, {"retries", 3}}));
    EXPECT_THAT(access.exec->install_hint, HasSubstr("sample package"));
  }
}

TEST(KubeconfigSamples, AContextCanBeChosen) {
  EXPECT_EQ(loaded("several-contexts").token, "operator-token");
  const auto staging = loadKubeconfig(sample("several-contexts"), "staging");
  ASSERT_TRUE(staging);
  EXPECT_EQ(staging->server, "https://staging.example.com");
  EXPECT_EQ(staging->token, "tester-token");
  EXPECT_EQ(staging->ns, "offload");
}

TEST(KubeconfigSamples, OfTwoFilesTheFirstWins) {
  KubeconfigSearch search;
  search.kubeconfig = sample("merge-first") + ":" + sample("merge-second");
  const auto access = loadDefaultKubeconfig("", search);
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server, "https://first.example.com");
  EXPECT_EQ(access->tls_server_name, "");  // not mixed from both
  EXPECT_EQ(access->token_file, test::sourcePath("kubeconfigs/pki/token"));
}

TEST(KubeconfigSamples, RefusalsNameWhatIsNotSupported) {
  const auto says = [](const std::string& name) {
    return loadKubeconfig(sample(name)).error().message;
  };
  EXPECT_THAT(says("refused-auth-provider"), HasSubstr("auth provider"));
  EXPECT_THAT(says("refused-impersonation"), HasSubstr("impersonation"));
  EXPECT_THAT(says("refused-socks5"), HasSubstr("socks5 proxy"));
}

TEST(KubeconfigFlatten, StandsOnItsOwnAndMeansTheSame) {
  for (const char* name : {"client-certificate", "client-certificate-files", "token", "token-file",
                           "basic-auth", "insecure", "tls-server-name", "system-roots", "proxy",
                           "exec", "exec-v1beta1", "kubectl-proxy", "several-contexts"}) {
    SCOPED_TRACE(name);
    const ClusterAccess before = loaded(name);
    const test::TempFolder folder;
    const auto after = loadKubeconfig(folder.write("flat", flatten(before)));
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_EQ(after->context, before.context);
    EXPECT_EQ(after->server, before.server);
    EXPECT_EQ(after->ca_pem, before.ca_pem);
    EXPECT_EQ(after->ca_file, "");
    EXPECT_EQ(after->insecure_skip_tls_verify, before.insecure_skip_tls_verify);
    EXPECT_EQ(after->tls_server_name, before.tls_server_name);
    EXPECT_EQ(after->proxy_url, before.proxy_url);
    EXPECT_EQ(after->client_cert_pem, before.client_cert_pem);
    EXPECT_EQ(after->client_key_pem, before.client_key_pem);
    EXPECT_EQ(after->client_cert_file, "");
    EXPECT_EQ(after->token, before.token);
    EXPECT_EQ(after->token_file, before.token_file);
    EXPECT_EQ(after->username, before.username);
    EXPECT_EQ(after->password, before.password);
    EXPECT_EQ(after->ns, before.ns);
    ASSERT_EQ(after->exec.has_value(), before.exec.has_value());
    if (!before.exec) continue;
    EXPECT_EQ(after->exec->command, before.exec->command);
    EXPECT_EQ(after->exec->args, before.exec->args);
    EXPECT_EQ(after->exec->env, before.exec->env);
    EXPECT_EQ(after->exec->provide_cluster_info, before.exec->provide_cluster_info);
    EXPECT_EQ(after->exec->cluster_config, before.exec->cluster_config);
  }
}

TEST(KubeconfigFlatten, TextsThatYamlWouldTakeForOtherThingsSurvive) {
  ClusterAccess access;
  access.context = "yes";
  access.server = "https://a";
  access.username = "0123";
  access.password = "a: \"b\" # {c} \\ ü\ttab";
  access.ns = "null";
  const test::TempFolder folder;
  const auto after = loadKubeconfig(folder.write("flat", flatten(access)));
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->context, "yes");
  EXPECT_EQ(after->username, "0123");
  EXPECT_EQ(after->password, access.password);
  EXPECT_EQ(after->ns, "null");
}

}  // namespace
}  // namespace vkb::kube
