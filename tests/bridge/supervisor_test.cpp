#include "bridge/supervisor.h"

#include <gmock/gmock.h>

#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "base/clock.h"
#include "base/executor.h"
#include "kube/identity.h"
#include "support/api_errors.h"
#include "two_clusters.h"

namespace vkb::bridge {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// One supervisor over a real state folder; the folder watch is the test, which calls reconcile().
class SupervisorTest : public TwoClusters {
 protected:
  SupervisorTest() {
    other_.addNode("worker-1");
    other_scheduler_.runAutomatically();
    other_kubelet_.runAutomatically();
    targets_ = {{"t1", &target_}, {"t2", &other_}};
    start();
  }
  ~SupervisorTest() override { supervisor_.reset(); }

  void start() {
    supervisor_ = std::make_unique<Supervisor>(
        Supervisor::Deps{.runtime = runtime_.runtime(),
                         .folder = *folder_,
                         .database = *database_,
                         .connect_home = [this]() -> Result<std::unique_ptr<kube::Client>> {
                           return home_.client(kBridge);
                         },
                         .connect_target = [this](const auto& config) { return connect(config); },
                         .logger = logger_,
                         .metrics = metrics_},
        Supervisor::Options{.home_id = home_.clusterId(),
                            .installation_id = "installation-1",
                            .host_ip = "192.0.2.9"});
  }
  Result<Supervisor::Target> connect(const state::ClusterConfig& config) {
    ++connects_[config.name];
    if (broken_.contains(config.name)) return invalid("the kubeconfig is empty");
    test::FakeCluster& cluster = *targets_.at(config.name);
    auto guard = std::make_unique<kube::IdentityGuard>(cluster.client(kBridge), config.target_id);
    const kube::IdentityGuard* identity = guard.get();
    return Supervisor::Target{.client = std::move(guard), .identity_differs = [identity] {
                                return identity->identityDiffers();
                              }};
  }
  void join(const std::string& name, const std::string& kubeconfig = "token: 1",
            state::ClusterOptions options = {}) {
    state::ClusterConfig config;
    config.name = name;
    config.target_id = targets_.at(name)->clusterId();
    config.options = std::move(options);
    ASSERT_TRUE(folder_->writeCluster(config, kubeconfig));
  }
  void askToLeave(const std::string& name, bool forget_target = false) {
    auto config = folder_->cluster(name);
    ASSERT_TRUE(config && *config);
    (*config)->leaving = true;
    (*config)->forget_target = forget_target;
    ASSERT_TRUE(folder_->writeConfig(**config));
  }
  void reconcile() {
    ASSERT_TRUE(supervisor_->reconcile());
    runtime_.advance(seconds(3));
  }
  bool isJoined(const std::string& name) const {
    const auto config = folder_->cluster(name);
    return config && *config;
  }
  state::ClusterHealth health(const std::string& name) {
    const auto loaded = database_->loadHealth();
    for (const auto& cluster : *loaded) {
      if (cluster.name == name) return cluster;
    }
    return {};
  }

  test::FakeCluster other_{runtime_, {.name = "other", .seed = 13}};
  test::FakeScheduler other_scheduler_{other_};
  test::FakeKubelet other_kubelet_{other_, "worker-1"};
  std::map<std::string, test::FakeCluster*> targets_;
  std::map<std::string, int> connects_;
  std::set<std::string> broken_;
  std::unique_ptr<Supervisor> supervisor_;
};

TEST_F(SupervisorTest, AClusterThatIsJoinedWhileItRunsIsServed) {
  join("t1");
  reconcile();
  addHomePod("a");
  runtime_.advance(seconds(3));
  const auto since = mark(home_);
  join("t2");
  reconcile();
  addHomePod("b", "t2");
  runtime_.advance(seconds(3));
  EXPECT_EQ(supervisor_->serving(), 2U);
  EXPECT_EQ(phaseOf(homePod("b")), "Running");
  EXPECT_FALSE(other_.findPod("work", "b") == nullptr);
  EXPECT_TRUE(delegate("b").is_null());
  EXPECT_EQ(connects_["t1"], 1) << "the other cluster is not disturbed";
  EXPECT_THAT(writes(home_, since, "pods"), ::testing::Each(HasSubstr("work/b")));
  EXPECT_EQ(health("t2").state, "Ready");
}

TEST_F(SupervisorTest, WhatHomeHasOfSecretsAndConfigMapsIsWatchedOnceForAllClusters) {
  join("t1");
  reconcile();
  EXPECT_EQ(home_.openWatches(kBridge), 4U) << "pods and node; config maps and secrets";
  join("t2");
  reconcile();
  EXPECT_EQ(home_.openWatches(kBridge), 6U);
  askToLeave("t1");
  askToLeave("t2");
  reconcile();
  reconcile();
  EXPECT_EQ(supervisor_->serving(), 0U);
  EXPECT_EQ(home_.openWatches(kBridge), 0U);
  join("t2", "token: 2");
  reconcile();
  EXPECT_EQ(home_.openWatches(kBridge), 4U);
}

TEST_F(SupervisorTest, ReconcilingWithoutAChangeDoesNothing) {
  join("t1");
  reconcile();
  const auto since = mark(home_);
  for (int i = 0; i < 5; ++i) reconcile();
  EXPECT_EQ(connects_["t1"], 1);
  EXPECT_THAT(writes(home_, since, "nodes"), IsEmpty());
}

TEST_F(SupervisorTest, NewCredentialsRestartTheConnectionAndTouchNoPod) {
  join("t1");
  reconcile();
  for (const char* name : {"a", "b"}) addHomePod(name);
  runtime_.advance(seconds(3));
  const auto home_since = mark(home_), target_since = mark(target_);
  join("t1", "token: 2");
  reconcile();
  runtime_.advance(minutes(1));
  EXPECT_EQ(connects_["t1"], 2);
  EXPECT_EQ(supervisor_->serving(), 1U);
  EXPECT_THAT(writes(target_, target_since, "pods"), IsEmpty());
  EXPECT_THAT(writes(home_, home_since, "pods"), IsEmpty());
  for (std::size_t i = home_since; i < home_.history().size(); ++i) {
    const test::Change& change = home_.history()[i];
    if (change.resource != "nodes") continue;
    ASSERT_TRUE(change.after);
    EXPECT_THAT(condition(change.after->json(), "Ready"), HasSubstr("True"));
  }
  // And it is served by the new one.
  addHomePod("c");
  runtime_.advance(seconds(3));
  EXPECT_EQ(phaseOf(homePod("c")), "Running");
}

TEST_F(SupervisorTest, NewOptionsAreActedBy) {
  target_.addNamespace("work");
  join("t1");
  reconcile();
  addHomePod("a");
  runtime_.advance(seconds(3));
  EXPECT_TRUE(delegate("a").is_null());
  join("t1", "token: 1", {.allow_namespaces = {"work"}});
  reconcile();
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
}

TEST_F(SupervisorTest, AClusterThatCannotStartIsItsOwnTroubleAndTriedAgain) {
  broken_ = {"t1"};
  join("t1");
  join("t2");
  reconcile();
  addHomePod("b", "t2");
  runtime_.advance(seconds(3));
  EXPECT_EQ(phaseOf(homePod("b")), "Running");
  EXPECT_EQ(supervisor_->serving(), 1U);
  EXPECT_EQ(health("t1").state, "Starting");
  EXPECT_EQ(health("t1").message, "the kubeconfig is empty");
  broken_.clear();
  runtime_.advance(seconds(10));
  EXPECT_EQ(supervisor_->serving(), 2U);
  EXPECT_EQ(health("t1").state, "Ready");
  EXPECT_EQ(connects_["t2"], 1);
}

TEST_F(SupervisorTest, AClusterLeavesAndCanJoinAgain) {
  join("t1");
  reconcile();
  askToLeave("t1");
  reconcile();
  EXPECT_FALSE(isJoined("t1"));
  EXPECT_TRUE(node().is_null());
  EXPECT_EQ(health("t1").name, "");
  reconcile();
  EXPECT_EQ(supervisor_->serving(), 0U);
  join("t1");
  reconcile();
  EXPECT_EQ(supervisor_->serving(), 1U);
  EXPECT_FALSE(node().is_null());
  addHomePod("a");
  runtime_.advance(seconds(3));
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
}

TEST_F(SupervisorTest, OneThatLeftIsServedAnewEvenIfNobodyLookedInBetween) {
  join("t1");
  reconcile();
  askToLeave("t1");
  reconcile();
  ASSERT_FALSE(isJoined("t1"));
  join("t1");
  askToLeave("t1");
  reconcile();
  EXPECT_FALSE(isJoined("t1")) << "the new one leaves as well";
}

TEST_F(SupervisorTest, JoiningWhileItLeavesKeepsIt) {
  join("t1");
  reconcile();
  addHomePod("a");
  runtime_.advance(seconds(3));
  askToLeave("t1");
  reconcile();
  EXPECT_EQ(health("t1").state, "Leaving");
  join("t1");
  reconcile();
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a", {}));
  runtime_.advance(minutes(1));
  EXPECT_TRUE(isJoined("t1"));
  EXPECT_FALSE(node().is_null());
  EXPECT_EQ(health("t1").state, "Ready");
}

TEST_F(SupervisorTest, AJoinThatComesAtTheLastMomentOfLeavingIsNotForgotten) {
  join("t1");
  reconcile();
  askToLeave("t1");
  home_.beforeRequest = [this](const test::Request& request) {
    if (request.verb == "delete" && request.resource == "nodes") join("t1", "token: 2");
  };
  reconcile();
  home_.beforeRequest = nullptr;
  EXPECT_TRUE(isJoined("t1"));
  reconcile();
  EXPECT_FALSE(node().is_null());
  EXPECT_EQ(supervisor_->serving(), 1U);
}

TEST_F(SupervisorTest, LeavingGoesOnAfterARestart) {
  join("t1");
  reconcile();
  addHomePod("a");
  runtime_.advance(seconds(3));
  askToLeave("t1");
  reconcile();
  start();
  addHomePod("late");
  reconcile();
  EXPECT_TRUE(delegate("late").is_null());
  EXPECT_TRUE(isJoined("t1"));
  for (const char* name : {"a", "late"}) {
    ASSERT_TRUE(home_.remove("user", kube::kPods, "work", name, {}));
  }
  runtime_.advance(seconds(10));
  EXPECT_FALSE(isJoined("t1"));
  EXPECT_TRUE(delegate("a").is_null());
}

TEST_F(SupervisorTest, ALeaveThatWaitsForADeadTargetCanBeForced) {
  join("t1");
  reconcile();
  addHomePod("a");
  runtime_.advance(seconds(3));
  target_.setDown(true);
  askToLeave("t1");
  reconcile();
  runtime_.advance(minutes(1));
  EXPECT_TRUE(isJoined("t1"));
  askToLeave("t1", true);
  reconcile();
  runtime_.advance(seconds(30));
  EXPECT_FALSE(isJoined("t1"));
  EXPECT_TRUE(homePod("a").is_null());
  EXPECT_TRUE(node().is_null());
}

TEST_F(SupervisorTest, OneDeadTargetStopsNothingOfTheOther) {
  join("t1");
  join("t2");
  reconcile();
  target_.setDown(true);
  runtime_.advance(minutes(1));
  addHomePod("b", "t2");
  runtime_.advance(seconds(3));
  EXPECT_EQ(phaseOf(homePod("b")), "Running");
  EXPECT_EQ(condition(node("t1"), "Ready"), "False TargetUnreachable");
  EXPECT_EQ(condition(node("t2"), "Ready").substr(0, 4), "True");
}

TEST_F(SupervisorTest, AStopLeavesEverythingAsItIsAndNothingStartsAfterwards) {
  join("t1");
  reconcile();
  addHomePod("a");
  runtime_.executor.runOne();
  join("t2");
  supervisor_->stop();
  const auto home_since = mark(home_), target_since = mark(target_);
  EXPECT_TRUE(supervisor_->reconcile());
  runtime_.advance(minutes(5));
  EXPECT_EQ(supervisor_->serving(), 0U);
  EXPECT_THAT(writes(home_, home_since, "nodes"), IsEmpty());
  EXPECT_THAT(writes(home_, home_since, "pods"), IsEmpty());
  EXPECT_THAT(writes(target_, target_since, "pods"), IsEmpty());
  EXPECT_FALSE(node().is_null());
}

/// Every request fails after a while that the test decides; calls come from many threads.
class SlowClient final : public kube::Client {
 public:
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    int waiting = 0;
    bool open = false;
    void pass() {
      std::unique_lock lock(mutex);
      ++waiting;
      changed.notify_all();
      changed.wait(lock, [this] { return open; });
    }
    void awaitWaiting(int count) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return waiting >= count; });
    }
    void letAllPass() {
      const std::lock_guard lock(mutex);
      open = true;
      changed.notify_all();
    }
  };
  explicit SlowClient(Gate& gate) : gate_(gate) {}

  Result<std::optional<Json>> get(const kube::Resource&, const std::string&,
                                  const std::string&) override {
    return fail();
  }
  Result<json::RawList> list(const kube::Resource&, const kube::ListOptions&) override {
    return fail();
  }
  Result<std::string> getRaw(const std::string&) override { return fail(); }
  Result<json::ObjectPtr> create(const kube::Resource&, const std::string&, const Json&,
                                 const std::string&, const std::string&) override {
    return fail();
  }
  Result<json::ObjectPtr> patch(const kube::Resource&, const std::string&, const std::string&,
                                kube::PatchType, const Json&, const std::string&) override {
    return fail();
  }
  Result<json::ObjectPtr> update(const kube::Resource&, const std::string&, const std::string&,
                                 const Json&) override {
    return fail();
  }
  Result<void> remove(const kube::Resource&, const std::string&, const std::string&,
                      const kube::DeleteOptions&) override {
    return fail();
  }
  std::unique_ptr<kube::WatchHandle> watch(const kube::Resource&, const kube::WatchOptions&,
                                           kube::WatchHandler&) override {
    return nullptr;  // nothing was ever listed
  }

 private:
  tl::unexpected<Status> fail() {
    gate_.pass();
    return failure(test::unreachable());
  }
  Gate& gate_;
};

TEST(SupervisorThreads, AStopWaitsForRequestsUnderWayAndReturns) {
  const std::filesystem::path temp = makeTempFolder();
  auto folder = state::StateFolder::open(temp / "state");
  ASSERT_TRUE(folder);
  auto database = state::Database::open(*folder);
  ASSERT_TRUE(database);
  base::SystemClock clock;
  base::SystemRandom random;
  base::ThreadPoolExecutor executor(64);
  base::NullLogger logger;
  base::Metrics metrics;
  SlowClient::Gate gate;
  {
    Supervisor supervisor({.runtime = {clock, executor, random},
                           .folder = *folder,
                           .database = **database,
                           .connect_home = [&]() -> Result<std::unique_ptr<kube::Client>> {
                             return std::make_unique<SlowClient>(gate);
                           },
                           .connect_target = [&](const auto&) -> Result<Supervisor::Target> {
                             return Supervisor::Target{.client = std::make_unique<SlowClient>(gate),
                                                       .identity_differs = [] { return false; }};
                           },
                           .logger = logger,
                           .metrics = metrics},
                          {.home_id = "home-1", .installation_id = "i", .host_ip = ""});
    for (const char* name : {"t1", "t2", "t3"}) {
      state::ClusterConfig config;
      config.name = config.target_id = name;
      ASSERT_TRUE(folder->writeCluster(config, "token: 1"));
    }
    ASSERT_TRUE(supervisor.reconcile());
    gate.awaitWaiting(12);  // node, its list, home pods, ping, target lists of three clusters
    auto stopped = std::async(std::launch::async, [&] { supervisor.stop(); });
    gate.letAllPass();
    ASSERT_EQ(stopped.wait_for(seconds(60)), std::future_status::ready);
    EXPECT_EQ(supervisor.serving(), 0U);
  }
  executor.stop();
  std::filesystem::remove_all(temp);
}

}  // namespace
}  // namespace vkb::bridge
