#include <gmock/gmock.h>

#include "cluster_fixture.h"
#include "support/api_errors.h"

/// How a cluster leaves: in order, forgotten, and right after starts and stops.
namespace vkb::bridge {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using ClusterLeaveTest = ClusterTest;

TEST_F(ClusterLeaveTest, LeavingMakesNoNewPodsAndRemovesTheNodeWhenTheLastIsGone) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  leave(false);
  addHomePod("late");
  runtime_.advance(seconds(30));
  EXPECT_EQ(left_, 0);
  EXPECT_TRUE(delegate("late").is_null());
  EXPECT_EQ(health_.back().state, "Leaving");
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a", {}));
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "late", {}));
  runtime_.advance(seconds(10));
  EXPECT_EQ(left_, 1);
  EXPECT_THAT(may_run_, IsEmpty());
  EXPECT_TRUE(node().is_null());
  EXPECT_THAT(target_.podsIn("work"), IsEmpty());
}

TEST_F(ClusterLeaveTest, ADaemonSetsPodsDoNotHoldTheNodeBack) {
  start();
  addHomePod("ds", "t1",
             {{"metadata",
               {{"ownerReferences", Json::array({{{"apiVersion", "apps/v1"},
                                                  {"kind", "DaemonSet"},
                                                  {"name", "ds"},
                                                  {"uid", "ds-uid"},
                                                  {"controller", true}}})}}}});
  runtime_.advance(seconds(3));
  EXPECT_TRUE(delegate("ds").is_null());
  EXPECT_THAT(events(kReasonNotOffloaded), SizeIs(1));
  leave(false);
  runtime_.advance(seconds(3));
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(node().is_null());
}

TEST_F(ClusterLeaveTest, LeavingWaitsForATargetThatIsCutOff) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  cutOff();
  leave(false);
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a", {}));
  runtime_.advance(minutes(10));
  EXPECT_EQ(left_, 0);
  EXPECT_FALSE(homePod("a").is_null());
  comeBack();
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(homePod("a").is_null());
  EXPECT_TRUE(delegate("a").is_null());
}

TEST_F(ClusterLeaveTest, LeavingRightAfterAStartWithALostStoreStillTakesTheDelegatesAlong) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  cluster_.reset();
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a", {.grace_period_seconds = 0}));
  ASSERT_TRUE(database_->forgetCluster("t1"));
  target_.faults().refuse(test::internalError(), 3, test::requestsOf("list", "pods"));
  start({}, Duration::zero());
  leave(false);
  runtime_.settle();
  EXPECT_EQ(left_, 0) << "a cache that nobody filled is not an empty target";
  runtime_.advance(seconds(30));
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(delegate("a").is_null()) << "nobody else would ever delete it";
}

TEST_F(ClusterLeaveTest, DelegatesThatNoRecordTellsOfHoldTheNodeBack) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  cluster_.reset();
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a", {.grace_period_seconds = 0}));
  ASSERT_TRUE(database_->forgetCluster("t1"));
  // Its caches fill, but nothing can be done about what is in them.
  target_.faults().refuse(test::internalError(), 6, test::requestsOf("raw"));
  start();
  leave(false);
  runtime_.advance(seconds(20));
  EXPECT_THAT(records(), IsEmpty());
  EXPECT_EQ(left_, 0);
  runtime_.advance(minutes(2));
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(delegate("a").is_null());
}

TEST_F(ClusterLeaveTest, OneThatWasLeavingWhenItWasStoppedMakesNoPodsFromItsStart) {
  starts_leaving_ = true;
  start();
  addHomePod("a");
  runtime_.advance(seconds(5));
  EXPECT_TRUE(delegate("a").is_null());
}

TEST_F(ClusterLeaveTest, AStopInTheMiddleOfLeavingLeavesTheRestToTheNextRun) {
  start();
  leave(false);
  cluster_->stop();
  runtime_.advance(minutes(1));
  EXPECT_EQ(left_, 0);
  EXPECT_FALSE(node().is_null());
}

TEST_F(ClusterLeaveTest, AForgottenTargetsPodsAreFailedAndRemovedAndListed) {
  start();
  addHomePod("a");
  addHomePod("done", "t1", {{"spec", {{"restartPolicy", "Never"}}}});
  runtime_.advance(seconds(3));
  kubelet_.exitContainers("work", "done", 0);
  runtime_.advance(seconds(3));
  cutOff();
  const auto since = mark(home_);
  leave(true);
  runtime_.advance(seconds(5));
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(homePod("a").is_null());
  EXPECT_TRUE(node().is_null());
  EXPECT_THAT(records(), IsEmpty());
  ASSERT_THAT(may_run_, SizeIs(1));
  EXPECT_EQ(may_run_[0].name, "a");
  EXPECT_THAT(writes(home_, since, "pods"), Contains("patch pods/status work/a"))
      << "controllers see a failed pod before they see none";
  EXPECT_FALSE(delegate("a").is_null());
}

TEST_F(ClusterLeaveTest, ATargetCanBeForgottenWhileLeavingInOrderWaitsForIt) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  cutOff();
  leave(false);
  runtime_.advance(minutes(1));
  leave(true);
  runtime_.advance(minutes(1));
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(homePod("a").is_null());
}

TEST_F(ClusterLeaveTest, ForgettingATargetRightAfterAStartWaitsForHomesPods) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(3));
  cluster_.reset();
  target_.setDown(true);
  home_.faults().refuse(test::internalError(), 2, test::requestsOf("list", "pods"));
  start({}, Duration::zero());
  leave(true);
  runtime_.advance(seconds(30));
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(homePod("a").is_null());
}

TEST_F(ClusterLeaveTest, TheNodeIsRemovedEvenIfHomeRefusesAtFirst) {
  start();
  home_.faults().refuse(test::internalError(), 3, test::requestsOf("delete", "nodes"));
  leave(false);
  runtime_.advance(seconds(10));
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(node().is_null());
}

}  // namespace
}  // namespace vkb::bridge
