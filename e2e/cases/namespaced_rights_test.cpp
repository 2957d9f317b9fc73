// A target whose credentials are good for one namespace alone: strategy `single` and --limit.

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/kubeconfig.h"
#include "support/names.h"
#include "support/watch.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

/// The Role of README.md, "Rights in one namespace alone".
Json readmesRole(const std::string& ns) {
  const auto rule = [](const char* group, const Json& resources, const Json& verbs) -> Json {
    return {{"apiGroups", {group}}, {"resources", resources}, {"verbs", verbs}};
  };
  return {
      {"apiVersion", "rbac.authorization.k8s.io/v1"},
      {"kind", "Role"},
      {"metadata", {{"name", "vk-bridge"}, {"namespace", ns}}},
      {"rules",
       {rule("", {"namespaces"}, {"get"}),
        rule("", {"pods"}, {"get", "list", "watch", "create", "patch", "delete"}),
        rule("", {"configmaps", "secrets"}, {"get", "list", "watch", "create", "update", "delete"}),
        rule("", {"pods/resize", "pods/ephemeralcontainers"}, {"patch"}),
        rule("", {"events"}, {"list"}), rule("", {"pods/log"}, {"get"}),
        rule("", {"pods/exec", "pods/attach", "pods/portforward"}, {"create", "get"}),
        rule("coordination.k8s.io", {"leases"}, {"get", "create", "update", "delete"}),
        rule("metrics.k8s.io", {"pods"}, {"list"})}}};
}

class NamespacedRights : public WorldTest {
 protected:
  static void SetUpTestSuite() {
    one_ = "e2e-one-" + randomSuffix();
    openWorld(
        {.name = "one",
         .join_flags = {"--namespace-strategy", "single=" + one_, "--limit", "cpu=3,memory=2Gi"},
         .run = false});
    World& w = world();
    w.makeForeignNamespace(one_);
    w.target.create({{"apiVersion", "v1"},
                     {"kind", "ServiceAccount"},
                     {"metadata", {{"name", "bridge"}, {"namespace", one_}}}});
    w.target.create(readmesRole(one_));
    w.target.create(
        {{"apiVersion", "rbac.authorization.k8s.io/v1"},
         {"kind", "RoleBinding"},
         {"metadata", {{"name", "vk-bridge"}, {"namespace", one_}}},
         {"roleRef",
          {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "Role"}, {"name", "vk-bridge"}}},
         {"subjects", {{{"kind", "ServiceAccount"}, {"name", "bridge"}, {"namespace", one_}}}}});
    const Json answer = Json::parse(w.target.must(
        {"create", "--raw", pathOf("serviceaccounts", one_, "bridge") + "/token", "-f", "-"},
        R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}})"));
    Json config = readKubeconfig(w.target);
    userOf(config) = {{"token", json::str(answer, {"status", "token"})}};
    writeKubeconfig(w.targetKubeconfig(), config);
  }
  void SetUp() override {
    WorldTest::SetUp();
    if (HasFatalFailure()) return;
    ASSERT_TRUE(world().ensureServing());
  }

  inline static std::string one_;
};

TEST_F(NamespacedRights, PodsRunThereAndNothingElseIsAskedFor) {
  World& w = world();
  const std::string ns = w.newNamespace("one");
  w.home.create({{"apiVersion", "v1"},
                 {"kind", "ConfigMap"},
                 {"metadata", {{"name", "settings"}, {"namespace", ns}}},
                 {"data", {{"key", "value"}}}});
  Json pod = makePod(ns, "reader", w.node,
                     {.script = "[ \"$KEY\" = value ] && touch /tmp/ready; sleep 100000 & wait",
                      .ready_file = "/tmp/ready"});
  pod["spec"]["containers"][0]["env"] = {
      {{"name", "KEY"},
       {"valueFrom", {{"configMapKeyRef", {{"name", "settings"}, {"key", "key"}}}}}}};
  const Json made = w.home.create(pod);
  ASSERT_TRUE(w.waitReady(ns, "reader"));
  EXPECT_EQ(json::str(w.delegateOf(made), {"metadata", "namespace"}), one_);
  w.home.remove("pods", ns, "reader");
  EXPECT_TRUE(w.waitGoneOrHasten({.resource = "pods", .ns = one_, .labels = w.ours().labels}));
  EXPECT_TRUE(waitGone(w.home, "pods", ns, "reader"));
  // A LIST of nodes or of all pods, say, would have been refused.
  const Outcome metrics = w.bridge.http("/metrics");
  ASSERT_TRUE(metrics.ok()) << metrics.describe();
  EXPECT_NE(metrics.out.find("cluster=\"" + w.node + "\""), std::string::npos);
  for (std::size_t at = metrics.out.find("code=\"403\""); at != std::string::npos;
       at = metrics.out.find("code=\"403\"", at + 1)) {
    const auto begin = metrics.out.rfind('\n', at) + 1;
    ADD_FAILURE() << metrics.out.substr(begin, metrics.out.find('\n', at) - begin);
  }
}

TEST_F(NamespacedRights, TheNodeOffersTheLimits) {
  const Json node = world().home.get("nodes", "", world().node);
  EXPECT_EQ(json::str(node, {"status", "allocatable", "cpu"}), "3");
  EXPECT_EQ(json::str(node, {"status", "allocatable", "memory"}), "2Gi");
  EXPECT_EQ(json::str(node, {"status", "allocatable", "pods"}), "110");
}

TEST_F(NamespacedRights, WithoutLimitsTheRightsInTheWholeTargetAreListedAndTheWayOutNamed) {
  World& w = world();
  const Outcome joined =
      w.bridge.command({"join", "e2e-bad-" + randomSuffix(), "--kubeconfig",
                        w.targetKubeconfig().string(), "--namespace-strategy", "single=" + one_});
  EXPECT_EQ(joined.exit, (Exit{1, 0})) << joined.describe();
  for (const char* said : {"list nodes", "list pods (all namespaces)", "--limit"}) {
    EXPECT_NE(joined.err.find(said), std::string::npos) << said << "\n" << joined.err;
  }
}

}  // namespace
}  // namespace vkb::e2e
