#include "cli/pod_flags.h"

#include <gmock/gmock.h>

namespace vkb::cli {
namespace {

using state::NamespaceStrategy;
using state::PodOptions;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr const char* kHome = "1803d213-dbed-4fb9-bf0d-9260911c7b2e";

PodOptions applied(const PodFlags& flags, PodOptions before = {}) {
  auto result = applyPodFlags(flags, std::move(before), kHome);
  EXPECT_TRUE(result) << result.error().message;
  return result.value_or(PodOptions{});
}

std::string refusal(const PodFlags& flags) {
  auto result = applyPodFlags(flags, {}, kHome);
  return result ? "" : result.error().message;
}

struct StrategyCase {
  const char* text;
  NamespaceStrategy strategy;
  const char* name;
};

class Strategy : public testing::TestWithParam<StrategyCase> {};

TEST_P(Strategy, NamesItsNamespaces) {
  const PodOptions pods = applied({.namespace_strategy = GetParam().text});
  EXPECT_EQ(pods.namespace_strategy, GetParam().strategy);
  EXPECT_EQ(pods.namespace_text, GetParam().name);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, Strategy,
    testing::Values(StrategyCase{"same", NamespaceStrategy::kSame, ""},
                    StrategyCase{"prefix", NamespaceStrategy::kPrefix, "vkb-1803d213"},
                    StrategyCase{"prefix=berlin", NamespaceStrategy::kPrefix, "berlin"},
                    StrategyCase{"single", NamespaceStrategy::kSingle, "vk-bridge-1803d213"},
                    StrategyCase{"single=batch", NamespaceStrategy::kSingle, "batch"}));

TEST(PodFlags, AStrategyThatCannotNameNamespacesIsRefusedWithASentence) {
  for (const char* bad : {"", "other", "same=x", "Prefix"}) {
    EXPECT_THAT(refusal({.namespace_strategy = bad}), HasSubstr("is none of")) << bad;
  }
  for (const std::string& bad :
       {std::string("prefix="), std::string("prefix=Up"), std::string("single=-x"),
        "prefix=" + std::string(41, 'x'), "single=" + std::string(64, 'x')}) {
    EXPECT_THAT(refusal({.namespace_strategy = bad}), HasSubstr("lower case letters")) << bad;
  }
  EXPECT_EQ(refusal({.namespace_strategy = "single=" + std::string(63, 'x')}), "");
}

TEST(PodFlags, SelectorsAndTolerationsAreRead) {
  const PodOptions pods = applied({.node_selector = {{"disk=ssd", "example.com/zone=", "a=b=c"}},
                                   .tolerations = {{"gpu=only:NoSchedule", "x.io/y:NoExecute"}}});
  EXPECT_THAT(pods.node_selector,
              ElementsAre(Pair("a", "b=c"), Pair("disk", "ssd"), Pair("example.com/zone", "")));
  EXPECT_THAT(pods.tolerations, ElementsAre(state::Toleration{"gpu", "only", "NoSchedule"},
                                            state::Toleration{"x.io/y", "", "NoExecute"}));
}

TEST(PodFlags, WhatIsNoSelectorOrTolerationIsRefusedWithAnExample) {
  for (const char* bad : {"disk", "=ssd", "a b=c", "/x=y"}) {
    EXPECT_THAT(refusal({.node_selector = {{bad}}}), HasSubstr("as in: --node-selector")) << bad;
  }
  for (const char* bad :
       {"gpu", "gpu:", "gpu=x", ":NoSchedule", "gpu:noschedule", "=x:NoExecute"}) {
    EXPECT_THAT(refusal({.tolerations = {{bad}}}), HasSubstr("as in: --toleration")) << bad;
  }
}

TEST(PodFlags, WhatIsNotGivenStaysAsItWas) {
  const PodOptions before = applied({.namespace_strategy = "single=batch",
                                     .node_selector = {{"a=b"}},
                                     .tolerations = {{"k:NoExecute"}},
                                     .allow_node_selector = {{"zone"}},
                                     .allow_tolerations = {{"gpu*"}},
                                     .pod_ip = "hidden"});
  EXPECT_EQ(applied({}, before), before);
  EXPECT_TRUE(before.hide_pod_ips);
  EXPECT_FALSE(applied({.pod_ip = "verbatim"}, before).hide_pod_ips);
}

TEST(PodFlags, AnEmptyTextClearsAList) {
  const PodOptions before = applied({.node_selector = {{"a=b"}}, .tolerations = {{"k:NoExecute"}}});
  const PodOptions pods = applied({.node_selector = {{""}},
                                   .tolerations = {{""}},
                                   .allow_node_selector = {{""}},
                                   .allow_tolerations = {{""}}},
                                  before);
  EXPECT_TRUE(pods.node_selector.empty());
  EXPECT_TRUE(pods.tolerations.empty());
  ASSERT_TRUE(pods.allow_node_selector && pods.allow_tolerations) << "nothing is allowed";
  EXPECT_TRUE(pods.allow_node_selector->empty());
}

TEST(PodFlags, ServiceAccountsOfHomeAreServedWhereItsKubeconfigOrTheFlagSays) {
  using state::ServiceAccounts;
  const auto with = [](const PodFlags& flags, const std::string& server) {
    return applyPodFlags(flags, {}, kHome, server);
  };
  const auto by_kubeconfig = with({.service_accounts = "home"}, "https://192.0.2.1:6443");
  ASSERT_TRUE(by_kubeconfig);
  EXPECT_EQ(by_kubeconfig->service_accounts, ServiceAccounts::kHome);
  EXPECT_EQ(by_kubeconfig->home_api, "https://192.0.2.1:6443");
  const auto by_flag = with({.service_accounts = "home", .home_api_server = "https://api.example"},
                            "https://127.0.0.1:6443");
  ASSERT_TRUE(by_flag);
  EXPECT_EQ(by_flag->home_api, "https://api.example");
  for (const char* server : {"https://127.0.0.1:6443", "https://localhost", "http://192.0.2.1",
                             "https://rancher.example/k8s/clusters/c-1", "not a URL"}) {
    const auto refused = with({.service_accounts = "home"}, server);
    ASSERT_FALSE(refused) << server;
    EXPECT_THAT(refused.error().message, HasSubstr("--home-api-server https://HOST:PORT"));
  }
  const auto back = applyPodFlags({.service_accounts = "target"}, *by_flag, kHome, "https://x");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->service_accounts, ServiceAccounts::kTarget);
  EXPECT_EQ(back->home_api, "");
}

TEST(PodFlags, ObjectsOfOthersServeOnlyWhereThatIsSaid) {
  EXPECT_FALSE(applied({}).use_existing);
  EXPECT_TRUE(applied({.existing_objects = "use"}).use_existing);
  EXPECT_TRUE(applied({}, applied({.existing_objects = "use"})).use_existing);
  EXPECT_FALSE(
      applied({.existing_objects = "refuse"}, applied({.existing_objects = "use"})).use_existing);
}

}  // namespace
}  // namespace vkb::cli
