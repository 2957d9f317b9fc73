#include "kube/informer.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/fake_cluster.h"

namespace vkb::kube {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class InformerTest : public ::testing::Test {
 protected:
  std::unique_ptr<Informer> make(ListOptions list = {}) {
    auto informer = std::make_unique<Informer>(
        runtime_.runtime(), *client_, logger_,
        ReflectorOptions{.resource = kPods, .list = std::move(list), .name = "pods"});
    informer->addHandler(
        [this, it = informer.get()](const json::ObjectPtr& before, const json::ObjectPtr& after) {
          const json::ObjectPtr& object = after ? after : before;
          calls_.push_back((!before ? "+" : !after ? "-" : "~") + object->key());
          // The store already holds what the handler is told.
          const json::ObjectPtr held = it->get(object->ns, object->name);
          if (after) {
            EXPECT_EQ(held->uid, after->uid);
          }
          if (!after && held) {
            EXPECT_NE(held->uid, before->uid);
          }
        });
    return informer;
  }
  /// The server is away for a while, and what happened meanwhile is told by a list.
  void relistAfter(const std::function<void()>& change) {
    calls_.clear();
    cluster_.setDown(true);
    runtime_.settle();
    change();
    cluster_.compact();
    cluster_.setDown(false);
    runtime_.advance(1min);
  }
  void addPod(const std::string& name, const Json& labels = Json::object()) {
    cluster_.addPod({{"metadata", {{"name", name}, {"labels", labels}}}});
  }
  void removePod(const std::string& name) {
    ASSERT_TRUE(cluster_.remove("user", kPods, "default", name, {.grace_period_seconds = 0}));
  }

  test::FakeRuntime runtime_;
  test::FakeCluster cluster_{runtime_};
  std::unique_ptr<Client> client_ = cluster_.client("bridge");
  base::NullLogger logger_;
  std::vector<std::string> calls_;
};

TEST_F(InformerTest, HoldsWhatTheServerHolds) {
  addPod("a");
  const auto informer = make();
  bool synced = false;
  informer->whenSynced([&] { synced = true; });
  EXPECT_FALSE(informer->hasSynced());
  informer->start();
  runtime_.settle();
  EXPECT_TRUE(synced);
  EXPECT_TRUE(informer->hasSynced());
  EXPECT_TRUE(informer->isHealthy());
  EXPECT_EQ(informer->size(), 1u);
  const auto pod = informer->get("default", "a");
  ASSERT_TRUE(pod);
  EXPECT_EQ(informer->byUid(pod->uid), pod);
  EXPECT_EQ(informer->versionOf(pod->uid), pod->resource_version);
  EXPECT_EQ(informer->versionOf("unknown"), "");
  EXPECT_THAT(informer->list(), ElementsAre(pod));
  EXPECT_FALSE(informer->get("default", "b"));
  bool at_once = false;
  informer->whenSynced([&] { at_once = true; });
  EXPECT_TRUE(at_once);
}

TEST_F(InformerTest, HandlersHearOfEveryChange) {
  addPod("a");
  const auto informer = make();
  informer->start();
  runtime_.settle();
  addPod("b");
  runtime_.settle();
  cluster_.edit(kPods, "default", "a", {{"metadata", {{"labels", {{"x", "y"}}}}}});
  runtime_.settle();
  const std::string uid = informer->get("default", "b")->uid;
  removePod("b");
  runtime_.settle();
  EXPECT_EQ(calls_.front(), "+default/a");
  EXPECT_EQ(calls_.back(), "-default/b");
  EXPECT_THAT(calls_, testing::Contains("~default/a"));
  EXPECT_FALSE(informer->byUid(uid));
}

TEST_F(InformerTest, ARelistTellsOnlyWhatIsDifferent) {
  addPod("stays");
  addPod("goes");
  const auto informer = make();
  informer->start();
  runtime_.settle();
  calls_.clear();
  cluster_.setDown(true);
  runtime_.settle();
  EXPECT_FALSE(informer->isHealthy());
  EXPECT_TRUE(informer->isBehind());
  EXPECT_TRUE(informer->hasSynced());
  removePod("goes");
  addPod("comes");
  cluster_.compact();
  cluster_.setDown(false);
  runtime_.advance(1min);
  EXPECT_THAT(calls_, UnorderedElementsAre("-default/goes", "+default/comes"));
  EXPECT_TRUE(informer->isHealthy());
}

TEST_F(InformerTest, AWatchThatBrokeIsBehindUntilItTellsSomething) {
  addPod("stays");
  const auto informer = make();
  informer->start();
  runtime_.settle();
  EXPECT_FALSE(informer->isBehind());
  cluster_.cutWatches("", 200);
  runtime_.settle();
  EXPECT_FALSE(informer->isBehind()) << "it ended in order, and told all it knew";
  cluster_.cutWatches();
  runtime_.advance(1min);
  EXPECT_TRUE(informer->isHealthy());
  EXPECT_TRUE(informer->isBehind()) << "connected again, and not a word yet";
  addPod("comes");
  runtime_.settle();
  EXPECT_FALSE(informer->isBehind());
}

TEST_F(InformerTest, ARelistTellsNothingOfObjectsThatAreTheSame) {
  addPod("stays");
  addPod("goes");
  const auto informer = make();
  informer->start();
  runtime_.settle();
  const json::ObjectPtr before = informer->get("default", "stays");
  relistAfter([&] { removePod("goes"); });
  EXPECT_EQ(informer->size(), 1u);
  EXPECT_EQ(informer->get("default", "stays")->raw, before->raw);
  EXPECT_THAT(calls_, ElementsAre("-default/goes"));
}

TEST_F(InformerTest, AnOldVersionsNumberWithOtherContentIsAChange) {
  addPod("a");
  const auto relabel = [&](const std::string& value) {
    const Json patch = {{"metadata", {{"labels", {{"x", value}}}}}};
    ASSERT_TRUE(cluster_.patch("user", kPods, "default", "a", PatchType::kMerge, patch, ""));
  };
  const auto informer = make();
  informer->start();
  runtime_.settle();
  const auto backup = cluster_.snapshot();
  relabel("lost");
  runtime_.settle();
  const json::ObjectPtr before = informer->get("default", "a");
  calls_.clear();
  cluster_.setDown(true);
  cluster_.restore(*backup);
  relabel("new");
  addPod("b");
  cluster_.compact();
  cluster_.setDown(false);
  runtime_.advance(1min);
  const json::ObjectPtr after = informer->get("default", "a");
  ASSERT_EQ(after->resource_version, before->resource_version);
  EXPECT_NE(after->raw.find("\"new\""), std::string::npos) << after->raw;
  EXPECT_THAT(calls_, UnorderedElementsAre("~default/a", "+default/b"));
}

TEST_F(InformerTest, ANameThatPassedToAnotherUidIsOneGoneAndOneNew) {
  addPod("a");
  const auto informer = make();
  informer->start();
  runtime_.settle();
  const std::string old_uid = informer->get("default", "a")->uid;
  relistAfter([&] {
    removePod("a");
    addPod("a");
  });
  EXPECT_THAT(calls_, ElementsAre("-default/a", "+default/a"));
  EXPECT_FALSE(informer->byUid(old_uid));
  EXPECT_TRUE(informer->byUid(informer->get("default", "a")->uid));
}

TEST_F(InformerTest, ASelectorLosesWhatItsLabelsLose) {
  addPod("a", {{"app", "x"}});
  addPod("b", {{"app", "y"}});
  const auto informer = make({.label_selector = "app=x"});
  informer->start();
  runtime_.settle();
  EXPECT_THAT(calls_, ElementsAre("+default/a"));
  cluster_.edit(kPods, "default", "a", {{"metadata", {{"labels", {{"app", "z"}}}}}});
  runtime_.settle();
  EXPECT_THAT(informer->list(), IsEmpty());
  EXPECT_EQ(calls_.back(), "-default/a");
}

TEST_F(InformerTest, StopFromWithinAHandlerIsNoDeadlock) {
  const auto informer = make();
  informer->addHandler([&](const json::ObjectPtr&, const json::ObjectPtr&) { informer->stop(); });
  informer->start();
  runtime_.settle();
  addPod("a");
  addPod("b");
  runtime_.advance(1h);
  EXPECT_THAT(calls_, ElementsAre("+default/a"));
}

/// More than the cache leaves as they came, and each large enough.
constexpr int kMany = 1.5 * ComingToRest::kWhole;
Json manyLabels(int i) {
  Json labels{{"app", std::to_string(i)}};
  for (int k = 0; k < 30; ++k) labels["label-" + std::to_string(k)] = "value of some length";
  return labels;
}

TEST_F(InformerTest, OfManyObjectsEachIsHandedOutWhole) {
  const auto informer = make();
  informer->start();
  runtime_.settle();
  for (int i = 0; i < kMany; ++i) addPod("p" + std::to_string(i), manyLabels(i));
  runtime_.settle();
  ASSERT_EQ(informer->size(), static_cast<std::size_t>(kMany));
  EXPECT_EQ(informer->uids().size(), static_cast<std::size_t>(kMany));
  EXPECT_NE(informer->get("default", "p0"), informer->get("default", "p0")) << "is not held packed";
  for (const int i : {kMany - int{ComingToRest::kWhole}, kMany - 1}) {
    const std::string late = "p" + std::to_string(i);
    EXPECT_EQ(informer->get("default", late), informer->get("default", late)) << late;
  }
  for (const json::ObjectPtr& pod : informer->list()) {
    EXPECT_EQ("p" + json::str(pod->parse(), {"metadata", "labels", "app"}), pod->name);
    EXPECT_EQ(informer->byUid(pod->uid)->raw, pod->raw);
    EXPECT_EQ(informer->get("default", pod->name)->raw, pod->raw);
  }
}

TEST_F(InformerTest, OfAnOldObjectTheVersionBeforeIsToldWhole) {
  for (int i = 0; i < kMany; ++i) addPod("p" + std::to_string(i), manyLabels(i));
  const auto informer = make();
  std::string before_it, after_it;
  informer->addHandler([&](const json::ObjectPtr& before, const json::ObjectPtr& after) {
    if (!before || !after) return;
    before_it = json::str(before->parse(), {"metadata", "labels", "app"});
    after_it = json::str(after->parse(), {"status", "podIP"});
  });
  informer->start();
  runtime_.settle();
  cluster_.setPodStatus("default", "p3", {{"podIP", "10.0.0.3"}});
  runtime_.settle();
  EXPECT_EQ(before_it, "3");
  EXPECT_EQ(after_it, "10.0.0.3");
}

TEST_F(InformerTest, AListOfManyThatTellsNothingNewIsNoChange) {
  for (int i = 0; i < kMany; ++i) addPod("p" + std::to_string(i), manyLabels(i));
  const auto informer = make();
  informer->start();
  runtime_.settle();
  relistAfter([] {});
  EXPECT_THAT(calls_, IsEmpty());
  EXPECT_EQ(informer->size(), static_cast<std::size_t>(kMany));
}

}  // namespace
}  // namespace vkb::kube
