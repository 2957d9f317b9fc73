#include "kube/reflector.h"

#include <gmock/gmock.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "support/api_errors.h"
#include "support/fake_cluster.h"

namespace vkb::kube {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// What a sink knows after each call, as a store would.
class StoreSink final : public ReflectorSink {
 public:
  void replace(std::vector<json::ObjectPtr> items) override {
    ++replaced;
    known.clear();
    for (const auto& item : items) known[item->key()] = item->uid;
    called();
  }
  void upsert(json::ObjectPtr object) override {
    ++changes;
    known[object->key()] = object->uid;
    called();
  }
  void remove(json::ObjectPtr object) override {
    ++changes;
    known.erase(object->key());
    called();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [key, uid] : known) out.push_back(key);
    return out;
  }

  std::map<std::string, std::string> known;
  int replaced = 0, changes = 0;
  std::function<void()> during;

 private:
  void called() const {
    if (during) during();
  }
};

class ReflectorTest : public ::testing::Test {
 protected:
  ReflectorTest() {
    ReflectorOptions options{.resource = kPods, .list = {}, .name = "pods"};
    options.on_sync = [this](bool synced, const Status&) { health_.push_back(synced); };
    reflector_ = std::make_unique<Reflector>(runtime_.runtime(), *client_, sink_, logger_,
                                             std::move(options));
  }
  void addPod(const std::string& name) { cluster_.addPod({{"metadata", {{"name", name}}}}); }
  void removePod(const std::string& name) {
    ASSERT_TRUE(cluster_.remove("user", kPods, "default", name, {.grace_period_seconds = 0}));
  }
  void start() {
    reflector_->start();
    runtime_.settle();
  }
  std::size_t count(const std::string& verb) const {
    return static_cast<std::size_t>(
        std::count_if(cluster_.requests.begin(), cluster_.requests.end(),
                      [&](const test::Request& request) { return request.verb == verb; }));
  }

  test::FakeRuntime runtime_;
  test::FakeCluster cluster_{runtime_};
  std::unique_ptr<Client> client_ = cluster_.client("bridge");
  base::NullLogger logger_;
  StoreSink sink_;
  std::vector<bool> health_;
  std::unique_ptr<Reflector> reflector_;
};

TEST_F(ReflectorTest, ListsThenFollows) {
  addPod("a");
  start();
  EXPECT_THAT(sink_.names(), ElementsAre("default/a"));
  EXPECT_EQ(sink_.replaced, 1);
  addPod("b");
  runtime_.settle();
  EXPECT_THAT(sink_.names(), ElementsAre("default/a", "default/b"));
  removePod("a");
  runtime_.settle();
  EXPECT_THAT(sink_.names(), ElementsAre("default/b"));
  EXPECT_EQ(sink_.replaced, 1);
  EXPECT_THAT(health_, ElementsAre(true));
}

TEST_F(ReflectorTest, FirstListIsTriedAgainUntilItSucceeds) {
  addPod("a");
  cluster_.faults().setDown(true);
  start();
  EXPECT_THAT(health_, ElementsAre(false));
  runtime_.advance(1min);
  EXPECT_EQ(sink_.replaced, 0);
  cluster_.faults().setDown(false);
  runtime_.advance(1min);
  EXPECT_THAT(sink_.names(), ElementsAre("default/a"));
  EXPECT_THAT(health_, ElementsAre(false, true));
}

TEST_F(ReflectorTest, DeletesMissedWhileTheWatchWasBrokenAreDelivered) {
  addPod("a");
  addPod("b");
  start();
  cluster_.setDown(true);
  runtime_.settle();
  removePod("a");
  addPod("c");
  runtime_.advance(10s);
  EXPECT_THAT(sink_.names(), ElementsAre("default/a", "default/b"));
  cluster_.setDown(false);
  runtime_.advance(1min);
  EXPECT_THAT(sink_.names(), ElementsAre("default/b", "default/c"));
  EXPECT_EQ(sink_.replaced, 1);  // the watch went on where it was
}

TEST_F(ReflectorTest, DeletesMissedBeyondTheServersMemoryAreDeliveredByARelist) {
  addPod("a");
  addPod("b");
  start();
  cluster_.setDown(true);
  runtime_.settle();
  removePod("a");
  cluster_.compact();
  cluster_.setDown(false);
  runtime_.advance(1min);
  EXPECT_THAT(sink_.names(), ElementsAre("default/b"));
  EXPECT_EQ(sink_.replaced, 2);
}

TEST_F(ReflectorTest, WithoutItsHistoryAWatchIsBrokenUntilTheNextList) {
  addPod("a");
  start();
  cluster_.faults().refuse(test::expired("too old"), 1, test::requestsOf("watch"));
  runtime_.advance(2s);
  cluster_.cutWatches("", 200);
  runtime_.settle();
  EXPECT_EQ(sink_.replaced, 2);
  EXPECT_THAT(health_, ElementsAre(true, false, true));
}

TEST_F(ReflectorTest, AWatchThatEndsInOrderGoesOnWithoutAList) {
  addPod("a");
  start();
  runtime_.advance(5s);
  const auto lists = count("list");
  cluster_.cutWatches("", 200);
  runtime_.settle();
  EXPECT_EQ(cluster_.openWatches(), 1u);
  EXPECT_EQ(count("list"), lists);
  addPod("b");
  runtime_.settle();
  EXPECT_THAT(sink_.names(), ElementsAre("default/a", "default/b"));
  EXPECT_THAT(health_, ElementsAre(true));
}

TEST_F(ReflectorTest, AnErrorIsFollowedByOneSmallListBeforeTheWatchGoesOn) {
  addPod("a");
  start();
  const auto lists = count("list");
  cluster_.cutWatches();
  runtime_.advance(1s);
  EXPECT_EQ(count("list"), lists + 1);
  EXPECT_EQ(cluster_.openWatches(), 1u);
  EXPECT_EQ(sink_.replaced, 1);
  EXPECT_THAT(health_, ElementsAre(true, false, true));
}

TEST_F(ReflectorTest, AServerThatWentBackInTimeIsListedAnew) {
  addPod("a");
  const auto snapshot = cluster_.snapshot();
  addPod("b");
  removePod("a");
  start();
  EXPECT_THAT(sink_.names(), ElementsAre("default/b"));
  cluster_.restore(*snapshot);
  runtime_.advance(1min);
  EXPECT_THAT(sink_.names(), ElementsAre("default/a"));
  EXPECT_EQ(sink_.replaced, 2);
  addPod("c");
  runtime_.settle();
  EXPECT_THAT(sink_.names(), ElementsAre("default/a", "default/c"));
}

TEST_F(ReflectorTest, AServerThatWentBackInALongOutageAndCameFurtherThanWeIsListedAnew) {
  const auto snapshot = cluster_.snapshot();
  addPod("a");
  start();
  cluster_.setDown(true);
  cluster_.restore(*snapshot);
  for (const char* name : {"b", "c", "d"}) addPod(name);
  runtime_.advance(25s);
  EXPECT_THAT(sink_.names(), ElementsAre("default/a"));
  runtime_.advance(5s);
  cluster_.setDown(false);
  runtime_.advance(1min);
  EXPECT_THAT(sink_.names(), ElementsAre("default/b", "default/c", "default/d"));
  EXPECT_EQ(sink_.replaced, 2);
}

TEST_F(ReflectorTest, BookmarksMoveTheResumePointOn) {
  start();
  for (int i = 0; i < 3; ++i) cluster_.addNode("n" + std::to_string(i));
  cluster_.sendBookmarks();
  runtime_.settle();
  cluster_.compact();
  cluster_.cutWatches("", 200);
  runtime_.advance(1min);
  EXPECT_EQ(sink_.replaced, 1);
  EXPECT_EQ(cluster_.openWatches(), 1u);
}

TEST_F(ReflectorTest, ListsComeInPagesAndSurviveAnExpiredToken) {
  ReflectorOptions options{.resource = kPods, .list = {}, .name = "pods"};
  options.list.limit = 2;
  StoreSink sink;
  Reflector paged(runtime_.runtime(), *client_, sink, logger_, std::move(options));
  for (const char* name : {"a", "b", "c", "d", "e"}) addPod(name);
  int lists = 0;
  cluster_.beforeRequest = [&](const test::Request& request) {
    if (request.verb == "list" && ++lists == 2) cluster_.compact();
  };
  paged.start();
  runtime_.settle();
  EXPECT_THAT(sink.names(), SizeIs(5));
  EXPECT_EQ(sink.replaced, 1);
  EXPECT_EQ(lists, 5);  // one page, the refused one, three anew
}

TEST_F(ReflectorTest, RetryAfterIsHonoured) {
  cluster_.faults().refuse(test::tooManyRequests(20s), 1, test::requestsOf("list"));
  start();
  runtime_.advance(19s);
  EXPECT_EQ(sink_.replaced, 0);
  runtime_.advance(1s);
  EXPECT_EQ(sink_.replaced, 1);
}

TEST_F(ReflectorTest, RetryNowEndsTheWaitOfALongOutage) {
  addPod("a");
  start();
  cluster_.setDown(true);
  runtime_.advance(20min);
  cluster_.setDown(false);
  removePod("a");
  runtime_.settle();
  EXPECT_THAT(sink_.names(), ElementsAre("default/a"));  // up to a minute would pass
  reflector_->retryNow();
  runtime_.settle();
  EXPECT_THAT(sink_.names(), IsEmpty());
  EXPECT_EQ(cluster_.openWatches(), 1u);
}

TEST_F(ReflectorTest, RetryNowWhileNothingIsWaitedForDoesNothing) {
  reflector_->retryNow();
  start();
  reflector_->retryNow();
  runtime_.settle();
  EXPECT_EQ(count("list"), 1u);
  EXPECT_EQ(count("watch"), 1u);
  reflector_->stop();
  reflector_->retryNow();
  runtime_.advance(1h);
  EXPECT_EQ(count("list"), 1u);
}

TEST_F(ReflectorTest, ARefusedListIsTriedEveryMinuteAtLeast) {
  cluster_.faults().refuse(test::forbidden(kPods, "", "not yet"), test::Fault::kForever);
  start();
  for (int i = 0; i < 10; ++i) {
    const auto lists = count("list");
    runtime_.advance(1min);
    EXPECT_GE(count("list"), lists + 1);
    EXPECT_LE(count("list"), lists + 4);
  }
  cluster_.faults().clear();
  runtime_.advance(1min);
  EXPECT_EQ(sink_.replaced, 1);
}

TEST_F(ReflectorTest, RetryNowLeavesAWaitThatTheServerAskedFor) {
  cluster_.faults().refuse(test::tooManyRequests(20s), 1, test::requestsOf("list"));
  start();
  reflector_->retryNow();
  runtime_.advance(19s);
  EXPECT_EQ(sink_.replaced, 0);
  runtime_.advance(1s);
  EXPECT_EQ(sink_.replaced, 1);
}

TEST_F(ReflectorTest, WatchesOfManyEndAfterFiveToTenMinutesAndNotTogether) {
  std::vector<std::unique_ptr<Reflector>> many;
  std::set<Duration> reopened;
  for (int i = 0; i < 20; ++i) {
    many.push_back(std::make_unique<Reflector>(
        runtime_.runtime(), *client_, sink_, logger_,
        ReflectorOptions{.resource = kPods, .list = {}, .name = "pods"}));
    many.back()->start();
  }
  runtime_.settle();
  const TimePoint begun = runtime_.clock.now();
  cluster_.beforeRequest = [&](const test::Request&) {
    reopened.insert(runtime_.clock.now() - begun);
  };
  runtime_.advance(9min + 59s);
  ASSERT_THAT(reopened, Not(IsEmpty()));
  EXPECT_GE(*reopened.begin(), 5min);
  EXPECT_GT(reopened.size(), 15u);
  EXPECT_LE(count("watch"), 40u);
}

TEST_F(ReflectorTest, AnUnusableWatchDoesNotBecomeAHotLoop) {
  cluster_.faults().refuse(test::unauthorizedFor(kPods, "u", "watch", "", ""),
                           test::Fault::kForever, test::requestsOf("watch"));
  start();
  runtime_.advance(10min);
  EXPECT_LT(count("watch"), 30u);
  EXPECT_GE(count("watch"), 2u);
}

TEST_F(ReflectorTest, AServerWhoseWatchesAlwaysExpireIsNotListedInAHotLoop) {
  addPod("a");
  cluster_.faults().refuse(test::expired("too old"), test::Fault::kForever,
                           test::requestsOf("watch"));
  start();
  runtime_.advance(10min);
  EXPECT_LT(count("list"), 40u);
}

TEST_F(ReflectorTest, AfterStopNothingComes) {
  addPod("a");
  start();
  reflector_->stop();
  addPod("b");
  runtime_.advance(1h);
  EXPECT_THAT(sink_.names(), ElementsAre("default/a"));
  EXPECT_EQ(cluster_.openWatches(), 0u);
}

TEST_F(ReflectorTest, StopDuringTheBackoffEndsIt) {
  cluster_.setDown(true);
  start();
  reflector_->stop();
  cluster_.setDown(false);
  runtime_.advance(1h);
  EXPECT_EQ(sink_.replaced, 0);
  EXPECT_THAT(cluster_.openWatches(), 0u);
}

TEST_F(ReflectorTest, StopFromWithinTheFirstListIsNoDeadlock) {
  addPod("a");
  sink_.during = [&] { reflector_->stop(); };
  start();
  addPod("b");
  runtime_.advance(1h);
  EXPECT_EQ(sink_.replaced, 1);
  EXPECT_EQ(sink_.changes, 0);
  EXPECT_THAT(health_, IsEmpty());
  EXPECT_EQ(cluster_.openWatches(), 0u);
}

TEST_F(ReflectorTest, DestructionFromWithinAnEventIsNoDeadlock) {
  start();
  sink_.during = [&] { reflector_.reset(); };
  addPod("a");
  addPod("b");
  runtime_.advance(1h);
  EXPECT_EQ(sink_.changes, 1);
  EXPECT_EQ(cluster_.openWatches(), 0u);
}

TEST_F(ReflectorTest, DestructionFromWithinOnSyncIsNoDeadlock) {
  ReflectorOptions options{.resource = kPods, .list = {}, .name = "pods"};
  std::unique_ptr<Reflector> reflector;
  options.on_sync = [&](bool, const Status&) { reflector.reset(); };
  reflector =
      std::make_unique<Reflector>(runtime_.runtime(), *client_, sink_, logger_, std::move(options));
  reflector->start();
  runtime_.advance(1h);
  EXPECT_FALSE(reflector);
  EXPECT_EQ(cluster_.openWatches(), 0u);
}

TEST_F(ReflectorTest, DoubledEventsDoNoHarm) {
  start();
  cluster_.doubleEvents(true);
  addPod("a");
  removePod("a");
  addPod("b");
  runtime_.settle();
  EXPECT_THAT(sink_.names(), ElementsAre("default/b"));
}

}  // namespace
}  // namespace vkb::kube
