// vk-mock-node, the program, as nodes of a real cluster.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/clock.h"
#include "base/executor.h"
#include "json/json.h"
#include "kube/informer.h"
#include "kube/kubeconfig.h"
#include "kube/rest_client.h"

extern char** environ;

namespace vkb::mock {
namespace {

constexpr kube::Resource kServiceAccounts{"", "v1", "serviceaccounts", true};
/// All waits together stay below the limit of ctest, so that the test always cleans up after
/// itself.
constexpr std::chrono::seconds kPatience{20};

bool isReady(const Json& object) {
  const Json* entry = json::findBy(json::array(object, {"status", "conditions"}), "type", "Ready");
  return entry && json::str(*entry, "status") == "True";
}

/// The program; ended, and its nodes removed, with this at the latest.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (posix_spawn(&pid_, argv[0], nullptr, nullptr, argv.data(), environ) != 0) pid_ = 0;
  }
  ~Program() { terminate(); }
  /// Its exit code; -1 when it did not end by itself.
  int terminate() {
    if (pid_ == 0) return code_;
    kill(pid_, SIGTERM);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = 0;
  int code_ = -1;
};

/// A cache of one selection of objects that can be waited on.
class Seen {
 public:
  Seen(Runtime runtime, kube::Client& client, base::Logger& logger, const kube::Resource& resource,
       kube::ListOptions selection)
      : informer_(runtime, client, logger,
                  {.resource = resource, .list = std::move(selection), .name = "seen"}) {
    informer_.addHandler([this](const auto&, const auto&) {
      std::lock_guard lock(mutex_);
      changed_.notify_all();
    });
    informer_.start();
  }
  bool waitUntil(const std::function<bool(const std::vector<json::ObjectPtr>&)>& good) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return good(informer_.list()); });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  kube::Informer informer_;
};

class RealServerFleet : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("E2E_TARGET_KUBECONFIG");
    if (path == nullptr || *path == '\0') {
      GTEST_SKIP() << "set E2E_TARGET_KUBECONFIG to a cluster's admin kubeconfig";
    }
    kubeconfig_ = path;
    const auto access = kube::loadKubeconfig(path);
    ASSERT_TRUE(access) << access.error().message;
    auto client = kube::makeRestClient(
        *access, clock_, random_, logger_, metrics_,
        {.user_agent = "vk-bridge/test", .cluster = "c", .qps = 200, .burst = 200});
    ASSERT_TRUE(client) << client.error().message;
    client_ = std::move(*client);
    ASSERT_TRUE(client_->create(kube::kNamespaces, "", {{"metadata", {{"name", name_}}}}));
    Seen accounts(runtime(), *client_, logger_, kServiceAccounts, {.ns = name_});
    ASSERT_TRUE(accounts.waitUntil([](const auto& found) { return !found.empty(); }))
        << "pods are refused before the namespace's service account is made";
  }
  /// Whatever happened: neither nodes nor pods stay on a cluster that others test on.
  void TearDown() override {
    if (!client_) return;
    for (const auto& node : nodes_) (void)client_->remove(kube::kNodes, "", node, {});
    (void)client_->remove(kube::kNamespaces, "", name_, {});
  }
  Runtime runtime() { return {clock_, executor_, random_}; }
  Json pod(int i) const {
    return {{"metadata", {{"name", "p" + std::to_string(i)}}},
            {"spec",
             {{"nodeName", nodes_[static_cast<std::size_t>(i) % nodes_.size()]},
              {"containers", Json::array({{{"name", "c"}, {"image", "none:1"}}})}}}};
  }

  base::SystemClock clock_;
  base::SystemRandom random_;
  base::NullLogger logger_;
  base::Metrics metrics_;
  std::unique_ptr<kube::Client> client_;
  base::ThreadPoolExecutor executor_{8};
  std::string kubeconfig_;
  const std::string name_ = "vk-mock-" + std::to_string(std::random_device()() % 1'000'000);
  const std::vector<std::string> nodes_{name_ + "-0", name_ + "-1", name_ + "-2"};
};

TEST_F(RealServerFleet, ThreeNodesRunAHundredPodsLetThemGoAndAreGoneThemselves) {
  Seen nodes(runtime(), *client_, logger_, kube::kNodes,
             {.label_selector = "vk-mock-test=" + name_});
  Seen pods(runtime(), *client_, logger_, kube::kPods, {.ns = name_});
  Program program({VKB_MOCK_NODE, "--kubeconfig", kubeconfig_, "--nodes", "3", "--name-prefix",
                   name_, "--label", "vk-mock-test=" + name_, "--taint",
                   "vk-mock-test=" + name_ + ":NoSchedule", "--remove-nodes-at-exit"});
  const auto ready = [](std::size_t wanted) {
    return [wanted](const std::vector<json::ObjectPtr>& found) {
      return found.size() == wanted &&
             std::all_of(found.begin(), found.end(),
                         [](const auto& each) { return isReady(each->parse()); });
    };
  };
  ASSERT_TRUE(nodes.waitUntil(ready(3)));

  for (int i = 0; i < 100; ++i) {
    const auto made = client_->create(kube::kPods, name_, pod(i));
    ASSERT_TRUE(made) << made.error().message;
  }
  ASSERT_TRUE(pods.waitUntil(ready(100)));
  ASSERT_TRUE(pods.waitUntil([](const auto& found) {
    return std::all_of(found.begin(), found.end(), [](const auto& each) {
      return json::str(each->parse(), {"status", "phase"}) == "Running";
    });
  }));

  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(client_->remove(kube::kPods, name_, "p" + std::to_string(i), {}));
  }
  EXPECT_TRUE(pods.waitUntil([](const auto& found) { return found.empty(); }));

  EXPECT_EQ(program.terminate(), 0);
  for (const auto& node : nodes_) {
    const auto left = client_->get(kube::kNodes, "", node);
    ASSERT_TRUE(left) << left.error().message;
    EXPECT_FALSE(*left) << node;
  }
}

}  // namespace
}  // namespace vkb::mock
