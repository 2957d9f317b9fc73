#include "node/home_pods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "json/json.h"
#include "kube/informer.h"
#include "support/fake_cluster.h"

namespace vkb::node {
namespace {

using Told = HomePods::Told;

/// Holds one pod or none.
class HandCache final : public kube::ObjectCache {
 public:
  explicit HandCache(json::ObjectPtr held) : held_(std::move(held)) {}
  void addHandler(Handler) override {}
  json::ObjectPtr get(const std::string&, const std::string&) const override { return held_; }
  json::ObjectPtr byUid(const std::string&) const override {
    const json::ObjectPtr read = held_;
    if (after_read) after_read();
    return read;
  }
  std::vector<json::ObjectPtr> list() const override { return {held_}; }
  std::vector<std::string> uids() const override { return {held_->uid}; }
  bool isBehind() const override { return false; }
  void put(json::ObjectPtr pod) { held_ = std::move(pod); }
  json::ObjectPtr take() { return std::exchange(held_, nullptr); }

  std::function<void()> after_read;  ///< what another thread does just then

 private:
  json::ObjectPtr held_;
};

class HomePodsTest : public ::testing::Test {
 protected:
  HomePodsTest() {
    uid_ = home_.addPod({{"metadata", {{"name", "web"}}}, {"spec", {{"nodeName", "gpu"}}}})->uid();
    informer_.addHandler(
        [this](const auto& before, const auto& after) { pods_.changed(before, after); });
    informer_.start();
    rt_.settle();
  }
  std::size_t requests(const std::string& verb) const {
    return static_cast<std::size_t>(std::count_if(
        home_.requests.begin(), home_.requests.end(),
        [&](const test::Request& r) { return r.verb == verb && r.resource == "pods"; }));
  }
  Json running() const {
    Json status = json::object(home_.findPod("default", "web")->json(), {"status"});
    status["phase"] = "Running";
    return status;
  }
  void replaceByNamesake() {
    ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "web", {.grace_period_seconds = 0}));
    home_.addPod({{"metadata", {{"name", "web"}}}, {"spec", {{"nodeName", "gpu"}}}});
  }

  test::FakeRuntime rt_;
  test::FakeCluster home_{rt_};
  std::unique_ptr<kube::Client> client_ = home_.client("bridge");
  base::NullLogger logger_;
  kube::Informer informer_{rt_.runtime(),
                           *client_,
                           logger_,
                           {.resource = kube::kPods,
                            .list = {.field_selector = "spec.nodeName=gpu"},
                            .name = "home pods"}};
  HomePods pods_{*client_, informer_};
  std::string uid_;
};

TEST_F(HomePodsTest, TheStateIsReadFromTheObject) {
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kActive);
  EXPECT_EQ(pods_.view("unknown").state, HomePod::kAbsent);
  EXPECT_TRUE(pods_.view("unknown").pod().is_null());
  home_.setPodStatus("default", "web", {{"phase", "Succeeded"}});
  rt_.settle();
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kTerminal);
}

TEST_F(HomePodsTest, ADeletionWithGraceIsDeletingAndOneWithoutIsReleased) {
  home_.edit(kube::kPods, "default", "web", {{"metadata", {{"finalizers", {"example.com/f"}}}}});
  ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "web", {.grace_period_seconds = 20}));
  rt_.settle();
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kDeleting);
  ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "web", {.grace_period_seconds = 0}));
  rt_.settle();
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kReleased);
}

TEST_F(HomePodsTest, OwnWritesAreReadBeforeTheCacheHasCaughtUp) {
  home_.holdWatches(true);
  EXPECT_EQ(pods_.tell(pods_.view(uid_), running(), nullptr), Told::kSent);
  EXPECT_EQ(json::str(informer_.byUid(uid_)->parse(), {"status", "phase"}), "Pending");
  EXPECT_EQ(json::str(pods_.view(uid_).pod(), {"status", "phase"}), "Running");
}

TEST_F(HomePodsTest, ALateCacheMakesNoSecondPatchForTheSameThing) {
  home_.holdWatches(true);
  const Json status = running();
  EXPECT_EQ(pods_.tell(pods_.view(uid_), status, {{"a", "1"}}), Told::kSent);
  EXPECT_EQ(pods_.tell(pods_.view(uid_), status, {{"a", "1"}}), Told::kAlready);
  EXPECT_EQ(requests("patch"), 1u);
}

TEST_F(HomePodsTest, AChangeOfOthersThatIsNewerThanOurWriteWins) {
  EXPECT_EQ(pods_.tell(pods_.view(uid_), running(), nullptr), Told::kSent);
  home_.setPodStatus("default", "web", {{"message", "edited"}}, "user");
  rt_.settle();
  EXPECT_EQ(json::str(pods_.view(uid_).pod(), {"status", "message"}), "edited");
}

TEST_F(HomePodsTest, AFieldThatTheServerDropsIsNotSentAgainAboutTheSameVersion) {
  // An older API server does not know the field: it answers 200 and stores nothing of it.
  struct Dropping final : kube::Client {
    explicit Dropping(kube::Client& n) : next(n) {}
    Result<std::optional<Json>> get(const kube::Resource& r, const std::string& ns,
                                    const std::string& name) override {
      return next.get(r, ns, name);
    }
    Result<json::RawList> list(const kube::Resource& r, const kube::ListOptions& o) override {
      return next.list(r, o);
    }
    Result<std::string> getRaw(const std::string& path) override { return next.getRaw(path); }
    Result<json::ObjectPtr> create(const kube::Resource& r, const std::string& ns, const Json& o,
                                   const std::string& name, const std::string& sub) override {
      return next.create(r, ns, o, name, sub);
    }
    Result<json::ObjectPtr> patch(const kube::Resource& r, const std::string& ns,
                                  const std::string& name, kube::PatchType type, const Json& patch,
                                  const std::string& sub) override {
      Json known = patch;
      known["status"].erase("fieldOfTheFuture");
      return next.patch(r, ns, name, type, known, sub);
    }
    Result<json::ObjectPtr> update(const kube::Resource& r, const std::string& ns,
                                   const std::string& name, const Json& o) override {
      return next.update(r, ns, name, o);
    }
    Result<void> remove(const kube::Resource& r, const std::string& ns, const std::string& name,
                        const kube::DeleteOptions& o) override {
      return next.remove(r, ns, name, o);
    }
    std::unique_ptr<kube::WatchHandle> watch(const kube::Resource& r, const kube::WatchOptions& o,
                                             kube::WatchHandler& h) override {
      return next.watch(r, o, h);
    }
    kube::Client& next;
  } dropping(*client_);
  HomePods pods(dropping, informer_);
  Json status = running();
  status["fieldOfTheFuture"] = "x";
  EXPECT_EQ(pods.tell(pods.view(uid_), status, nullptr), Told::kSent);
  rt_.settle();
  EXPECT_EQ(pods.tell(pods.view(uid_), status, nullptr), Told::kAlready);
  EXPECT_EQ(requests("patch"), 1u);
  status["message"] = "news";
  EXPECT_EQ(pods.tell(pods.view(uid_), status, nullptr), Told::kSent);
}

TEST_F(HomePodsTest, WhatAPatchFromAnOldVersionCouldNotSayIsSaidOnceTheCacheKnows) {
  const auto ready = [&](const char* status) {
    Json result = running();
    result["conditions"] = {{{"type", "Ready"}, {"status", status}}};
    return result;
  };
  home_.setPodStatus("default", "web", ready("True"));
  rt_.settle();
  home_.holdWatches(true);
  // An earlier write of ours that got no answer arrives unseen.
  home_.setPodStatus("default", "web", ready("False"), "bridge");
  Json status = ready("True");
  status["podIP"] = "10.88.0.2";
  EXPECT_EQ(pods_.tell(pods_.view(uid_), status, nullptr), Told::kSent);
  home_.holdWatches(false);
  rt_.settle();
  EXPECT_EQ(pods_.tell(pods_.view(uid_), status, nullptr), Told::kSent);
  const auto shown = home_.findPod("default", "web");
  EXPECT_EQ(json::str(json::at(shown->json(), {"status", "conditions"})[0], "status"), "True");
}

TEST_F(HomePodsTest, ANamesakeIsNeverPatched) {
  const auto before = pods_.view(uid_);
  home_.holdWatches(true);
  replaceByNamesake();
  Json status = running();
  status["phase"] = "Failed";
  EXPECT_EQ(pods_.tell(before, status, nullptr), Told::kGone);
  EXPECT_EQ(json::str(home_.findPod("default", "web")->json(), {"status", "phase"}), "Pending");
}

TEST_F(HomePodsTest, WhoeverEndedAPodUnseenHasTheLastWordAndIsHeardThen) {
  home_.holdWatches(true);
  const auto before = pods_.view(uid_);
  home_.setPodStatus("default", "web", {{"phase", "Failed"}}, "controller");
  const auto told = pods_.tell(before, running(), nullptr);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, 409);
  EXPECT_EQ(json::str(home_.findPod("default", "web")->json(), {"status", "phase"}), "Failed");
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kTerminal) << "the cache still says Pending";
}

TEST_F(HomePodsTest, AnAnswerThatTellsOfAnotherEndIsLookedAt) {
  EXPECT_EQ(pods_.tell(pods_.view(uid_), running(), nullptr), Told::kSent);
  rt_.settle();
  EXPECT_EQ(pods_.quietVersion(uid_), pods_.version(uid_));
  home_.holdWatches(true);
  home_.setPodStatus("default", "web", {{"phase", "Failed"}}, "controller");
  Json status = running();
  status["message"] = "no new phase";
  EXPECT_EQ(pods_.tell(pods_.view(uid_), status, nullptr), Told::kSent);
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kTerminal);
  EXPECT_EQ(pods_.quietVersion(uid_), 0u);
}

TEST_F(HomePodsTest, AnEditThatWasNotSeenDelaysANewPhaseByOneAttempt) {
  home_.holdWatches(true);
  const auto before = pods_.view(uid_);
  home_.setPodStatus("default", "web", {{"message", "edited"}}, "user");
  const Json status = running();
  EXPECT_FALSE(pods_.tell(before, status, nullptr));
  EXPECT_EQ(pods_.tell(pods_.view(uid_), status, nullptr), Told::kSent);
  EXPECT_EQ(json::str(home_.findPod("default", "web")->json(), {"status", "phase"}), "Running");
}

TEST_F(HomePodsTest, WhatHomeItselfSaysOfAPodCountsBeforeTheCacheKnows) {
  home_.holdWatches(true);
  const Json before = pods_.view(uid_).pod();
  EXPECT_EQ(pods_.confirm(before), HomePod::kActive);
  home_.setPodStatus("default", "web", {{"phase", "Failed"}}, "controller");
  EXPECT_EQ(pods_.confirm(before), HomePod::kTerminal);
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kTerminal);
  replaceByNamesake();
  EXPECT_EQ(pods_.confirm(before), HomePod::kAbsent);
  EXPECT_FALSE(pods_.mayBeBehind(uid_));
  home_.holdWatches(false);
  home_.setDown(true);
  rt_.settle();
  EXPECT_FALSE(pods_.confirm(before));
  EXPECT_TRUE(pods_.mayBeBehind(uid_));
}

TEST_F(HomePodsTest, APodThatIsGoneCannotBeToldAnything) {
  const auto before = pods_.view(uid_);
  ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "web", {.grace_period_seconds = 0}));
  EXPECT_EQ(pods_.tell(before, {{"phase", "Running"}}, nullptr), Told::kGone);
}

TEST_F(HomePodsTest, ReleaseRemovesTheObjectAtOnceAndCountsBeforeTheCacheKnows) {
  ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "web", {.grace_period_seconds = 30}));
  rt_.settle();
  home_.holdWatches(true);
  EXPECT_TRUE(pods_.release(pods_.view(uid_).pod()));
  EXPECT_FALSE(home_.findPod("default", "web"));
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kReleased) << "the cache still has it";
  home_.holdWatches(false);
  rt_.settle();
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kAbsent);
}

TEST_F(HomePodsTest, APodThatComesBackAfterItsReleaseIsTakenAsItIs) {
  for (const bool gone_before_its_release : {false, true}) {
    HandCache cache(informer_.byUid(uid_));
    HomePods pods(*client_, cache);
    const Json pod = pods.view(uid_).pod();
    if (gone_before_its_release) pods.changed(cache.take(), nullptr);
    ASSERT_TRUE(pods.release(pod));
    if (!gone_before_its_release) pods.changed(cache.take(), nullptr);
    cache.put(informer_.byUid(uid_));
    pods.changed(nullptr, cache.byUid(uid_));
    EXPECT_EQ(pods.view(uid_).state, HomePod::kActive) << gone_before_its_release;
    EXPECT_NE(pods.version(uid_), 0U) << gone_before_its_release;
  }
}

TEST_F(HomePodsTest, APodThatIsLostWhileItIsLookedAtStaysReleased) {
  for (const bool version_only : {false, true}) {
    HandCache cache(informer_.byUid(uid_));
    HomePods pods(*client_, cache);
    ASSERT_TRUE(pods.release(pods.view(uid_).pod()));
    cache.after_read = [&] {
      if (const json::ObjectPtr lost = cache.take()) pods.changed(lost, nullptr);
    };
    if (version_only) {
      EXPECT_EQ(pods.version(uid_), 0U);
    } else {
      EXPECT_EQ(pods.view(uid_).state, HomePod::kReleased);
    }
  }
}

TEST_F(HomePodsTest, AnAnswerThatTheCacheLearnsWhileItIsLookedAtStillCounts) {
  HandCache cache(informer_.byUid(uid_));
  HomePods pods(*client_, cache);
  const json::ObjectPtr before = cache.byUid(uid_);
  ASSERT_EQ(pods.tell(pods.view(uid_), running(), nullptr), Told::kSent);
  rt_.settle();
  cache.after_read = [&, told = false]() mutable {
    if (std::exchange(told, true)) return;
    cache.put(informer_.byUid(uid_));
    pods.changed(before, informer_.byUid(uid_));
  };
  EXPECT_EQ(json::str(pods.view(uid_).pod(), {"status", "phase"}), "Running");
}

TEST_F(HomePodsTest, ReleaseOfAPodThatIsGoneSucceedsAndLeavesItsNamesakeAlone) {
  const Json before = pods_.view(uid_).pod();
  replaceByNamesake();
  EXPECT_TRUE(pods_.release(before));
  EXPECT_TRUE(home_.findPod("default", "web"));
  ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "web", {.grace_period_seconds = 0}));
  EXPECT_TRUE(pods_.release(before));
}

TEST_F(HomePodsTest, WhatWeKnewBeforeTheWatchBrokeIsAskedForUntilItTellsIt) {
  home_.holdWatches(true);
  ASSERT_TRUE(pods_.release(pods_.view(uid_).pod()));
  const std::string kept = home_.addPod({{"metadata", {{"name", "kept"}}}})->uid();
  EXPECT_THAT(pods_.dropUnconfirmed(), testing::ElementsAre(uid_));
  const Json shown = pods_.view(uid_).pod();
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kActive) << "all that the cache knows";
  EXPECT_TRUE(pods_.mayBeBehind(uid_));
  EXPECT_FALSE(pods_.mayBeBehind(kept));
  EXPECT_EQ(pods_.confirm(shown), HomePod::kAbsent);
  EXPECT_TRUE(pods_.mayBeBehind(uid_)) << "the cache still has it";
  home_.holdWatches(false);
  rt_.settle();
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kAbsent);
  EXPECT_FALSE(pods_.mayBeBehind(uid_));
}

TEST_F(HomePodsTest, WhatHomeSaysOfAPodAfterItWasRestoredIsBelieved) {
  const auto backup = home_.snapshot();
  home_.holdWatches(true);
  ASSERT_TRUE(pods_.release(pods_.view(uid_).pod()));
  home_.restore(*backup);
  pods_.dropUnconfirmed();
  EXPECT_TRUE(pods_.mayBeBehind(uid_));
  EXPECT_EQ(pods_.confirm(pods_.view(uid_).pod()), HomePod::kActive);
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kActive);
}

TEST_F(HomePodsTest, ARefusedWriteIsAnErrorAndNothingIsRemembered) {
  home_.faults().refuse({.code = 503, .reason = "Busy", .message = "m"}, 2);
  EXPECT_FALSE(pods_.tell(pods_.view(uid_), running(), nullptr));
  EXPECT_FALSE(pods_.release(pods_.view(uid_).pod()));
  EXPECT_EQ(pods_.view(uid_).state, HomePod::kActive);
  EXPECT_EQ(json::str(pods_.view(uid_).pod(), {"status", "phase"}), "Pending");
}

TEST_F(HomePodsTest, GoneIsWhatAQuorumReadSaysNotWhatTheCacheSays) {
  EXPECT_EQ(pods_.isGone("default", "web", uid_), false);
  EXPECT_EQ(pods_.isGone("default", "web", "another uid"), true);
  EXPECT_EQ(pods_.isGone("default", "nobody", uid_), true);
  home_.setDown(true);
  EXPECT_FALSE(pods_.isGone("default", "web", uid_)) << "no answer is no proof";
}

TEST_F(HomePodsTest, ThePresentOwnerOfANameIsKnown) {
  EXPECT_EQ(pods_.uidOf("default", "web"), uid_);
  EXPECT_EQ(pods_.uidOf("default", "nobody"), "");
}

}  // namespace
}  // namespace vkb::node
