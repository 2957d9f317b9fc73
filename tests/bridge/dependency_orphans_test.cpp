// Copies that nobody remembers: after a lost store, a full disk, a restored target.
#include <gmock/gmock.h>

#include "dependencies_fixture.h"

namespace vkb::bridge {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(DependenciesTest, WithItsStoreLostItStillKnowsWhatIsUsedAndByWhom) {
  addMap("cfg", {{"a", "1"}});
  addMap("old", {{"a", "1"}});
  start();
  addHomePod("a", "t1", usesMap());
  settle();
  const std::string uid = uidOf(map());
  cluster_.reset();
  // Left behind by a bridge of which nothing is known any more, and somebody else's.
  for (const auto& [name, node] : {std::pair{"old", "t1"}, {"theirs", "t2"}}) {
    target_.add(kube::kConfigMaps,
                {{"metadata",
                  {{"name", name},
                   {"namespace", "work"},
                   {"labels", {{kLabelHomeCluster, home_.clusterId()}, {kLabelNode, node}}},
                   {"annotations", {{kAnnotationHomeObject, "work/old"}}}}}});
  }
  ASSERT_TRUE(database_->forgetCluster("t1"));
  start();
  settle();
  EXPECT_EQ(uidOf(map()), uid);
  EXPECT_TRUE(map("old").is_null());
  EXPECT_FALSE(map("theirs").is_null());
  home_.edit(kube::kConfigMaps, "work", "cfg", {{"data", {{"a", "2"}}}});
  settle();
  EXPECT_EQ(map()["data"], R"({"a": "2"})"_json);
  deletePod("a");
  EXPECT_TRUE(map().is_null());
}

TEST_F(DependenciesTest, AnOrphanThatADelegateRefersToIsKept) {
  addMap("cfg", {{"a", "1"}});
  start();
  addHomePod("a", "t1", usesMap());
  settle();
  cluster_.reset();
  ASSERT_TRUE(database_->forgetCluster("t1"));
  // The delegate is there, but comes back from a backup after the pods were listed: the cache has
  // not heard of it.
  Json back = delegate("a");
  for (const char* field : {"uid", "resourceVersion", "creationTimestamp"}) {
    back["metadata"].erase(field);
  }
  ASSERT_TRUE(target_.remove("admin", kube::kPods, "work", "a", {.grace_period_seconds = 0}));
  target_.holdWatches(true);
  bool restored = false;
  target_.afterRequest = [&](const test::Request& request) {
    if (request.verb != "list" || request.resource != "pods" || restored) return;
    restored = true;
    target_.addPod(back);
  };
  start();
  settle();
  ASSERT_TRUE(restored);
  EXPECT_FALSE(map().is_null());
  ASSERT_THAT(remembered(), SizeIs(1));
  EXPECT_THAT(remembered()[0].users, ElementsAre(uidOf(homePod("a"))));
}

TEST_F(DependenciesTest, AnOrphanThatCouldNotBeNotedIsFoundTenMinutesLater) {
  FullDisk disk(*database_);
  dependencies_ = &disk;
  start();
  disk.full = true;
  addOrphan("old");
  settle();
  disk.full = false;
  settle(minutes(9));
  ASSERT_FALSE(map("old").is_null()) << "no event tells of it any more";
  settle(minutes(1));
  EXPECT_TRUE(map("old").is_null());
  cluster_.reset();
}

TEST_F(DependenciesTest, MoreOrphansThanCanBeBelievedPullTheBrake) {
  for (int i = 0; i < 15; ++i) addOrphan("old-" + std::to_string(i));
  start();
  settle(minutes(4));
  EXPECT_THAT(target_.all(kube::kConfigMaps), SizeIs(5));
  EXPECT_EQ(health_.back().state, "MassLoss");
  EXPECT_EQ(condition(home_.find(kube::kNodes, "", "t1")->json(), "MassLoss"),
            "True TooManyLosses");
  settle(minutes(2));
  EXPECT_THAT(target_.all(kube::kConfigMaps), IsEmpty());
  EXPECT_EQ(health_.back().state, "Ready");
}

}  // namespace
}  // namespace vkb::bridge
