#include "cli/join_target.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "cli/limit_flag.h"
#include "json/json.h"
#include "kube/identity.h"
#include "support/fake_cluster.h"

namespace vkb::cli {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class JoinTarget : public ::testing::Test {
 protected:
  JoinTarget() {
    for (test::FakeCluster* cluster : {&home_, &target_}) {
      EXPECT_TRUE(cluster->client("admin")->create(
          kube::kNamespaces, "",
          {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "team"}}}}));
    }
    options_.pods.namespace_strategy = state::NamespaceStrategy::kSingle;
    options_.pods.namespace_text = "team";
    options_.limits = {{"cpu", "8"}, {"memory", "16Gi"}};
  }
  /// Like a Role in namespace `team`: nothing else is allowed.
  void allowOneNamespaceAlone() {
    target_.accessRule = [](const std::string&, const Json& asked) {
      return json::str(asked, "namespace") == "team";
    };
    target_.faults().refuse(
        {.code = 403, .reason = "Forbidden", .message = "no", .retry = Retry::kNever},
        test::Fault::kForever, [](const test::Request& request) {
          const bool own = request.resource == "namespaces" && request.name == "team";
          return request.actor == "bridge" && request.resource != "selfsubjectaccessreviews" &&
                 request.ns != "team" && !own;
        });
  }
  std::string uidOf(test::FakeCluster& cluster, const std::string& ns) {
    return kube::readClusterId(*cluster.client("admin"), ns).value_or("");
  }
  static std::vector<std::string> texts(const std::vector<kube::Permission>& permissions) {
    std::vector<std::string> result;
    for (const auto& each : permissions) result.push_back(kube::toString(each));
    return result;
  }
  state::ClusterConfig joinedAs(const std::string& name, const std::string& id,
                                const std::string& ns = "kube-system") {
    state::ClusterConfig config;
    config.name = name;
    config.target_id = id;
    config.identity_namespace = ns;
    config.server = "https://old.example";
    return config;
  }

  test::FakeRuntime runtime_;
  test::FakeCluster home_{runtime_, {.name = "home", .seed = 1}};
  test::FakeCluster target_{runtime_, {.name = "target", .seed = 2}};
  std::unique_ptr<kube::Client> home_client_ = home_.client("bridge");
  std::unique_ptr<kube::Client> client_ = target_.client("bridge");
  state::ClusterOptions options_;
};

TEST_F(JoinTarget, IsKnownByKubeSystemWhereThatMayBeRead) {
  const auto identity = readIdentity(*client_, options_, std::nullopt);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->id, target_.clusterId());
  EXPECT_EQ(identity->ns, "kube-system");
}

TEST_F(JoinTarget, IsKnownByTheOneNamespaceThatMayBeReadIfThatIsEnoughToServeIt) {
  allowOneNamespaceAlone();
  const auto identity = readIdentity(*client_, options_, std::nullopt);
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->id, uidOf(target_, "team"));
  EXPECT_EQ(identity->ns, "team");
  for (const char* missing : {"cpu", "memory"}) {
    state::ClusterOptions fewer = options_;
    fewer.limits.erase(missing);
    const auto refused = readIdentity(*client_, fewer, std::nullopt);
    ASSERT_FALSE(refused) << missing;
    EXPECT_EQ(refused.error().code, 403);
  }
  options_.pods.namespace_strategy = state::NamespaceStrategy::kSame;
  EXPECT_FALSE(readIdentity(*client_, options_, std::nullopt));
}

TEST_F(JoinTarget, StaysKnownByWhatItWasKnownByBefore) {
  const auto identity = readIdentity(*client_, {}, joinedAs("t", "x", "team"));
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->id, uidOf(target_, "team"));
}

TEST_F(JoinTarget, HomeItselfIsFoundOutByWhicheverNamespace) {
  const std::string& home_id = home_.clusterId();
  EXPECT_TRUE(*isHome(*home_client_, home_id, {home_id, "kube-system"}));
  EXPECT_FALSE(*isHome(*home_client_, home_id, {target_.clusterId(), "kube-system"}));
  EXPECT_TRUE(*isHome(*home_client_, home_id, {uidOf(home_, "team"), "team"}));
  EXPECT_FALSE(*isHome(*home_client_, home_id, {uidOf(target_, "team"), "team"}));
  EXPECT_FALSE(*isHome(*home_client_, home_id, {"x", "a namespace that home has not"}));
  home_.setDown(true);
  EXPECT_FALSE(isHome(*home_client_, home_id, {"x", "team"})) << "no answer is no";
}

TEST_F(JoinTarget, ANamePassesToAnotherClusterOnlyWhereThatIsSaid) {
  const std::vector<state::ClusterConfig> joined{joinedAs("t", "old"), joinedAs("u", "other")};
  EXPECT_TRUE(checkJoined(joined, "t", {"old", "kube-system"}, false));
  const auto refused = checkJoined(joined, "t", {"new", "kube-system"}, false);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("is joined to another cluster (https://old.example)"),
                    HasSubstr("--different-cluster")));
  EXPECT_TRUE(checkJoined(joined, "t", {"new", "kube-system"}, true));
  EXPECT_FALSE(checkJoined(joined, "t", {"other", "kube-system"}, true))
      << "nor one that another name stands for";
}

TEST_F(JoinTarget, FewerRightsThanBeforeAreNotCalledAnotherCluster) {
  const auto refused = checkJoined({joinedAs("t", "old")}, "t", {"new", "team"}, false);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("may not read namespace kube-system"),
                                             Not(HasSubstr("is joined to another cluster"))));
}

TEST_F(JoinTarget, FormerClustersAreRememberedOnceAndNotTheOneThatItIsNow) {
  state::ClusterConfig config;
  setTarget(config, {"a", "kube-system"});
  EXPECT_THAT(config.former_target_ids, IsEmpty());
  setTarget(config, {"a", "kube-system"});
  setTarget(config, {"b", "team"});
  EXPECT_THAT(config.former_target_ids, ::testing::ElementsAre("a"));
  EXPECT_EQ(config.identity_namespace, "team");
  setTarget(config, {"a", "kube-system"});
  EXPECT_THAT(config.former_target_ids, ::testing::ElementsAre("b"));
  EXPECT_EQ(config.target_id, "a");
}

TEST_F(JoinTarget, WithAllRightsNothingIsLimitedToOneNamespace) {
  state::ClusterConfig config;
  config.options = options_;
  const auto missing = decideRights(*client_, config, false);
  ASSERT_TRUE(missing);
  EXPECT_THAT(*missing, IsEmpty());
  EXPECT_FALSE(config.options.one_namespace);
  EXPECT_EQ(config.options.claim_namespace, "vk-bridge");
}

TEST_F(JoinTarget, RightsInOneNamespaceAreEnoughForSingleWithLimits) {
  allowOneNamespaceAlone();
  state::ClusterConfig config;
  config.options = options_;
  const auto missing = decideRights(*client_, config, false);
  ASSERT_TRUE(missing);
  EXPECT_THAT(texts(*missing), IsEmpty());
  EXPECT_TRUE(config.options.one_namespace);
  EXPECT_EQ(config.options.claim_namespace, "team");
}

TEST_F(JoinTarget, WithoutLimitsTheRightsInTheWholeTargetAreAskedFor) {
  allowOneNamespaceAlone();
  state::ClusterConfig config;
  config.options = options_;
  config.options.limits.clear();
  const auto missing = decideRights(*client_, config, false);
  ASSERT_TRUE(missing);
  EXPECT_THAT(texts(*missing), Contains("list nodes"));
  EXPECT_THAT(texts(*missing), Contains("list pods (all namespaces)"));
  EXPECT_FALSE(config.options.one_namespace);
}

TEST_F(JoinTarget, WhatIsMissingInTheOneNamespaceIsSaidOfThat) {
  target_.accessRule = [](const std::string&, const Json& asked) {
    return json::str(asked, "namespace") == "team" && json::str(asked, "verb") != "create";
  };
  state::ClusterConfig config;
  config.options = options_;
  const auto missing = decideRights(*client_, config, false);
  ASSERT_TRUE(missing);
  EXPECT_THAT(texts(*missing), Contains("create pods (namespace team)"));
  EXPECT_THAT(texts(*missing), Contains("create leases.coordination.k8s.io (namespace team)"));
  EXPECT_THAT(texts(*missing), Not(Contains(HasSubstr("nodes"))));
  EXPECT_THAT(texts(*missing), Not(Contains(HasSubstr("namespaces"))));
}

TEST_F(JoinTarget, AClaimThatIsPutElsewhereStaysThere) {
  allowOneNamespaceAlone();
  state::ClusterConfig config;
  config.options = options_;
  config.options.claim_namespace = "claims";
  const auto missing = decideRights(*client_, config, true);
  ASSERT_TRUE(missing);
  EXPECT_THAT(texts(*missing), Contains("get leases.coordination.k8s.io (namespace claims)"));
}

TEST(LimitFlag, IsResourceAndQuantity) {
  using Limits = std::map<std::string, std::string>;
  EXPECT_EQ(parseLimits({"cpu=100", "memory=200Gi", "nvidia.com/gpu=4"}),
            (Limits{{"cpu", "100"}, {"memory", "200Gi"}, {"nvidia.com/gpu", "4"}}));
  EXPECT_EQ(parseLimits({""}), Limits{}) << "an empty text clears them";
  for (const char* wrong :
       {"cpu", "cpu=", "=1", "cpu=lots", "cpu=-1", "c pu=1", "cpu:1", "cpu=1=2"}) {
    const auto refused = parseLimits({wrong});
    ASSERT_FALSE(refused) << wrong;
    EXPECT_THAT(refused.error().message, HasSubstr(wrong));
  }
  EXPECT_FALSE(parseLimits({"cpu=1", "cpu=2"}));
}

}  // namespace
}  // namespace vkb::cli
