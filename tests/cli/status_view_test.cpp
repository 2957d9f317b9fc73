#include "cli/status_view.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "json/time.h"

namespace vkb::cli {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

WallTime ago(std::chrono::microseconds age) {
  return *json::parseTime("2026-11-22T08:29:24Z") - age;
}

StatusData::Cluster cluster(const std::string& name, const std::string& state = "Ready") {
  state::ClusterConfig config;
  config.name = name;
  config.target_id = "target-" + name;
  config.server = "https://" + name + ":6443";
  state::ClusterHealth health{.name = name,
                              .state = state,
                              .message = "",
                              .since = ago(1h),
                              .updated_at = ago(5min),
                              .version = "v1.20.2",
                              .nodes_ready = 2,
                              .nodes_total = 3,
                              .cpu = "12",
                              .memory = "48Gi",
                              .pods = "330"};
  return {.config = config, .health = health};
}

PodRecord pod(const std::string& ns, const std::string& name, const std::string& node) {
  PodRecord record;
  record.uid = "uid-" + name;
  record.ns = ns;
  record.name = name;
  record.node = node;
  record.state = PodRecord::State::kCreated;
  record.place_ns = ns;
  record.place_name = name;
  record.provider_uid = "there-" + name;
  record.phase = "Running";
  record.ready = true;
  record.restarts = 1;
  record.provider_node = "worker-1";
  record.home_created = ago(312s);
  record.lag = 12ms;
  return record;
}

PodRecord waitingPod(const std::string& ns, const std::string& name, const std::string& node) {
  PodRecord record;
  record.uid = "uid-" + name;
  record.ns = ns;
  record.name = name;
  record.node = node;
  record.phase = "Pending";
  record.home_created = ago(30s);
  record.last_error = "NamespaceNotAllowed: namespace kube-public exists\nthere";
  record.last_error_at = ago(8s);
  return record;
}

StatusData sample() {
  StatusData data;
  data.bridge_pid = 123;
  data.state_dir = "/var/lib/vk-bridge";
  data.clusters = {cluster("gpu-eu"), cluster("cpu-us", "Unreachable")};
  data.clusters[1].health->message = "connect to cpu-us:6443: connection refused";
  data.pods = {pod("demo", "web-1", "gpu-eu"), waitingPod("demo", "job-7", "cpu-us")};
  data.now = ago(0s);
  return data;
}

std::string render(const StatusData& data, StatusFormat format = StatusFormat::kTable,
                   const std::string& filter = "") {
  const auto text = renderStatus(data, format, filter);
  return text ? *text : "error: " + text.error().message;
}

TEST(StatusTable, ShowsClustersAndPodsSortedByName) {
  EXPECT_EQ(
      render(sample()),
      // clang-format off
      "bridge: running (pid 123)\n"
      "\n"
      "CLUSTERS\n"
      "NAME     STATE         REACHABLE   SINCE   VERSION   NODES   PODS    CPU   MEMORY   MESSAGE\n"
      "cpu-us   Unreachable   False       60m     v1.20.2   2/3     1/330   12    48Gi     connect to cpu-us:6443: connection refused\n"
      "gpu-eu   Ready         True        60m     v1.20.2   2/3     1/330   12    48Gi     -\n"
      "\n"
      "PODS\n"
      "POD          CLUSTER   DELEGATE     PHASE     READY   RESTARTS   AGE     NODE       LAG    LAST ERROR\n"
      "demo/job-7   cpu-us    -            Pending   False   0          30s     -          -      NamespaceNotAllowed: namespace kube-public exists there\n"
      "demo/web-1   gpu-eu    demo/web-1   Running   True    1          5m12s   worker-1   12ms   -\n");
  // clang-format on
}

TEST(StatusTable, WideAddsUidsStatesAndServers) {
  EXPECT_EQ(render(sample(), StatusFormat::kWide),
            // clang-format off
      "bridge: running (pid 123)\n"
      "\n"
      "CLUSTERS\n"
      "NAME     STATE         REACHABLE   SINCE   VERSION   NODES   PODS    CPU   MEMORY   SERVER                TARGET ID       MESSAGE\n"
      "cpu-us   Unreachable   False       60m     v1.20.2   2/3     1/330   12    48Gi     https://cpu-us:6443   target-cpu-us   connect to cpu-us:6443: connection refused\n"
      "gpu-eu   Ready         True        60m     v1.20.2   2/3     1/330   12    48Gi     https://gpu-eu:6443   target-gpu-eu   -\n"
      "\n"
      "PODS\n"
      "POD          UID         CLUSTER   DELEGATE     DELEGATE UID   STATE     PHASE     READY   RESTARTS   AGE     NODE       LAG    LAST ERROR\n"
      "demo/job-7   uid-job-7   cpu-us    -            -              Waiting   Pending   False   0          30s     -          -      NamespaceNotAllowed: namespace kube-public exists there\n"
      "demo/web-1   uid-web-1   gpu-eu    demo/web-1   there-web-1    Created   Running   True    1          5m12s   worker-1   12ms   -\n");
  // clang-format on
}

TEST(StatusTable, AStoppedBridgeIsSaidFirstAndReachabilityIsNotClaimed) {
  StatusData data = sample();
  data.bridge_pid.reset();
  data.pods.clear();
  data.clusters = {cluster("gpu-eu")};
  EXPECT_EQ(
      render(data),
      // clang-format off
      "bridge: not running; what follows is what it last wrote, 5m ago\n"
      "\n"
      "CLUSTERS\n"
      "NAME     STATE   REACHABLE   SINCE   VERSION   NODES   PODS    CPU   MEMORY   MESSAGE\n"
      "gpu-eu   Ready   -           60m     v1.20.2   2/3     0/330   12    48Gi     -\n"
      "\n"
      "no pod is bound to a virtual node yet; one that tolerates the taint virtual-kubelet.io/provider can be, e.g. with nodeSelector kubernetes.io/hostname: gpu-eu\n");
  // clang-format on
}

TEST(StatusTable, WithoutAnyClusterItSaysHowToJoinOne) {
  StatusData data;
  EXPECT_EQ(render(data),
            "bridge: not running; start it with: vk-bridge run\n"
            "\n"
            "no cluster is joined yet: vk-bridge join NAME --kubeconfig FILE\n");
  data.bridge_pid = 7;
  EXPECT_EQ(render(data),
            "bridge: running (pid 7)\n"
            "\n"
            "no cluster is joined yet: vk-bridge join NAME --kubeconfig FILE\n");
}

TEST(StatusTable, AClusterThatWasNeverServedHasNoNumbers) {
  StatusData data = sample();
  data.clusters = {cluster("gpu-eu")};
  data.clusters[0].health.reset();
  EXPECT_THAT(render(data, StatusFormat::kTable, "gpu-eu"),
              HasSubstr("gpu-eu   Starting   -           -       -         -       1      -"));
  data.bridge_pid.reset();
  EXPECT_THAT(render(data, StatusFormat::kTable, "gpu-eu"), HasSubstr("gpu-eu   Joined"));
}

TEST(StatusTable, LongMessagesAreCutButWholeInWide) {
  StatusData data = sample();
  data.pods[1].last_error = std::string(200, 'x') + "END";
  EXPECT_THAT(render(data), HasSubstr(std::string(79, 'x') + "…\n"));
  EXPECT_THAT(render(data), Not(HasSubstr("END")));
  EXPECT_THAT(render(data, StatusFormat::kWide), HasSubstr("xEND\n"));
}

TEST(StatusFilter, AClusterShowsItAndItsPodsOnly) {
  const std::string text = render(sample(), StatusFormat::kTable, "gpu-eu");
  EXPECT_THAT(text, HasSubstr("demo/web-1"));
  EXPECT_THAT(text, Not(HasSubstr("cpu-us")));
  const Json json = Json::parse(render(sample(), StatusFormat::kJson, "gpu-eu"));
  EXPECT_EQ(json["clusters"].size(), 1U);
  EXPECT_EQ(json["pods"].size(), 1U);
}

TEST(StatusFilter, APodIsExplainedInWords) {
  EXPECT_EQ(render(sample(), StatusFormat::kTable, "demo/web-1"),
            "bridge: running (pid 123)\n"
            "\n"
            "Pod:           demo/web-1\n"
            "UID:           uid-web-1\n"
            "Cluster:       gpu-eu (Ready, reachable)\n"
            "Delegate:      demo/web-1\n"
            "Delegate UID:  there-web-1\n"
            "State:         Created: the delegate exists in the target and its status is fed back\n"
            "Phase:         Running\n"
            "Ready:         True\n"
            "Restarts:      1\n"
            "Created:       2026-11-22T08:24:12Z (5m12s ago)\n"
            "Target node:   worker-1\n"
            "Lag:           12ms from the delegate's last change until home was told\n"
            "Last error:    none\n");
}

TEST(StatusFilter, APodThatIsRefusedIsExplainedToo) {
  EXPECT_EQ(render(sample(), StatusFormat::kWide, "demo/job-7"),
            "bridge: running (pid 123)\n"
            "\n"
            "Pod:           demo/job-7\n"
            "UID:           uid-job-7\n"
            "Cluster:       cpu-us (Unreachable, not reachable: connect to cpu-us:6443: connection "
            "refused)\n"
            "Delegate:      no place decided yet\n"
            "Delegate UID:  -\n"
            "State:         Waiting: nothing was sent to the target yet; the last error says why\n"
            "Phase:         Pending\n"
            "Ready:         False\n"
            "Restarts:      0\n"
            "Created:       2026-11-22T08:28:54Z (30s ago)\n"
            "Target node:   -\n"
            "Lag:           nothing was fed back yet\n"
            "Last error:    NamespaceNotAllowed: namespace kube-public exists there (8s ago)\n");
}

TEST(StatusFilter, APodAndItsPredecessorOfTheSameNameAreBothShown) {
  StatusData data = sample();
  data.pods.push_back(pod("demo", "web-1", "gone"));
  data.pods.back().uid = "uid-old";
  data.pods.back().state = PodRecord::State::kDeleting;
  const std::string text = render(data, StatusFormat::kTable, "demo/web-1");
  EXPECT_THAT(text, HasSubstr("UID:           uid-web-1\n"));
  EXPECT_THAT(text, HasSubstr("UID:           uid-old\n"));
  EXPECT_THAT(text, HasSubstr("gone (no longer joined)"));
}

TEST(StatusFilter, UnknownOnesAreErrorSentences) {
  EXPECT_EQ(render(sample(), StatusFormat::kTable, "nope"),
            "error: no cluster is joined under the name \"nope\"; joined are: cpu-us, gpu-eu");
  EXPECT_THAT(render(StatusData{}, StatusFormat::kJson, "nope"),
              HasSubstr("join one with vk-bridge join NAME --kubeconfig FILE"));
  for (const char* filter : {"demo/none", "/", "demo/", "/web-1", "demo/web-1/x"}) {
    EXPECT_THAT(render(sample(), StatusFormat::kTable, filter),
                HasSubstr("error: no pod " + std::string(filter) + " is known here"));
  }
}

TEST(StatusJson, HoldsEverythingUnderItsFixedNames) {
  StatusData data = sample();
  data.pods[1].last_error = "why";
  EXPECT_EQ(Json::parse(render(data, StatusFormat::kJson)), Json::parse(R"({
    "bridge": {"running": true, "pid": 123, "stateDir": "/var/lib/vk-bridge"},
    "clusters": [
      {"name": "cpu-us", "server": "https://cpu-us:6443", "targetId": "target-cpu-us",
       "state": "Unreachable", "reachable": false,
       "message": "connect to cpu-us:6443: connection refused", "since": "2026-11-22T07:29:24Z",
       "version": "v1.20.2", "nodesReady": 2, "nodesTotal": 3, "cpu": "12", "memory": "48Gi",
       "pods": "330", "podCount": 1, "leaving": false},
      {"name": "gpu-eu", "server": "https://gpu-eu:6443", "targetId": "target-gpu-eu",
       "state": "Ready", "reachable": true, "message": "", "since": "2026-11-22T07:29:24Z",
       "version": "v1.20.2", "nodesReady": 2, "nodesTotal": 3, "cpu": "12", "memory": "48Gi",
       "pods": "330", "podCount": 1, "leaving": false}],
    "pods": [
      {"namespace": "demo", "name": "job-7", "uid": "uid-job-7", "cluster": "cpu-us",
       "delegate": {"namespace": "", "name": "", "uid": ""}, "state": "Waiting",
       "phase": "Pending", "ready": false, "restarts": 0, "created": "2026-11-22T08:28:54Z",
       "node": "", "lagMs": null, "lastError": "why", "lastErrorAt": "2026-11-22T08:29:16Z"},
      {"namespace": "demo", "name": "web-1", "uid": "uid-web-1", "cluster": "gpu-eu",
       "delegate": {"namespace": "demo", "name": "web-1", "uid": "there-web-1"},
       "state": "Created", "phase": "Running", "ready": true, "restarts": 1,
       "created": "2026-11-22T08:24:12Z", "node": "worker-1", "lagMs": 12, "lastError": "",
       "lastErrorAt": null}]
  })"));
}

TEST(StatusJson, NeverClaimsReachabilityThatIsNotKnown) {
  const auto reachable = [](const StatusData& data) {
    return Json::parse(render(data, StatusFormat::kJson))["clusters"][0]["reachable"];
  };
  StatusData data = sample();
  const std::pair<const char*, Json> cases[] = {{"Ready", true},
                                                {"MassLoss", true},
                                                {"ClaimedElsewhere", true},
                                                {"Unreachable", false},
                                                {"Leaving", Json()},
                                                {"IdentityChanged", false},
                                                {"CredentialsRejected", false},
                                                {"Starting", Json()}};
  for (const auto& [state, expected] : cases) {
    data.clusters = {cluster("gpu-eu", state)};
    data.bridge_pid = 1;
    EXPECT_EQ(reachable(data), expected) << state;
    data.bridge_pid.reset();
    EXPECT_EQ(reachable(data), Json()) << state;
  }
  data.bridge_pid = 1;
  data.clusters[0].health.reset();
  EXPECT_EQ(reachable(data), Json());
}

TEST(StatusJson, ALeavingClusterSaysSoBeforeTheBridgeHasActed) {
  StatusData data = sample();
  data.clusters = {cluster("gpu-eu")};
  data.clusters[0].config.leaving = true;
  const Json json = Json::parse(render(data, StatusFormat::kJson));
  EXPECT_EQ(json["clusters"][0]["state"], "Leaving");
  EXPECT_EQ(json["clusters"][0]["leaving"], true);
}

TEST(StatusJson, SurvivesBytesThatAreNotUtf8) {
  StatusData data = sample();
  data.pods[1].last_error = "bad \xff byte";
  EXPECT_THAT(render(data, StatusFormat::kJson), HasSubstr("bad \xef\xbf\xbd byte"));
  EXPECT_THAT(render(data, StatusFormat::kYaml), HasSubstr("bad"));
}

TEST(StatusYaml, IsTheSameDocument) {
  StatusData data = sample();
  data.clusters.clear();
  data.pods = {pod("demo", "web-1", "gpu-eu")};
  EXPECT_EQ(render(data, StatusFormat::kYaml),
            "bridge:\n"
            "  pid: 123\n"
            "  running: true\n"
            "  stateDir: /var/lib/vk-bridge\n"
            "clusters: []\n"
            "pods:\n"
            "  - cluster: gpu-eu\n"
            "    created: \"2026-11-22T08:24:12Z\"\n"
            "    delegate:\n"
            "      name: web-1\n"
            "      namespace: demo\n"
            "      uid: there-web-1\n"
            "    lagMs: 12\n"
            "    lastError: \"\"\n"
            "    lastErrorAt: null\n"
            "    name: web-1\n"
            "    namespace: demo\n"
            "    node: worker-1\n"
            "    phase: Running\n"
            "    ready: true\n"
            "    restarts: 1\n"
            "    state: Created\n"
            "    uid: uid-web-1\n");
}

TEST(StatusFormatName, IsOneOfFour) {
  EXPECT_EQ(parseStatusFormat("table"), StatusFormat::kTable);
  EXPECT_EQ(parseStatusFormat("wide"), StatusFormat::kWide);
  EXPECT_EQ(parseStatusFormat("json"), StatusFormat::kJson);
  EXPECT_EQ(parseStatusFormat("yaml"), StatusFormat::kYaml);
  EXPECT_EQ(parseStatusFormat("name"), std::nullopt);
}

TEST(JoinHealth, PairsByNameAndDropsWhatLeft) {
  state::ClusterConfig a, b;
  a.name = "a";
  b.name = "b";
  state::ClusterHealth of_b, of_gone;
  of_b.name = "b";
  of_gone.name = "gone";
  const auto joined = joinHealth({a, b}, {of_b, of_gone});
  ASSERT_EQ(joined.size(), 2U);
  EXPECT_FALSE(joined[0].health);
  EXPECT_EQ(joined[1].health->name, "b");
}

}  // namespace
}  // namespace vkb::cli
