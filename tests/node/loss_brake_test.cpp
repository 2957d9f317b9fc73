#include "node/loss_brake.h"

#include <gtest/gtest.h>

#include "support/fake_runtime.h"

namespace vkb::node {
namespace {

using std::chrono::seconds;
using Verdict = LossBrake::Verdict;

class LossBrakeTest : public ::testing::Test {
 protected:
  /// How many of `count` verdicts about different pods are allowed.
  int allowed(int count, std::size_t total) {
    int result = 0;
    for (int i = 0; i < count; ++i) {
      result += brake_.allow("uid-" + std::to_string(++pods_), total) == Verdict::kAllowed;
    }
    return result;
  }
  test::FakeClock clock_;
  LossBrake brake_{clock_};
  int pods_ = 0;
};

TEST_F(LossBrakeTest, AllowsTenOnASmallNodeAndHoldsTheEleventh) {
  EXPECT_EQ(allowed(10, 20), 10);
  EXPECT_FALSE(brake_.engaged());
  EXPECT_EQ(allowed(1, 20), 0);
  EXPECT_TRUE(brake_.engaged());
}

TEST_F(LossBrakeTest, AllowsATenthOfABigNode) {
  EXPECT_EQ(allowed(200, 2000), 200);
  EXPECT_EQ(allowed(1, 2000), 0);
}

TEST_F(LossBrakeTest, CountsOnlyTheLastMinute) {
  EXPECT_EQ(allowed(10, 0), 10);
  clock_.advance(seconds(59));
  EXPECT_EQ(allowed(0, 0), 0);
  clock_.advance(seconds(1));
  EXPECT_EQ(allowed(10, 0), 10);
  clock_.advance(seconds(59));
  EXPECT_EQ(allowed(1, 0), 0);
}

TEST_F(LossBrakeTest, CountsAPodOnceHoweverOftenItsDeletionIsRetried) {
  for (int i = 0; i < 100; ++i) EXPECT_EQ(brake_.allow("same", 5), Verdict::kAllowed);
  EXPECT_EQ(allowed(9, 5), 9);
  EXPECT_EQ(allowed(1, 5), 0);
}

TEST_F(LossBrakeTest, TripsOnceAndHoldsUntilItIsReleasedHoweverLongThatTakes) {
  allowed(10, 0);
  EXPECT_EQ(brake_.allow("one too many", 0), Verdict::kTripped);
  EXPECT_EQ(brake_.allow("another", 0), Verdict::kHeld);
  clock_.advance(std::chrono::hours(5));
  EXPECT_EQ(brake_.allow("another", 0), Verdict::kHeld);
}

TEST_F(LossBrakeTest, ReleasedItBelievesWhatWasHeldBackAndThenWatchesAgain) {
  allowed(11, 0);
  brake_.release();
  EXPECT_FALSE(brake_.engaged());
  EXPECT_EQ(allowed(500, 0), 500) << "confirmed losses are not held back again";
  clock_.advance(seconds(60));
  EXPECT_EQ(allowed(11, 0), 10);
  EXPECT_TRUE(brake_.engaged());
}

TEST_F(LossBrakeTest, ReleasingABrakeThatIsOffOpensNothing) {
  brake_.release();
  EXPECT_EQ(allowed(11, 0), 10);
}

}  // namespace
}  // namespace vkb::node
