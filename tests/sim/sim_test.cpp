#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "actions.h"
#include "checker.h"

namespace vkb::sim {
namespace {

constexpr int kSteps = 60;

/// Runs one seed; empty when all held, else what broke and what had happened.
std::string runSeed(std::uint64_t seed) {
  World world(seed);
  Checker checker(world);
  Actions actions(world);
  world.startBridge();
  for (int i = 0; i < kSteps && checker.violations().empty(); ++i) actions.step();
  if (checker.violations().empty()) {
    world.heal();
    checker.checkSettled();
  }
  if (checker.violations().empty()) return "";
  std::ostringstream report;
  report << "seed " << seed << "\n";
  for (const auto& action : actions.log()) report << "  " << action << "\n";
  for (const auto& violation : checker.violations()) report << "  VIOLATED " << violation << "\n";
  return report.str();
}

std::uint64_t environmentNumber(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : fallback;
}

/// SIM_FIRST and SIM_SEEDS choose the seeds; a failing one replays alone with SIM_SEEDS=1.
TEST(Simulation, InvariantsHoldOverCrashesFaultsAndEverybodysActions) {
  const std::uint64_t first = environmentNumber("SIM_FIRST", 1);
  const std::uint64_t seeds = environmentNumber("SIM_SEEDS", 300);
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const std::string report = runSeed(seed);
    ASSERT_EQ(report, "");
  }
}

}  // namespace
}  // namespace vkb::sim
