#include <gtest/gtest.h>

#include <cstdlib>

#include "run.h"

namespace vkb::sim {
namespace {

std::uint64_t environmentNumber(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : fallback;
}

constexpr int kShards = 8;

/// SIM_FIRST and SIM_SEEDS choose the seeds, which the shards share out.
class Simulation : public testing::TestWithParam<int> {};

TEST_P(Simulation, InvariantsHoldOverCrashesFaultsAndEverybodysActions) {
  const std::uint64_t first = environmentNumber("SIM_FIRST", 1);
  const std::uint64_t seeds = environmentNumber("SIM_SEEDS", 2400);
  for (std::uint64_t seed = first + static_cast<std::uint64_t>(GetParam()); seed < first + seeds;
       seed += kShards) {
    ASSERT_EQ(runSeed(seed), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Simulation, testing::Range(0, kShards));

TEST(Replay, TheSameSeedGivesTheSameHistory) {
  const Script script = drawScript(42);
  const RunResult once = run(script), again = run(script);
  EXPECT_EQ(once.said, again.said);
  EXPECT_EQ(once.steps, again.steps);
  EXPECT_EQ(once.delegates, again.delegates);
}

TEST(Replay, SeedsDiffer) { EXPECT_NE(run(drawScript(1)).steps, run(drawScript(2)).steps); }

}  // namespace
}  // namespace vkb::sim
