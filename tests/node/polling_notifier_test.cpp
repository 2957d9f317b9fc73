#include "node/polling_notifier.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_provider.h"
#include "node/naive_node_provider.h"
#include "support/fake_runtime.h"

namespace vkb::node {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Told = std::vector<std::string>;

/// The calls of a controller are made by hand here; what it does with them: pod_lifecycle_test.cpp.
class PollingNotifierTest : public ::testing::Test {
 protected:
  void begin() {
    poller_.notifyPods([this](const std::string& uid) { told_.push_back(uid); });
  }
  Json pod(const std::string& name) const {
    return {{"metadata", {{"name", name}, {"namespace", "default"}, {"uid", name}}},
            {"spec", {{"nodeName", "gpu"}}}};
  }
  PodRecord record(const std::string& name) const {
    PodRecord result;
    result.uid = name;
    result.ns = result.place_ns = "default";
    result.name = result.place_name = name;
    return result;
  }
  void create(const std::string& name) { ASSERT_TRUE(poller_.createPod(pod(name), record(name))); }
  /// What a turn reads of a pod that exists.
  void look(const std::string& name) {
    const Json home = pod(name);
    const PodRecord known = record(name);
    if (poller_.peekPod(&home, name, &known).ownership == ProviderPod::Ownership::kMine) {
      ASSERT_TRUE(poller_.getPodStatus(home, known));
    }
  }
  Told next() {
    told_.clear();
    rt_.advance(seconds(5));
    return told_;
  }

  test::FakeRuntime rt_;
  test::FakeProvider provider_{rt_.clock};
  PollingNotifier poller_{rt_.runtime(), provider_};
  Told told_;
};

TEST_F(PollingNotifierTest, OnlyPodsThatChangedAreTold) {
  begin();
  for (const char* name : {"a", "b"}) {
    create(name);
    look(name);
  }
  EXPECT_EQ(next(), Told{});
  provider_.run("b");
  EXPECT_EQ(next(), Told{"b"});
  EXPECT_EQ(next(), Told{}) << "once, though nobody looked";
}

TEST_F(PollingNotifierTest, APodThatGoesIsToldOnce) {
  begin();
  create("a");
  look("a");
  provider_.pods.erase("a");
  EXPECT_EQ(next(), Told{"a"});
  look("a");
  EXPECT_EQ(next(), Told{});
}

TEST_F(PollingNotifierTest, APodThatIsBeingDeletedIsTold) {
  begin();
  create("a");
  look("a");
  provider_.pods.at("a").pod.deleting = true;
  EXPECT_EQ(next(), Told{"a"});
}

TEST_F(PollingNotifierTest, APodThatWasMadeAndWentBetweenTwoPollsIsTold) {
  begin();
  look("a");
  ASSERT_EQ(next(), Told{});
  create("a");
  provider_.pods.erase("a");
  EXPECT_EQ(next(), Told{"a"});
}

TEST_F(PollingNotifierTest, AChangeThatWasSeenAndThenUndoneIsTold) {
  begin();
  create("a");
  look("a");
  ASSERT_EQ(next(), Told{});
  const Json before = provider_.pods.at("a").status;
  provider_.run("a");
  look("a");
  provider_.setStatus("a", before);
  EXPECT_EQ(next(), Told{"a"});
}

TEST_F(PollingNotifierTest, APodThatNobodyAskedAboutIsTold) {
  begin();
  provider_.createPod(pod("a"), record("a"));
  EXPECT_EQ(next(), Told{"a"});
  EXPECT_EQ(next(), Told{});
}

TEST_F(PollingNotifierTest, AForgottenPodIsNotAskedAboutAnyMore) {
  begin();
  create("a");
  look("a");
  provider_.pods.erase("a");
  poller_.forgetPod(record("a"));
  EXPECT_EQ(next(), Told{});
}

/// A provider whose every listing takes a while.
class SlowProvider final : public PodLifecycleHandler {
 public:
  explicit SlowProvider(test::FakeRuntime& rt) : rt_(rt) {}
  std::vector<ProviderPod> getPods() override {
    if (++polls > 50) return {};
    most_at_once = std::max(++at_once_, most_at_once);
    rt_.clock.advance(seconds(7));
    while (rt_.executor.runOne()) {
    }
    --at_once_;
    return {};
  }
  Result<PodPlace> placePod(const Json&) override { return PodPlace{}; }
  std::string inputsHash(const Json&) override { return ""; }
  Result<ProviderPod> createPod(const Json&, const PodRecord&) override { return ProviderPod{}; }
  Result<void> updatePod(const Json&, const PodRecord&) override { return {}; }
  Result<void> deletePod(const PodRecord&, std::optional<std::int64_t>) override { return {}; }
  ProviderPod peekPod(const Json*, const std::string&, const PodRecord*) override { return {}; }
  Result<ProviderPod> getPod(const PodRecord&) override { return ProviderPod{}; }
  Result<Json> getPodStatus(const Json&, const PodRecord&) override { return Json::object(); }
  void forgetPod(const PodRecord&) override {}
  std::string podNode(const PodRecord&) override { return ""; }

  int polls = 0, most_at_once = 0;

 private:
  test::FakeRuntime& rt_;
  int at_once_ = 0;
};

TEST(PollingASlowProvider, NeverOverlapsAndLeavesItItsRest) {
  test::FakeRuntime rt;
  SlowProvider provider(rt);
  PollingNotifier poller(rt.runtime(), provider);
  poller.notifyPods([](const std::string&) {});
  const TimePoint end = rt.clock.now() + seconds(60);
  while (rt.clock.now() < end) {
    rt.clock.advance(seconds(1));
    rt.settle();
  }
  EXPECT_EQ(provider.most_at_once, 1);
  EXPECT_GE(provider.polls, 4);
  EXPECT_LE(provider.polls, 6) << "one in 12 s: 7 s of work, 5 s of rest";
}

TEST(PollingNotifierStop, EndsThePolls) {
  test::FakeRuntime rt;
  SlowProvider provider(rt);
  PollingNotifier poller(rt.runtime(), provider);
  poller.notifyPods([](const std::string&) {});
  rt.clock.advance(seconds(5));
  rt.settle();
  ASSERT_EQ(provider.polls, 1);
  poller.stop();
  rt.advance(minutes(10));
  EXPECT_EQ(provider.polls, 1);
}

TEST(NaiveNodeProvider, IsAlwaysWellAndAlwaysTheSame) {
  const Json node{{"status", {{"capacity", {{"cpu", "8"}}}}}};
  NaiveNodeProvider naive(node);
  EXPECT_TRUE(naive.ping());
  EXPECT_EQ(naive.node(), node);
}

}  // namespace
}  // namespace vkb::node
