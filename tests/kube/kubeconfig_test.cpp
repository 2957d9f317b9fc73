#include "kube/kubeconfig.h"

#include <gmock/gmock.h>

#include "kube/base64.h"
#include "kube_fixture.h"

namespace vkb::kube {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// A kubeconfig with one of everything; `cluster` and `user` are the lines of those maps.
std::string config(const std::string& cluster, const std::string& user,
                   const std::string& end = "current-context: x\n") {
  return "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: " + cluster +
         "\nusers:\n- name: u\n  user: " + user +
         "\ncontexts:\n- name: x\n  context: {cluster: c, user: u}\n" + end;
}

constexpr const char* kServer = "{server: https://a}";

TEST(Kubeconfig, EveryBadInputIsOneSentenceThatNamesTheFile) {
  struct Case {
    std::string text, says;
  };
  const Case cases[] = {
      {"", "is empty"},
      {" \n\n", "is empty"},
      {"a: [", "is not valid YAML: line"},
      {"a: \"\xb9\"", "line 1, column 4: it is not valid UTF-8"},
      {"\xb9: a", "line 1, column 1: it is not valid UTF-8"},
      {"just words", "is not a kubeconfig"},
      {"- a\n- b\n", "is not a kubeconfig"},
      {"apiVersion: v1\nkind: Secret\n", "its kind is \"Secret\""},
      {"clusters: 7\n", "`clusters` is not a list"},
      {"users:\n- user: {}\n", "an entry of `users` has no name"},
      {"users:\n- name: a\n  user: [1]\n", "`user` of \"a\" in `users` is not a map"},
      {config(kServer, "{}", ""), "has no current-context; name one of its contexts (x)"},
      {config(kServer, "{}", "current-context: y\n"), "has no context \"y\"; it has: x"},
      {"contexts: [{name: x, context: {}}]\ncurrent-context: x\n", "names no cluster"},
      {"contexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x\n",
       "names the cluster \"c\", which is not there"},
      {"clusters: [{name: c, cluster: {server: https://a}}]\n"
       "contexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n",
       "names the user \"u\", which is not there"},
      {config("{}", "{}"), "it has no `server`"},
      {config("{server: a.b}", "{}"), "does not begin with a scheme"},
      {config("{server: 'http://a.b'}", "{}"), "plain http"},
      {config("{server: 'ftp://a.b'}", "{}"), "has the scheme \"ftp\""},
      {config("{server: 'https://u:hunter2@a.b'}", "{}"), "put credentials under `users`"},
      {config("{server: https://a, proxy-url: 'socks5://p:1'}", "{}"), "a socks5 proxy"},
      {config("{server: https://a, proxy-url: 'https://p:1'}", "{}"), "a https proxy"},
      {config("{server: https://a, proxy-url: p}", "{}"), "its `proxy-url` cannot be used"},
      {config("{server: https://a, insecure-skip-tls-verify: perhaps}", "{}"),
       "is neither true nor false"},
      {config("{server: https://a, certificate-authority: /nonexistent/ca}", "{}"),
       "cannot read its `certificate-authority` /nonexistent/ca: No such file"},
      {config("{server: https://a, certificate-authority-data: '*'}", "{}"),
       "`certificate-authority-data` is not valid base64"},
      {config("{server: https://a, certificate-authority-data: Zm9v}", "{}"), "holds no PEM block"},
      {config("{server: https://a, insecure-skip-tls-verify: true, certificate-authority-data: " +
                  base64Encode(test::kSamplePem) + "}",
              "{}"),
       "contradict each other"},
      {config(kServer, "{client-certificate: /nonexistent/c, client-key: /nonexistent/k}"),
       "cannot read its `client-certificate` /nonexistent/c"},
      {config(kServer, "{client-key-data: " + base64Encode(test::kSampleKey) + "}"),
       "a `client-key` but no `client-certificate`"},
      {config(kServer, "{client-certificate-data: " + base64Encode(test::kSamplePem) + "}"),
       "a `client-certificate` but no `client-key`"},
      {config(kServer, "{tokenFile: /nonexistent/t}"), "cannot read its `tokenFile`"},
      {config(kServer, "{token: \"a\\nb\"}"), "holds white space"},
      {config(kServer, "{token: a, username: b}"), "both a token and a `username`"},
      {config(kServer, "{auth-provider: {name: gcp}}"), "an auth provider (`auth-provider`)"},
      {config(kServer, "{as: somebody}"), "impersonation (`as`)"},
      {config(kServer, "{as-groups: [g]}"), "impersonation (`as-groups`)"},
      {config(kServer, "{as-uid: u}"), "impersonation (`as-uid`)"},
      {config(kServer, "{as-user-extra: {a: [b]}}"), "impersonation (`as-user-extra`)"},
      {config(kServer, "{exec: {command: c, apiVersion: client.authentication.k8s.io/v1alpha1}}"),
       "v1 and v1beta1 are supported"},
      {config(kServer, "{exec: {apiVersion: client.authentication.k8s.io/v1}}"),
       "has no `command`"},
      {config(kServer,
              "{exec: {apiVersion: client.authentication.k8s.io/v1, command: c, "
              "interactiveMode: Always}}"),
       "needs a terminal"},
      {config(kServer,
              "{exec: {apiVersion: client.authentication.k8s.io/v1, command: c, "
              "env: [{value: v}]}}"),
       "has no usable name"},
  };
  const test::TempFolder folder;
  for (const Case& one : cases) {
    const std::string file = folder.write("config", one.text);
    const auto access = loadKubeconfig(file);
    ASSERT_FALSE(access) << one.text;
    EXPECT_EQ(access.error().retry, Retry::kNever);
    EXPECT_THAT(access.error().message, HasSubstr(one.says)) << one.text;
    EXPECT_THAT(access.error().message, HasSubstr(file)) << one.text;
    EXPECT_THAT(access.error().message, Not(HasSubstr("\n"))) << one.text;
    EXPECT_THAT(access.error().message, Not(HasSubstr("hunter2"))) << one.text;
  }
}

TEST(Kubeconfig, AFileThatIsNotThereIsNamed) {
  const auto access = loadKubeconfig("/nonexistent/config");
  ASSERT_FALSE(access);
  EXPECT_EQ(access.error().message,
            "cannot read kubeconfig /nonexistent/config: No such file or directory; check the path "
            "and its permissions");
}

TEST(Kubeconfig, AFolderIsNoKubeconfig) {
  EXPECT_THAT(loadKubeconfig("/tmp").error().message, HasSubstr("Is a directory"));
}

TEST(Kubeconfig, AnchorsThatExplodeAreRefused) {
  std::string text = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c <= 'i'; ++c) {
    const std::string before = "*" + std::string(1, static_cast<char>(c - 1));
    text += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) text += before + ",";
    text += "]\n";
  }
  const test::TempFolder folder;
  const auto access = loadKubeconfig(folder.write("config", text));
  ASSERT_FALSE(access);
  EXPECT_THAT(access.error().message, HasSubstr("expands to too much"));
}

TEST(Kubeconfig, ATokenThatLooksLikeANumberIsText) {
  const test::TempFolder folder;
  const auto access = loadKubeconfig(folder.write("config", config(kServer, "{token: 0123}")));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->token, "0123");
}

TEST(Kubeconfig, AUserIsNotNeeded) {
  const test::TempFolder folder;
  const auto access = loadKubeconfig(
      folder.write("config",
                   "clusters: [{name: c, cluster: {server: https://a}}]\n"
                   "contexts: [{name: x, context: {cluster: c}}]\ncurrent-context: x\n"));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->token, "");
}

TEST(Kubeconfig, InlineDataGoesBeforeFiles) {
  const test::TempFolder folder;
  const auto access = loadKubeconfig(
      folder.write("config", config("{server: https://a, certificate-authority: /nonexistent, "
                                    "certificate-authority-data: " +
                                        base64Encode(test::kSamplePem) + "}",
                                    "{}")));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->ca_pem, test::kSamplePem);
  EXPECT_EQ(access->ca_file, "");
}

TEST(Kubeconfig, APluginsPathCountsFromTheFolderOnlyIfItHasASlash) {
  const test::TempFolder folder;
  const auto load = [&](const std::string& command) {
    return loadKubeconfig(
               folder.write("config", config(kServer,
                                             "{exec: {apiVersion: "
                                             "client.authentication.k8s.io/v1, command: " +
                                                 command + "}}")))
        .value()
        .exec->command;
  };
  EXPECT_EQ(load("plugin"), "plugin");
  EXPECT_EQ(load("./bin/plugin"), folder.path("bin/plugin"));
  EXPECT_EQ(load("/opt/plugin"), "/opt/plugin");
}

TEST(DefaultKubeconfig, OfKubeconfigsFilesThoseThatAreMissingAreLeftOut) {
  const test::TempFolder folder;
  const std::string file = folder.write("config", config(kServer, "{token: t}"));
  KubeconfigSearch search;
  search.kubeconfig = "/nonexistent/a:" + file + "::/nonexistent/b";
  EXPECT_EQ(loadDefaultKubeconfig("", search).value().token, "t");
  search.kubeconfig = "/nonexistent/a:/nonexistent/b";
  EXPECT_THAT(loadDefaultKubeconfig("", search).error().message,
              HasSubstr("none of its files exists"));
  search.kubeconfig = "/nonexistent/a";
  EXPECT_THAT(loadDefaultKubeconfig("", search).error().message, HasSubstr("/nonexistent/a"));
}

TEST(DefaultKubeconfig, WhatIsNamedGoesBeforeTheEnvironmentAndThatBeforeHome) {
  const test::TempFolder folder;
  KubeconfigSearch search;
  search.home = folder.path();
  folder.write(".kube/config", config(kServer, "{token: home}"));
  EXPECT_EQ(loadDefaultKubeconfig("", search).value().token, "home");
  search.kubeconfig = folder.write("env", config(kServer, "{token: env}"));
  EXPECT_EQ(loadDefaultKubeconfig("", search).value().token, "env");
  const std::string named = folder.write("named", config(kServer, "{token: named}"));
  EXPECT_EQ(loadDefaultKubeconfig(named, search).value().token, "named");
}

TEST(DefaultKubeconfig, InAPodTheServiceAccountCounts) {
  const test::TempFolder folder;
  folder.write("token", "pod-token\n");
  folder.write("ca.crt", test::kSamplePem);
  folder.write("namespace", "apps");
  KubeconfigSearch search;
  search.home = folder.path("nobody");
  search.service_host = "fd00::1";
  search.service_port = "6443";
  search.service_account_dir = folder.path();
  const auto access = loadDefaultKubeconfig("", search);
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->server, "https://[fd00::1]:6443");
  EXPECT_EQ(access->token_file, folder.path("token"));
  EXPECT_EQ(access->ca_pem, test::kSamplePem);
  EXPECT_EQ(access->ns, "apps");
}

TEST(DefaultKubeconfig, WithoutAnyTheMessageSaysWhereItLooked) {
  KubeconfigSearch search;
  search.home = "/nonexistent";
  EXPECT_THAT(loadDefaultKubeconfig("", search).error().message,
              HasSubstr("/nonexistent/.kube/config does not exist"));
  search.service_host = "10.0.0.1";
  search.service_account_dir = "/nonexistent";
  EXPECT_THAT(loadDefaultKubeconfig("", search).error().message,
              HasSubstr("does the pod mount its service account?"));
}

}  // namespace
}  // namespace vkb::kube
