// Clusters come and go: what `join` refuses and why, what it records, and how `leave` takes a
// cluster away in order, against resistance, and when the target no longer exists.

#include <algorithm>
#include <fstream>
#include <future>
#include <regex>
#include <set>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/kubeconfig.h"
#include "support/names.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

bool says(const std::string& text, const std::string& pattern) {
  return std::regex_search(text, std::regex(pattern, std::regex::icase));
}

class JoinAndLeave : public WorldTest {
 protected:
  static void SetUpTestSuite() { openWorld({.name = "join", .through_relay = true}); }

  void SetUp() override {
    WorldTest::SetUp();
    if (HasFatalFailure()) return;
    World& w = world();
    // A refused `leave` may have left the node cordoned.
    const std::optional<Json> node = w.home.find("nodes", "", w.node);
    if (node && json::boolean(*node, {"spec", "unschedulable"})) {
      ASSERT_TRUE(w.waitEmptied());
      const Outcome left = w.bridge.command({"leave", w.node});
      ASSERT_TRUE(left.ok()) << left.describe();
    }
    ASSERT_TRUE(w.ensureServing());
  }

  /// Joins `name` with `kubeconfig`: refused with words that match `pattern`; the clusters in the
  /// state folder are what they were, byte for byte, and home's nodes of this name and ours too.
  static std::string expectRefused(const std::string& name, const std::string& kubeconfig,
                                   const std::string& pattern) {
    const World& w = world();
    const auto nodes = [&] {
      std::set<std::string> uids;
      for (const auto& [key, node] : w.home.list({"nodes"})) {
        if (key == name || key == w.node) uids.insert(key + " " + uidOf(node));
      }
      return uids;
    };
    const auto clusters = [&] { return snapshotOf(w.bridge.stateDir() / "clusters"); };
    const auto nodes_before = nodes();
    const auto clusters_before = clusters();
    const Outcome joined = w.bridge.command({"join", name, "--kubeconfig", kubeconfig});
    EXPECT_TRUE(joined.exit.code == 1 || joined.exit.code == 2) << joined.describe();
    EXPECT_TRUE(says(joined.err, pattern)) << "expected /" << pattern << "/, " << joined.describe();
    EXPECT_EQ(nodes(), nodes_before);
    EXPECT_TRUE(clusters() == clusters_before) << "a refused join has changed the state folder";
    return joined.err;
  }
};

TEST_F(JoinAndLeave, KubeconfigsThatCannotWorkAreEachRefusedInWordsOfTheirOwn) {
  World& w = world();
  const auto file = [&](const std::string& name) { return w.folder.path() / name; };
  const Json good = readKubeconfig(w.target);
  const ClosedPort closed;

  Json wrong_ca = good, expired = good, unreachable = good;
  Json home = readKubeconfig(w.home);
  clusterOf(wrong_ca)["certificate-authority-data"] = clusterOf(home)["certificate-authority-data"];
  userOf(expired) = {{"token", expiredToken()}};
  clusterOf(unreachable)["server"] = "https://127.0.0.1:" + std::to_string(closed.port());
  std::ofstream(file("empty")) << "";
  std::ofstream(file("garbage")) << "clusters: [ this is: not {yaml";

  struct Case {
    const char* what;
    std::string path, pattern;
  };
  const std::vector<Case> cases{
      {"missing", file("missing"), "missing.*(no such file|not exist|cannot be read|cannot read)"},
      {"no YAML", file("garbage"), "garbage.*(yaml|parse|not a kubeconfig)"},
      {"empty", file("empty"), "empty.*(is empty|no context|no cluster|current-context)"},
      {"wrong CA", writeKubeconfig(file("wrong-ca"), wrong_ca), "certificate"},
      {"expired token", writeKubeconfig(file("expired"), expired),
       "expired|unauthorized|401|credentials|token"},
      {"unreachable", writeKubeconfig(file("unreachable"), unreachable),
       "127\\.0\\.0\\.1:" + std::to_string(closed.port()) +
           ".*(refused|reach|connect)|"
           "(refused|reach|connect).*127\\.0\\.0\\.1:" +
           std::to_string(closed.port())},
  };
  std::set<std::string> sentences;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.what);
    const std::string said = expectRefused("e2e-bad-" + randomSuffix(), c.path, c.pattern);
    EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << "one sentence: " << said;
    sentences.insert(said);
    if (std::string_view(c.what) != "wrong CA") {
      EXPECT_FALSE(says(said, "certificate")) << said;
    }
    if (std::string_view(c.what) != "expired token") {
      EXPECT_FALSE(says(said, "unauthorized|401|token")) << said;
    }
    EXPECT_EQ(said.find(expiredToken()), std::string::npos) << "a secret must not be shown";
  }
  EXPECT_EQ(sentences.size(), cases.size()) << "each has words of its own";
}

TEST_F(JoinAndLeave, MissingPermissionsInTheTargetAreListed) {
  World& w = world();
  const std::string ns = "e2e-rights-" + randomSuffix();
  w.makeForeignNamespace(ns);
  const Json answer = Json::parse(w.target.must(
      {"create", "--raw", pathOf("serviceaccounts", ns, "default") + "/token", "-f", "-"},
      R"({"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{}})"));
  Json config = readKubeconfig(w.target);
  userOf(config) = {{"token", json::str(answer, {"status", "token"})}};
  const std::string said = expectRefused(
      "e2e-bad-" + randomSuffix(), writeKubeconfig(w.folder.path() / "rights", config), "pods");
  for (const char* verb : {"create", "delete", "watch"}) EXPECT_TRUE(says(said, verb)) << said;
  EXPECT_TRUE(says(said, "namespaces")) << said;
}

TEST_F(JoinAndLeave, TheHomeClusterItselfIsRefusedAsATarget) {
  expectRefused("e2e-bad-" + randomSuffix(), world().environment.home_kubeconfig, "home cluster");
}

TEST_F(JoinAndLeave, ASecondNameForAJoinedTargetIsRefusedAndTheFirstNamed) {
  expectRefused("e2e-bad-" + randomSuffix(), world().environment.target_kubeconfig, world().node);
}

TEST_F(JoinAndLeave, ANodeNameThatIsTakenIsRefused) {
  World& w = world();
  const std::string name = "e2e-bad-" + randomSuffix();
  // Leave first, so that the name is the only thing that is wrong.
  const Outcome left = w.bridge.command({"leave", w.node});
  ASSERT_TRUE(left.ok()) << left.describe();
  w.home.create({{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", name}}}});
  expectRefused(name, w.targetKubeconfig(), name + ".*(exists|taken|already)|already.*" + name);
  w.home.remove("nodes", "", name);
  EXPECT_TRUE(waitGone(w.home, "nodes", "", name));
}

TEST_F(JoinAndLeave, NamesThatAreNoDnsLabelOfAtMost40CharactersAreRefused) {
  for (const std::string& name :
       {std::string("Bad_Name"), std::string("a.b"), std::string(41, 'a')}) {
    expectRefused(name, world().environment.target_kubeconfig, "name");
  }
}

TEST_F(JoinAndLeave, ARunningBridgePicksUpAJoinAndRegistersTheNode) {
  World& w = world();
  const Outcome left = w.bridge.command({"leave", w.node});
  ASSERT_TRUE(left.ok()) << left.describe();
  EXPECT_FALSE(w.home.find("nodes", "", w.node));
  EXPECT_FALSE(w.isJoined());
  ASSERT_TRUE(w.bridge.isRunning());

  const Outcome joined = w.join();
  ASSERT_TRUE(joined.ok()) << joined.describe();
  EXPECT_TRUE(says(joined.out + joined.err, w.node)) << "it says what to do next";
  ASSERT_TRUE(w.waitNodeReady());
  const Json node = w.home.get("nodes", "", w.node);
  EXPECT_EQ(label(node, "type"), "virtual-kubelet");
  EXPECT_EQ(label(node, kHostnameLabel), w.node);
  EXPECT_EQ(label(node, kClusterLabel), w.node);
  EXPECT_EQ(label(node, "kubernetes.io/os"), "linux");
  EXPECT_EQ(json::str(node, {"spec", "providerID"}), "vk-bridge://" + w.target.id());
  const Json* taint = json::findBy(json::array(node, {"spec", "taints"}), "key", kTaintKey);
  ASSERT_NE(taint, nullptr);
  EXPECT_EQ(json::str(*taint, "value"), "vk-bridge");
  EXPECT_EQ(json::str(*taint, "effect"), "NoSchedule");
  EXPECT_EQ(conditionOf(node, "TargetReachable"), "True");
  for (const char* resource : {"cpu", "memory", "pods"}) {
    const std::string amount = json::str(node, {"status", "allocatable", resource});
    EXPECT_FALSE(amount.empty() || amount == "0") << resource;
    EXPECT_EQ(json::str(node, {"status", "capacity", resource}), amount);
  }
}

TEST_F(JoinAndLeave, JoinAgainUpdatesTheCredentialsAndTouchesNoPod) {
  World& w = world();
  const std::string ns = w.newNamespace("again");
  w.home.create(makePod(ns, "stays", w.node));
  Json pod;
  ASSERT_TRUE(w.waitReady(ns, "stays", &pod));
  const Json delegate = w.delegateOf(pod);
  Json config = readKubeconfig(w.target);
  const std::string direct = json::str(clusterOf(config), "server");

  const Outcome again =
      w.bridge.command({"join", w.node, "--kubeconfig", w.environment.target_kubeconfig});
  ASSERT_TRUE(again.ok()) << again.describe();
  EXPECT_EQ(json::str(w.bridge.status()["clusters"][0], "server"), direct);
  // The way it was joined by first is closed: what works from here on uses the new one.
  w.relay->refuse(true);
  w.relay->cutAll();
  w.home.create(makePod(ns, "new", w.node));
  EXPECT_TRUE(w.waitReady(ns, "new"));
  w.relay->refuse(false);
  const Json now = w.delegateOf(pod);
  EXPECT_EQ(uidOf(now), uidOf(delegate));
  EXPECT_EQ(json::at(now, "spec"), json::at(delegate, "spec"));
  EXPECT_EQ(json::at(now, {"status", "containerStatuses"}),
            json::at(delegate, {"status", "containerStatuses"}));

  const Outcome back = w.join();
  EXPECT_TRUE(back.ok()) << back.describe();
}

TEST_F(JoinAndLeave, LeaveRefusesWhilePodsRunAndWithDrainEmptiesAndForgetsTheCluster) {
  World& w = world();
  const std::string ns = w.newNamespace("drain");
  w.home.create(makeWorkload("Deployment", ns, "web", w.node, 2));
  Objects pods;
  ASSERT_TRUE(w.waitReady(ns, 2, &pods));

  const Outcome refused = w.bridge.command({"leave", w.node});
  EXPECT_EQ(refused.exit.code, 1) << refused.describe();
  EXPECT_TRUE(says(refused.err, "--drain")) << refused.describe();
  EXPECT_TRUE(w.isJoined());
  for (const auto& [key, pod] : pods) {
    EXPECT_TRUE(isRunningAndReady(w.home.get("pods", ns, nameOf(pod)))) << key;
  }
  EXPECT_EQ(w.target.list({"pods", ns}).size(), 2U);

  auto leaving = std::async(std::launch::async, [&] {
    return w.bridge.command({"leave", w.node, "--drain", "--timeout", "60s"}, seconds(90));
  });
  EXPECT_TRUE(w.waitGoneOrHasten(w.ours()));
  const Outcome left = leaving.get();
  ASSERT_TRUE(left.ok()) << left.describe();
  EXPECT_FALSE(w.home.find("nodes", "", w.node));
  EXPECT_FALSE(w.isJoined());
  EXPECT_TRUE(w.target.list({"pods", ns}).empty());
  for (const auto& [key, pod] : w.home.list({"pods", ns})) {
    EXPECT_EQ(json::str(pod, {"spec", "nodeName"}), "") << key << " waits for another node";
  }
  EXPECT_TRUE(w.bridge.isRunning());
  EXPECT_TRUE(w.bridge.status()["clusters"].empty());
}

TEST_F(JoinAndLeave, DrainRespectsADisruptionBudgetUntilItsTimeout) {
  World& w = world();
  const std::string ns = w.newNamespace("budget");
  w.home.create(makePod(ns, "guarded", w.node));
  w.home.must({"create", "poddisruptionbudget", "guard", "--namespace", ns, "--selector",
               "app=guarded", "--min-available", "1"});
  Json pod;
  ASSERT_TRUE(w.waitReady(ns, "guarded", &pod));
  const Json delegate = w.delegateOf(pod);

  const Outcome refused = w.bridge.command({"leave", w.node, "--drain", "--timeout", "3s"});
  EXPECT_EQ(refused.exit.code, 1) << refused.describe();
  EXPECT_TRUE(says(refused.out + refused.err, "guarded")) << refused.describe();
  EXPECT_TRUE(w.isJoined());
  EXPECT_TRUE(isRunningAndReady(w.home.get("pods", ns, "guarded")));
  EXPECT_EQ(uidOf(w.delegateOf(pod)), uidOf(delegate));

  w.home.must({"delete", "poddisruptionbudget", "guard", "--namespace", ns});
}

TEST_F(JoinAndLeave, LeaveForceFailsAndRemovesThePodsOfATargetThatIsGoneAndGcFindsTheRest) {
  World& w = world();
  const std::string ns = w.newNamespace("force");
  w.home.create(makePod(ns, "lost", w.node));
  Json pod;
  ASSERT_TRUE(w.waitReady(ns, "lost", &pod));
  const Json delegate = w.delegateOf(pod);
  Recorder at_home(w.home, {"pods", ns});
  w.relay->refuse(true);
  w.relay->cutAll();

  const Outcome left = w.bridge.command({"leave", w.node, "--force"});
  EXPECT_TRUE(left.ok()) << left.describe();
  EXPECT_TRUE(says(left.out + left.err, ns + "/lost"))
      << "what may still run is listed: " << left.describe();
  EXPECT_FALSE(w.home.find("nodes", "", w.node));
  EXPECT_FALSE(w.isJoined());
  EXPECT_FALSE(w.home.find("pods", ns, "lost"));
  bool failed = false;
  for (const WatchEvent& event : at_home.history()) failed |= phaseOf(*event.object) == "Failed";
  EXPECT_TRUE(failed) << "controllers and people are told before the pod goes";

  w.relay->refuse(false);
  EXPECT_EQ(uidOf(w.delegateOf(pod)), uidOf(delegate)) << "nobody could have stopped it";

  // The target is there again, under another name: gc finds what was left there.
  const std::string again = w.node + "-again";
  const Outcome joined =
      w.bridge.command({"join", again, "--kubeconfig", w.environment.target_kubeconfig});
  ASSERT_TRUE(joined.ok()) << joined.describe();
  w.home.create(makePod(ns, "runs", again));
  ASSERT_TRUE(w.waitReady(ns, "runs"));
  const Outcome listed = w.bridge.command({"gc", "--dry-run"});
  EXPECT_TRUE(listed.ok()) << listed.describe();
  EXPECT_TRUE(says(listed.out, ns + "/lost")) << listed.describe();
  EXPECT_FALSE(says(listed.out, ns + "/runs")) << listed.describe();
  EXPECT_EQ(json::str(w.delegateOf(pod), {"metadata", "deletionTimestamp"}), "");
  const Outcome collected = w.bridge.command({"gc"});
  EXPECT_TRUE(collected.ok()) << collected.describe();
  EXPECT_TRUE(w.waitGoneOrHasten({"pods", ns, kHomeUidLabel + ("=" + uidOf(pod))}));
  EXPECT_TRUE(isRunningAndReady(w.home.get("pods", ns, "runs")));
  const Outcome nothing = w.bridge.command({"gc", "--confirm"});
  EXPECT_TRUE(nothing.ok() && says(nothing.out, "nothing to confirm")) << nothing.describe();

  w.home.remove("pods", ns, "runs");
  ASSERT_TRUE(w.waitGoneOrHasten({"pods", ns}));
  const Outcome forgotten = w.bridge.command({"leave", again, "--drain", "--timeout", "30s"});
  EXPECT_TRUE(forgotten.ok()) << forgotten.describe();
}

}  // namespace
}  // namespace vkb::e2e
