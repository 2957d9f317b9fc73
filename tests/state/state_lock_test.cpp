#include <gmock/gmock.h>
#include <unistd.h>

#include "helpers.h"
#include "state/state_folder.h"

namespace vkb::state {
namespace {

using test::Child;
using test::modeOf;
using test::slurp;
using test::spill;
using test::TempFolder;
using ::testing::HasSubstr;

/// A process that holds the lock until it is killed.
void holdForever(const StateFolder& folder, const Child::Pipe& pipe) {
  const auto lock = StateLock::acquire(folder);
  pipe.say(lock ? "locked" : lock.error().message);
  ::pause();
}

TEST(StateLock, NobodyHoldsItInANewFolder) {
  TempFolder temp;
  EXPECT_EQ(StateLock::holder(temp.open()), std::nullopt);
}

TEST(StateLock, NamesThePidThatHoldsIt) {
  TempFolder temp;
  const auto folder = temp.open();
  Child child([&](const Child::Pipe& pipe) { holdForever(folder, pipe); });
  ASSERT_EQ(child.line(), "locked");
  EXPECT_EQ(StateLock::holder(folder), child.pid());
  const auto second = StateLock::acquire(folder);
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("(pid " + std::to_string(child.pid()) + ")"));
  EXPECT_EQ(StateLock::holder(folder), child.pid()) << "asking and failing disturb nothing";
}

TEST(StateLock, IsFreeAfterItsHolderWasKilled) {
  TempFolder temp;
  const auto folder = temp.open();
  Child child([&](const Child::Pipe& pipe) { holdForever(folder, pipe); });
  ASSERT_EQ(child.line(), "locked");
  child.kill();
  EXPECT_THAT(slurp(folder.path() / "lock"), ::testing::Not(::testing::IsEmpty())) << "stale";
  EXPECT_EQ(StateLock::holder(folder), std::nullopt);
  const auto lock = StateLock::acquire(folder);
  ASSERT_TRUE(lock);
  EXPECT_EQ(StateLock::holder(folder), ::getpid());
}

TEST(StateLock, ALongerStalePidIsReplacedWhole) {
  TempFolder temp;
  const auto folder = temp.open();
  spill(folder.path() / "lock", "999999999\n");
  const auto lock = StateLock::acquire(folder);
  ASSERT_TRUE(lock);
  EXPECT_EQ(slurp(folder.path() / "lock"), std::to_string(::getpid()) + "\n");
  EXPECT_EQ(modeOf(folder.path() / "lock"), 0600U);
}

TEST(StateLock, MovesWithItsValueAndEndsWithIt) {
  TempFolder temp;
  const auto folder = temp.open();
  {
    auto lock = StateLock::acquire(folder);
    ASSERT_TRUE(lock);
    const StateLock moved(std::move(*lock));
    EXPECT_FALSE(StateLock::acquire(folder));
  }
  EXPECT_EQ(StateLock::holder(folder), std::nullopt);
  EXPECT_TRUE(StateLock::acquire(folder));
}

}  // namespace
}  // namespace vkb::state
