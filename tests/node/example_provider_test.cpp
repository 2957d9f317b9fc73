// The example of include/vkbridge/README.md, which quotes it from mark to mark.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "json/json.h"
#include "kube/informer.h"
#include "memory_store.h"
#include "node/naive_node_provider.h"
#include "node/node_controller.h"
#include "node/pod_controller.h"
#include "node/polling_notifier.h"
#include "support/fake_cluster.h"

// [example]
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include "vkbridge/errors.h"
#include "vkbridge/provider.h"

/// Its pods run from the moment they are made until they are deleted.
class MapProvider final : public vkb::PodLifecycleHandler {
 public:
  vkb::Result<vkb::PodPlace> placePod(const vkb::Json& pod) override {
    return vkb::PodPlace{pod.at("metadata").at("namespace"), pod.at("metadata").at("name")};
  }
  std::string inputsHash(const vkb::Json& pod) override { return pod.at("spec").dump(); }
  vkb::Result<vkb::ProviderPod> createPod(const vkb::Json& pod,
                                          const vkb::PodRecord& record) override {
    std::lock_guard lock(mutex_);
    const vkb::ProviderPod made{.ownership = vkb::ProviderPod::Ownership::kMine,
                                .place = {record.place_ns, record.place_name},
                                .uid = "map-" + record.uid,
                                .home_uid = record.uid,
                                .home_ns = record.ns,
                                .home_name = record.name,
                                .inputs_hash = inputsHash(pod)};
    return pods_.try_emplace(record.uid, made).first->second;  // asked twice: one pod
  }
  vkb::Result<void> updatePod(const vkb::Json& pod, const vkb::PodRecord& record) override {
    std::lock_guard lock(mutex_);
    const auto found = pods_.find(record.uid);
    if (found == pods_.end()) return vkb::failure(vkb::errors::retryable("the pod is gone"));
    found->second.inputs_hash = inputsHash(pod);
    return {};
  }
  vkb::Result<void> deletePod(const vkb::PodRecord& record, std::optional<std::int64_t>) override {
    std::lock_guard lock(mutex_);
    pods_.erase(record.uid);
    return {};
  }
  vkb::ProviderPod peekPod(const vkb::Json*, const std::string& home_uid,
                           const vkb::PodRecord*) override {
    std::lock_guard lock(mutex_);
    const auto found = pods_.find(home_uid);
    return found == pods_.end() ? vkb::ProviderPod{} : found->second;
  }
  vkb::Result<vkb::ProviderPod> getPod(const vkb::PodRecord& record) override {
    return peekPod(nullptr, record.uid, &record);
  }
  vkb::Result<vkb::Json> getPodStatus(const vkb::Json& pod, const vkb::PodRecord&) override {
    const vkb::Json ready{{"type", "Ready"}, {"status", "True"}};
    vkb::Json status{{"phase", "Running"}, {"conditions", vkb::Json::array({ready})}};
    for (const auto& container : pod.at("spec").at("containers")) {
      status["containerStatuses"].push_back({{"name", container.at("name")}, {"ready", true}});
    }
    return status;
  }
  std::vector<vkb::ProviderPod> getPods() override {
    std::lock_guard lock(mutex_);
    std::vector<vkb::ProviderPod> all;
    for (const auto& [uid, pod] : pods_) all.push_back(pod);
    return all;
  }
  void forgetPod(const vkb::PodRecord&) override {}
  std::string podNode(const vkb::PodRecord&) override { return ""; }

 private:
  std::mutex mutex_;
  std::map<std::string, vkb::ProviderPod> pods_;  ///< by home UID
};
// [example]

namespace vkb::node {
namespace {

using std::chrono::seconds;

class ExampleProvider : public ::testing::Test {
 protected:
  ExampleProvider() {
    EXPECT_TRUE(pods_.start());
    node_.start();
    informer_.start();
    rt_.settle();
    pods_.setProviderState(ProviderState::kReady, "");
    node_.setState(ProviderState::kReady, "");
    rt_.advance(seconds(5));
  }
  ~ExampleProvider() override {
    node_.stop();
    pods_.stop();
    poller_.stop();
  }

  test::FakeRuntime rt_;
  test::FakeCluster home_{rt_};
  std::unique_ptr<kube::Client> client_ = home_.client("example");
  base::NullLogger logger_;
  base::Metrics metrics_;
  test::MemoryStore store_;
  kube::EventRecorder events_{rt_.runtime(), *client_, logger_, "example", "map"};
  kube::Informer informer_{rt_.runtime(),
                           *client_,
                           logger_,
                           {.resource = kube::kPods,
                            .list = {.field_selector = "spec.nodeName=map"},
                            .name = "home pods"}};
  MapProvider provider_;
  PollingNotifier poller_{rt_.runtime(), provider_};
  NaiveNodeProvider node_provider_{
      {{"metadata", {{"labels", {{"type", "virtual-kubelet"}}}}},
       {"status", {{"capacity", {{"pods", "10"}}}, {"allocatable", {{"pods", "10"}}}}}}};
  PodController pods_{
      {rt_.runtime(), *client_, informer_, poller_, poller_, store_, events_, logger_, metrics_},
      {.node = "map"}};
  NodeController node_{{rt_.runtime(), *client_, node_provider_, logger_, metrics_},
                       {.node = "map", .provider_id = "map://1"}};
};

TEST_F(ExampleProvider, MakesRunsAndDeletesAPodOnItsNode) {
  const auto node = home_.find(kube::kNodes, "", "map");
  ASSERT_TRUE(node);
  EXPECT_EQ(json::str(node->json(), {"status", "allocatable", "pods"}), "10");

  home_.addPod({{"metadata", {{"name", "web"}}},
                {"spec",
                 {{"nodeName", "map"},
                  {"containers", Json::array({{{"name", "c"}, {"image", "app:1"}}})}}}});
  rt_.advance(seconds(5));
  EXPECT_EQ(provider_.getPods().size(), 1u);
  const Json shown = home_.findPod("default", "web")->json();
  EXPECT_EQ(json::str(shown, {"status", "phase"}), "Running");

  ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "web", {}));
  rt_.advance(seconds(5));
  EXPECT_FALSE(home_.findPod("default", "web"));
  EXPECT_TRUE(provider_.getPods().empty());
  EXPECT_EQ(store_.size(), 0u);
}

std::string contentsOf(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(std::string(VKB_SOURCE_DIR) + "/" + path).rdbuf();
  return text.str();
}

/// What stands between two marks, each on a line of its own.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const auto from = text.find("\n" + begin + "\n");
  if (from == std::string::npos) return "(no " + begin + ")";
  const auto start = from + begin.size() + 2;
  const auto to = text.find("\n" + end + "\n", start);
  return to == std::string::npos ? "(no " + end + ")" : text.substr(start, to - start);
}

TEST(ExampleProviderText, IsQuotedInTheGuideForProviderAuthors) {
  const std::string mark = "// [example]";
  const std::string code = between(contentsOf("tests/node/example_provider_test.cpp"), mark, mark);
  EXPECT_GT(code.size(), 1000u);
  EXPECT_EQ(between(contentsOf("include/vkbridge/README.md"), "```cpp", "```"), code);
}

}  // namespace
}  // namespace vkb::node
