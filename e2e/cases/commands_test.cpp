// What an operator sees and types: status, the --listen address, how `run` starts and ends, version
// and help.

#include <fstream>
#include <regex>
#include <set>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/names.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

bool says(const std::string& text, const std::string& pattern) {
  return std::regex_search(text, std::regex(pattern, std::regex::icase));
}

std::set<std::string> keysOf(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

using Keys = std::set<std::string>;

class Commands : public WorldTest {
 protected:
  static void SetUpTestSuite() { openWorld({.name = "cmd"}); }
  void SetUp() override {
    WorldTest::SetUp();
    if (HasFatalFailure()) return;
    ASSERT_TRUE(world().ensureServing());
  }
  /// A home pod that runs, with its delegate.
  struct Pair {
    std::string ns;
    Json pod, delegate;
  };
  static Pair runPod() {
    World& w = world();
    Pair pair;
    pair.ns = w.newNamespace("status");
    w.home.create(makePod(pair.ns, "shown", w.node));
    const auto ready = w.waitReady(pair.ns, "shown", &pair.pod);
    if (!ready) throw std::runtime_error(ready.message());
    pair.delegate = w.delegateOf(pair.pod);
    return pair;
  }
  /// The status has exactly one entry for this home pod, and it is right. (Pods of earlier tests
  /// may still be on their way out.)
  static void expectShows(const Json& status, const Pair& pair) {
    Json found = Json::array();
    for (const Json& candidate : json::array(status, {"pods"})) {
      if (json::str(candidate, "uid") == uidOf(pair.pod)) found.push_back(candidate);
    }
    ASSERT_EQ(found.size(), 1U);
    const Json& entry = found[0];
    EXPECT_EQ(keysOf(entry),
              (Keys{"namespace", "name", "uid", "cluster", "delegate", "state", "phase", "ready",
                    "restarts", "created", "node", "lagMs", "lastError", "lastErrorAt"}));
    EXPECT_EQ(json::str(entry, "namespace"), pair.ns);
    EXPECT_EQ(json::str(entry, "name"), "shown");
    EXPECT_EQ(json::str(entry, "uid"), uidOf(pair.pod));
    EXPECT_EQ(json::str(entry, "cluster"), world().node);
    EXPECT_EQ(entry["delegate"],
              (Json{{"namespace", pair.ns}, {"name", "shown"}, {"uid", uidOf(pair.delegate)}}));
    EXPECT_EQ(json::str(entry, "phase"), "Running");
    EXPECT_EQ(entry["ready"], true);
    EXPECT_EQ(entry["restarts"], 0);
    EXPECT_EQ(json::str(entry, "node"), json::str(pair.delegate, {"spec", "nodeName"}));
    EXPECT_TRUE(entry["lagMs"].is_number() && entry["lagMs"] >= 0) << entry["lagMs"];
    EXPECT_EQ(json::str(entry, "created"), json::str(pair.pod, {"metadata", "creationTimestamp"}));
    EXPECT_EQ(json::str(entry, "lastError"), "");
  }
};

TEST_F(Commands, StatusAsJsonShowsTheBridgeItsClustersAndItsPodsWhileItRuns) {
  World& w = world();
  const Pair pair = runPod();
  Json status = w.bridge.status();
  EXPECT_EQ(keysOf(status), (Keys{"bridge", "clusters", "pods"}));
  EXPECT_EQ(status["bridge"], (Json{{"running", true},
                                    {"pid", w.bridge.pid()},
                                    {"stateDir", w.bridge.stateDir().string()}}));
  ASSERT_EQ(status["clusters"].size(), 1U);
  const Json& cluster = status["clusters"][0];
  EXPECT_EQ(keysOf(cluster),
            (Keys{"name", "server", "targetId", "state", "reachable", "message", "since", "version",
                  "nodesReady", "nodesTotal", "cpu", "memory", "pods", "podCount", "leaving"}));
  EXPECT_EQ(json::str(cluster, "name"), w.node);
  EXPECT_EQ(json::str(cluster, "targetId"), w.target.id());
  EXPECT_EQ(cluster["reachable"], true);
  EXPECT_EQ(cluster["leaving"], false);
  EXPECT_GE(cluster["nodesReady"], 1);
  EXPECT_GE(cluster["podCount"], 1);
  EXPECT_TRUE(says(json::str(cluster, "version"), R"(^v?1\.\d+)")) << cluster["version"];
  expectShows(status, pair);
}

TEST_F(Commands, StatusWorksWithTheBridgeStoppedAndSaysSo) {
  World& w = world();
  const Pair pair = runPod();
  EXPECT_EQ(w.bridge.stop(), (Exit{0, 0}));
  Json status = w.bridge.status();
  EXPECT_EQ(status["bridge"]["running"], false);
  ASSERT_EQ(status["clusters"].size(), 1U);
  EXPECT_EQ(json::str(status["clusters"][0], "name"), w.node);
  expectShows(status, pair);
  const Outcome table = w.bridge.command({"status"});
  EXPECT_TRUE(table.ok()) << table.describe();
  EXPECT_TRUE(says(table.out + table.err, "not running|stopped")) << table.describe();
}

TEST_F(Commands, StatusPrintsTablesAndYamlAndCanBeAskedForOneClusterOrOnePod) {
  World& w = world();
  const Pair pair = runPod();
  const std::string key = pair.ns + "/shown";
  const Outcome table = w.bridge.command({"status"});
  EXPECT_TRUE(table.ok()) << table.describe();
  for (const std::string& word : {w.node, std::string("shown"), std::string("Running")}) {
    EXPECT_TRUE(says(table.out, word)) << word << " is not in\n" << table.out;
  }
  EXPECT_TRUE(says(w.bridge.command({"status", "-o", "wide"}).out,
                   json::str(pair.delegate, {"spec", "nodeName"})));
  const Outcome yaml = w.bridge.command({"status", "-o", "yaml"});
  EXPECT_TRUE(says(yaml.out, "clusters:")) << yaml.describe();

  expectShows(w.bridge.status({w.node}), pair);
  const Json one = w.bridge.status({key});
  EXPECT_EQ(one["pods"].size(), 1U);
  expectShows(one, pair);
  for (const std::string& unknown : {std::string("no-such-cluster"), pair.ns + "/no-such-pod"}) {
    const Outcome outcome = w.bridge.command({"status", unknown});
    EXPECT_EQ(outcome.exit.code, 1) << outcome.describe();
    EXPECT_TRUE(says(outcome.err, unknown)) << outcome.describe();
  }
}

TEST_F(Commands, StatusShowsTheLastErrorOfAPodThatIsRefused) {
  World& w = world();
  const std::string ns = w.newNamespace("error");
  w.makeForeignNamespace(ns);
  const Json pod = w.home.create(makePod(ns, "refused", w.node));
  ASSERT_TRUE(w.waitEvent(pod, "NamespaceNotAllowed"));
  const Json entry = w.bridge.status({ns + "/refused"})["pods"][0];
  EXPECT_TRUE(says(json::str(entry, "lastError"), "NamespaceNotAllowed")) << entry;
  EXPECT_FALSE(json::str(entry, "lastErrorAt").empty()) << entry;
}

TEST_F(Commands, ExplainShowsTheDelegateAndWhyItDiffersInEveryForm) {
  World& w = world();
  const Pair pair = runPod();
  const std::string key = pair.ns + "/shown";
  const auto explain = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "explain");
    Outcome outcome = w.bridge.command(arguments);
    EXPECT_TRUE(outcome.ok()) << outcome.describe();
    return outcome.out;
  };
  const Json told = Json::parse(explain({key, "-o", "json"}), nullptr, false);
  EXPECT_EQ(keysOf(told), (Keys{"changes", "delegate", "notes"}));
  for (const char* part : {"nodeSelector", "tolerations", "nodeName"}) {
    EXPECT_TRUE(json::at(told, {"delegate", "spec", part}).is_null()) << part;
  }
  // What is told is what was made.
  const Json& shown = json::at(told, {"delegate"});
  for (const char* part : {"labels", "annotations", "ownerReferences"}) {
    EXPECT_EQ(json::at(shown, {"metadata", part}), json::at(pair.delegate, {"metadata", part}))
        << part;
  }
  EXPECT_EQ(json::at(shown, {"spec", "containers"}).size(), 1U);
  EXPECT_EQ(json::at(shown, {"spec", "containers"})[0]["command"],
            json::at(pair.delegate, {"spec", "containers"})[0]["command"]);
  EXPECT_TRUE(told["notes"].empty()) << told["notes"];
  std::set<std::string> paths;
  for (const Json& change : told["changes"]) {
    paths.insert(json::str(change, "path"));
    EXPECT_FALSE(json::str(change, "reason").empty()) << change;
  }
  EXPECT_TRUE(paths.count("spec.nodeSelector") == 1) << told["changes"];

  const std::string yaml = explain({key});
  EXPECT_TRUE(says(yaml, "^# " + key + " as it runs in " + w.node)) << yaml;
  EXPECT_TRUE(says(yaml, "#   spec.nodeSelector: .+")) << yaml;
  EXPECT_TRUE(says(yaml, "\nkind: Pod\n")) << yaml;
  const std::string diff = explain({key, "-o", "diff"});
  EXPECT_TRUE(says(diff, "^--- " + key + " at home\n\\+\\+\\+ " + key + " in " + w.node)) << diff;
  EXPECT_TRUE(says(diff, "\n-spec.nodeSelector")) << diff;
}

TEST_F(Commands, ExplainOfAFileWorksBeforeThePodExistsAndIsWhatBecomesOfIt) {
  World& w = world();
  const std::string ns = w.newNamespace("explain");
  const std::filesystem::path file = w.folder.path() / "pod.yaml";
  std::ofstream(file) << "apiVersion: v1\nkind: Pod\nmetadata:\n  name: later\n  namespace: " << ns
                      << "\nspec:\n  nodeSelector: {kubernetes.io/hostname: " << w.node
                      << "}\n  tolerations: [{key: virtual-kubelet.io/provider, operator: Exists}]"
                         "\n  containers:\n  - name: main\n    image: busybox:e2e\n    command: "
                         "[sh, -c, 'sleep 1000']\n    env: [{name: MODE, value: fast}]\n";
  const Outcome unnamed = w.bridge.command({"explain", "-f", file.string()});
  EXPECT_EQ(unnamed.exit.code, 1) << unnamed.describe();
  EXPECT_TRUE(says(unnamed.err, "--cluster")) << unnamed.describe();
  const Outcome outcome =
      w.bridge.command({"explain", "-f", file.string(), "--cluster", w.node, "-o", "json"});
  ASSERT_TRUE(outcome.ok()) << outcome.describe();
  const Json told = Json::parse(outcome.out, nullptr, false);
  EXPECT_FALSE(w.target.find("namespaces", "", ns)) << "it only tells";

  w.home.must({"create", "-f", file.string()});
  Json pod;
  ASSERT_TRUE(w.waitReady(ns, "later", &pod));
  const Json delegate = w.delegateOf(pod);
  const Json& shown = json::at(told, {"delegate"});
  EXPECT_EQ(keyOf(shown), keyOf(delegate));
  const Json &mine = json::at(shown, {"spec", "containers"})[0],
             &theirs = json::at(delegate, {"spec", "containers"})[0];
  for (const char* field : {"name", "image", "command", "env"}) {
    EXPECT_EQ(json::at(mine, field), json::at(theirs, field)) << field;
  }
}

TEST_F(Commands, ListenAddressServesHealthReadinessAndMetrics) {
  World& w = world();
  for (const char* path : {"/healthz", "/readyz"}) {
    const Outcome answer = w.bridge.http(path);
    EXPECT_TRUE(answer.ok()) << path << ": " << answer.describe();
  }
  const Outcome metrics = w.bridge.http("/metrics");
  ASSERT_TRUE(metrics.ok()) << metrics.describe();
  EXPECT_TRUE(says(metrics.out, "# TYPE rest_client_requests_total counter")) << metrics.out;
  EXPECT_FALSE(w.bridge.http("/no-such-path").ok());
}

TEST_F(Commands, RunEndsWith0PromptlyOnSigterm) {
  World& w = world();
  const auto asked = Clock::now();
  EXPECT_EQ(w.bridge.stop(), (Exit{0, 0}));
  EXPECT_LT(Clock::now() - asked, seconds(8));
}

TEST_F(Commands, ASecondRunOnTheSameStateFolderEndsWith1AndNamesThePid) {
  World& w = world();
  const Outcome second = w.bridge.command({"run", "--listen", "127.0.0.1:0"});
  EXPECT_EQ(second.exit, (Exit{1, 0})) << second.describe();
  EXPECT_TRUE(says(second.err, "\\b" + std::to_string(w.bridge.pid()) + "\\b"))
      << second.describe();
  EXPECT_TRUE(w.bridge.isRunning());
}

TEST_F(Commands, RunAgainstAnotherHomeThanTheRecordedOneIsRefused) {
  World& w = world();
  EXPECT_EQ(w.bridge.stop(), (Exit{0, 0}));
  const Outcome other = w.bridge.command(
      {"run", "--listen", "127.0.0.1:0", "--home-kubeconfig", w.environment.target_kubeconfig});
  EXPECT_EQ(other.exit, (Exit{1, 0})) << other.describe();
  EXPECT_TRUE(says(other.err, "home")) << other.describe();
  EXPECT_FALSE(w.target.find("nodes", "", w.node)) << "nothing was written there";
}

TEST_F(Commands, VersionAndHelpAreThereAndWrongUsageEndsWith2) {
  const World& w = world();
  const std::string& program = w.environment.bridge_program;
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), program);
    return runCommand(arguments, "", in(seconds(20)));
  };
  const Outcome version = run({"version"});
  EXPECT_TRUE(version.ok()) << version.describe();
  EXPECT_TRUE(says(version.out, R"(\d+\.\d+\.\d+)")) << version.describe();
  const Outcome help = run({"--help"});
  EXPECT_TRUE(help.ok()) << help.describe();
  for (const char* command : {"join", "leave", "run", "status", "version"}) {
    EXPECT_TRUE(says(help.out, std::string("\\b") + command + "\\b")) << command;
    const Outcome own = run({command, "--help"});
    EXPECT_TRUE(own.ok() && own.out.size() > 100) << own.describe();
  }
  const std::vector<std::vector<std::string>> wrong{
      {"frobnicate"}, {"join"}, {"join", "x"}, {"leave"}, {"status", "-o", "xml"}, {}};
  for (const auto& arguments : wrong) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit, (Exit{2, 0})) << outcome.describe();
    EXPECT_FALSE(outcome.err.empty()) << outcome.describe();
  }
}

}  // namespace
}  // namespace vkb::e2e
