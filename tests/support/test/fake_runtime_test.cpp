#include "support/fake_runtime.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

namespace vkb::test {
namespace {

using namespace std::chrono_literals;

class FakeRuntimeTest : public ::testing::Test {
 protected:
  Executor::Task note(const std::string& word) {
    return [this, word] { words_.push_back(word); };
  }
  FakeRuntime rt_;
  std::vector<std::string> words_;
};

TEST_F(FakeRuntimeTest, TasksRunInTheOrderPosted) {
  rt_.executor.post(note("a"));
  rt_.executor.post(note("b"));
  rt_.settle();
  EXPECT_EQ(words_, (std::vector<std::string>{"a", "b"}));
}

TEST_F(FakeRuntimeTest, AdvanceFiresTimersInTheOrderOfTimeThenOfMaking) {
  rt_.executor.postAfter(2s, note("late"));
  rt_.executor.postAfter(1s, note("first"));
  rt_.executor.postAfter(1s, note("second"));
  rt_.advance(1s);
  EXPECT_EQ(words_, (std::vector<std::string>{"first", "second"}));
  rt_.advance(1s);
  EXPECT_EQ(words_.back(), "late");
}

TEST_F(FakeRuntimeTest, ATimerSeesTheTimeItWasDueAt) {
  const TimePoint start = rt_.clock.now();
  TimePoint seen{};
  rt_.executor.postAfter(3s, [&] { seen = rt_.clock.now(); });
  rt_.advance(10s);
  EXPECT_EQ(seen - start, Duration(3s));
  EXPECT_EQ(rt_.clock.now() - start, Duration(10s));
}

TEST_F(FakeRuntimeTest, SettleLeavesFutureTimersAlone) {
  rt_.executor.postAfter(1ms, note("timer"));
  rt_.settle();
  EXPECT_TRUE(words_.empty());
  EXPECT_EQ(rt_.executor.timers(), 1U);
}

TEST_F(FakeRuntimeTest, ACancelledTimerDoesNotRun) {
  const auto id = rt_.executor.postAfter(1s, note("never"));
  EXPECT_TRUE(rt_.executor.cancel(id));
  EXPECT_FALSE(rt_.executor.cancel(id));
  rt_.advance(5s);
  EXPECT_TRUE(words_.empty());
}

TEST_F(FakeRuntimeTest, CancelOfATimerThatRanSaysSo) {
  const auto id = rt_.executor.postAfter(1s, note("ran"));
  rt_.advance(1s);
  EXPECT_FALSE(rt_.executor.cancel(id));
}

TEST_F(FakeRuntimeTest, DropForgetsTasksAndTimers) {
  rt_.executor.post(note("task"));
  rt_.executor.postAfter(1s, note("timer"));
  rt_.executor.drop();
  rt_.advance(5s);
  EXPECT_TRUE(words_.empty());
}

TEST_F(FakeRuntimeTest, ADroppedScopeLosesItsOwnTasksOnlyAndTakesNoMore) {
  const auto crashed = rt_.executor.scope();
  const auto other = rt_.executor.scope();
  crashed->post(note("crashed"));
  crashed->postAfter(1s, note("crashed timer"));
  other->post(note("other"));
  rt_.executor.post(note("root"));
  crashed->drop();
  crashed->post(note("after the crash"));
  rt_.advance(5s);
  EXPECT_EQ(words_, (std::vector<std::string>{"other", "root"}));
}

TEST_F(FakeRuntimeTest, AnExceptionReachesTheCallerAndTheOtherTasksStay) {
  rt_.executor.post([] { throw std::runtime_error("crash"); });
  rt_.executor.post(note("next"));
  EXPECT_THROW(rt_.settle(), std::runtime_error);
  rt_.settle();
  EXPECT_EQ(words_, (std::vector<std::string>{"next"}));
}

TEST_F(FakeRuntimeTest, TheSameSeedShufflesTheSameWay) {
  const auto run = [](std::uint64_t seed) {
    FakeRuntime rt;
    rt.executor.shuffle(seed);
    std::vector<int> order;
    for (int i = 0; i < 20; ++i) rt.executor.post([&order, i] { order.push_back(i); });
    rt.settle();
    return order;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

TEST_F(FakeRuntimeTest, TasksThatNeverEndAreReported) {
  std::function<void()> again = [&] { rt_.executor.post(again); };
  rt_.executor.post(again);
  EXPECT_DEATH(rt_.executor.settle(100), "busy for ever");
  rt_.executor.drop();
}

TEST_F(FakeRuntimeTest, RandomNumbersDependOnTheSeedAlone) {
  EXPECT_EQ(FakeRandom(1).next(), 0x910a2dec89025cc1ULL);  // splitmix64's published first number
  EXPECT_NE(FakeRandom(1).next(), FakeRandom(2).next());
}

TEST_F(FakeRuntimeTest, CalendarTimeCanBeMovedAlone) {
  const TimePoint mono = rt_.clock.now();
  const WallTime wall = rt_.clock.wallNow();
  rt_.clock.skewWall(-1h);
  EXPECT_EQ(rt_.clock.now(), mono);
  EXPECT_EQ(wall - rt_.clock.wallNow(), 1h);
}

}  // namespace
}  // namespace vkb::test
