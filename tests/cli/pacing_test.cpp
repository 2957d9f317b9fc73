#include "cli/pacing.h"

#include <gtest/gtest.h>

namespace vkb::cli {
namespace {

using std::chrono::seconds;

TEST(Pacing, LetsEachThroughAtOnceAndThenOnceInAnInterval) {
  Pacing evictions(seconds(5));
  const TimePoint begin{seconds(100)};
  EXPECT_TRUE(evictions.due("a", begin));
  for (int tenths = 2; tenths < 50; tenths += 2) {
    EXPECT_FALSE(evictions.due("a", begin + std::chrono::milliseconds(tenths * 100))) << tenths;
  }
  EXPECT_TRUE(evictions.due("b", begin + seconds(1))) << "another one has a time of its own";
  EXPECT_TRUE(evictions.due("a", begin + seconds(5)));
  EXPECT_FALSE(evictions.due("a", begin + seconds(6)));
}

}  // namespace
}  // namespace vkb::cli
