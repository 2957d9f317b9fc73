#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "script.h"

namespace vkb::sim {

struct RunResult {
  std::vector<std::string> violations;  ///< "<invariant>: <what>"; empty: all held
  std::vector<std::string> said;        ///< what each action did, "" where it did nothing
  std::size_t steps = 0;                ///< executor tasks
  std::size_t delegates = 0;            ///< ever made
};

/// Lives through one script, lets everything come to rest, and says what broke.
RunResult run(const Script& script);

/// `script` with the actions of these indices alone.
Script only(const Script& script, const std::vector<std::size_t>& indices);

/// Indices of actions that suffice to break the same invariant: none of them alone can be left out.
std::vector<std::size_t> reduce(const Script& script, const RunResult& failed);

/// What a person needs: the reduced actions, what broke, and how to see it again.
std::string report(const Script& script, const RunResult& failed);

/// One seed: empty when all held, else the report.
std::string runSeed(std::uint64_t seed);

}  // namespace vkb::sim
