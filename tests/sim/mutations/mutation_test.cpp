#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <string>

#include "base/protections.h"
#include "run.h"

namespace vkb {

namespace {
std::optional<base::Protection> g_missing;  // single-threaded, as the simulator is
}

bool base::protects(Protection protection) { return g_missing != protection; }

namespace sim {
namespace {

using base::Protection;

struct Mutation {
  const char* name;
  Protection missing;
};

constexpr Mutation kMutations[] = {
    {"DurableRecordFirst", Protection::kDurableRecordFirst},
    {"UidOnDelete", Protection::kUidOnDelete},
    {"UidInStatusPatch", Protection::kUidInStatusPatch},
    {"OwnershipFirst", Protection::kOwnershipFirst},
    {"PredecessorWait", Protection::kPredecessorWait},
    {"TerminalGuard", Protection::kTerminalGuard},
    {"ProofBeforeLost", Protection::kProofBeforeLost},
    {"ProofBeforeOrphan", Protection::kProofBeforeOrphan},
    {"RelistDiff", Protection::kRelistDiff},
    {"InFlightFence", Protection::kInFlightFence},
    {"IdentityRecheck", Protection::kIdentityRecheck},
    {"Claim", Protection::kClaim},
    {"MassLossBrake", Protection::kMassLossBrake},
    {"RecreateOnlyIfAlways", Protection::kRecreateOnlyIfAlways},
};

std::ostream& operator<<(std::ostream& out, const Mutation& mutation) {
  return out << mutation.name;
}

constexpr std::uint64_t kSeeds = 500;

/// The first seed that breaks something without this protection; 0: none does.
std::uint64_t firstSeedThatBreaks(const Mutation& mutation, RunResult& result) {
  const char* first = std::getenv("SIM_FIRST");
  const std::uint64_t begin = first ? std::strtoull(first, nullptr, 10) : 1;
  for (std::uint64_t seed = begin; seed < begin + kSeeds; ++seed) {
    g_missing = mutation.missing;
    result = run(drawScript(seed));
    g_missing.reset();
    if (!result.violations.empty()) return seed;
  }
  return 0;
}

class AProtection : public testing::TestWithParam<Mutation> {
 protected:
  ~AProtection() override { g_missing.reset(); }
};

TEST_P(AProtection, IsMissedWithinFiveHundredSeeds) {
  RunResult broken;
  const std::uint64_t seed = firstSeedThatBreaks(GetParam(), broken);
  ASSERT_NE(seed, 0u) << "nothing noticed that " << GetParam() << " is missing";
  std::cout << GetParam().name << ": seed " << seed << ", " << broken.violations.front() << "\n";
  EXPECT_EQ(runSeed(seed), "") << "the seed breaks something with the protection in place, too";
}

INSTANTIATE_TEST_SUITE_P(Each, AProtection, testing::ValuesIn(kMutations),
                         [](const auto& each) { return each.param.name; });

std::string content(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The symbol is in a program where protections can be switched off, and in no other.
TEST(TheShippedProgram, HoldsNoSwitch) {
  const std::string symbol = "vkb4base8protects";
  ASSERT_NE(content("/proc/self/exe").find(symbol), std::string::npos);
  const std::string shipped = content(VKB_SHIPPED);
  ASSERT_FALSE(shipped.empty()) << VKB_SHIPPED << " is not built";
  EXPECT_EQ(shipped.find(symbol), std::string::npos);
}

}  // namespace
}  // namespace sim
}  // namespace vkb
