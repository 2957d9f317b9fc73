#include "run.h"

#include <algorithm>
#include <numeric>
#include <sstream>

#include "actions.h"
#include "checker.h"
#include "world.h"

namespace vkb::sim {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

/// Longer than any backoff, attempt window or brake.
constexpr minutes kSettled{25};

/// Tasks at one and the same moment. More of them are retries without a pause.
constexpr std::size_t kBusy = 20'000;

/// Thrown out of the executor: it would never come to an end.
struct Restless {};

/// Counts the steps of a world, and ends a run whose tasks keep each other busy while no time
/// passes. Outlives the world.
class StepCounter {
 public:
  explicit StepCounter(std::size_t& steps) : steps_(steps) {}

  void watch(World& world) {
    world.runtime.executor.afterEach([this, &clock = world.runtime.clock] { count(clock.now()); });
  }

 private:
  void count(TimePoint now) {
    ++steps_;
    if (now != moment_) busy_ = 0;
    moment_ = now;
    if (++busy_ > kBusy) throw Restless();
  }

  std::size_t& steps_;
  TimePoint moment_{};
  std::size_t busy_ = 0;
};

/// Waits until nothing is left to wish for, then as long as a fence or a retry may still take.
void settle(World& world, Checker& checker, bool patient) {
  const Target* except = world.broken;
  if (patient) {
    world.advance(kSettled);
    return checker.checkSettled(except);
  }
  const TimePoint end = world.runtime.clock.now() + kSettled;
  world.advance(seconds(15));
  while (world.runtime.clock.now() < end) {
    const bool at_rest = checker.unsettled(except).empty();
    world.advance(at_rest ? seconds(45) : seconds(30));
    if (at_rest && checker.unsettled(except).empty()) break;
  }
  checker.checkSettled(except);
}

std::string invariantOf(const RunResult& result) {
  const std::string& first = result.violations.front();
  return first.substr(0, first.find(':'));
}

}  // namespace

namespace {

void runIn(World& world, Checker& checker, const Script& script, RunResult& result) {
  Actions actions(world, checker, script);
  if (script.company == Company::kBrokenTarget) world.breakSecondTarget(script.seed);
  world.start(world.first);
  for (const Action& action : script.actions) {
    actions.perform(action);
    result.said.push_back(actions.said());
    if (!checker.violations().empty()) break;
  }
  if (checker.violations().empty()) {
    world.endFaults();
    actions.restoreOrder();
    world.start(world.first);
    settle(world, checker, script.long_settling);
  }
  // Invariant 7: the other target never mattered. Now it gets well, too.
  if (checker.violations().empty() && world.broken != nullptr) {
    world.mendBrokenTarget();
    settle(world, checker, false);
  }
}

}  // namespace

RunResult run(const Script& script) {
  RunResult result;
  StepCounter counter(result.steps);
  World world(script);
  counter.watch(world);
  Checker checker(world);
  try {
    runIn(world, checker, script, result);
    result.violations = checker.violations();
  } catch (const Restless&) {
    result.violations = checker.violations();
    result.violations.emplace_back("progress: tasks keep each other busy and no time passes");
  }
  result.delegates = checker.delegatesMade();
  return result;
}

Script only(const Script& script, const std::vector<std::size_t>& indices) {
  Script part = script;
  part.actions.clear();
  for (const std::size_t index : indices) part.actions.push_back(script.actions.at(index));
  return part;
}

/// Leaves out ever smaller pieces as long as what is left breaks the same invariant.
std::vector<std::size_t> reduce(const Script& script, const RunResult& failed) {
  const std::string invariant = invariantOf(failed);
  std::vector<std::size_t> kept(std::min(script.actions.size(), failed.said.size()));
  std::iota(kept.begin(), kept.end(), 0U);
  for (std::size_t piece = std::max<std::size_t>(kept.size() / 2, 1);; piece /= 2) {
    bool smaller = false;
    for (std::size_t at = 0; at < kept.size();) {
      std::vector<std::size_t> fewer = kept;
      const auto first = fewer.begin() + static_cast<std::ptrdiff_t>(at);
      const std::size_t end = std::min(at + piece, kept.size());
      fewer.erase(first, fewer.begin() + static_cast<std::ptrdiff_t>(end));
      const RunResult again = run(only(script, fewer));
      if (!again.violations.empty() && invariantOf(again) == invariant) {
        kept = std::move(fewer);
        smaller = true;
      } else {
        at += piece;
      }
    }
    if (piece <= 1) {
      if (!smaller) return kept;
      piece = 2;  // what could not go before may go now
    }
  }
}

std::string report(const Script& script, const RunResult& failed) {
  const std::vector<std::size_t> kept = reduce(script, failed);
  const RunResult result = run(only(script, kept));
  std::ostringstream text;
  text << "seed " << script.seed << ", " << kept.size() << " of " << script.actions.size()
       << " actions:\n";
  std::string indices;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const Action& action = script.actions[kept[i]];
    const bool done = i < result.said.size() && !result.said[i].empty();
    text << "  " << kept[i] << "  " << (done ? result.said[i] : toString(action.kind)) << ", then "
         << std::chrono::duration_cast<std::chrono::milliseconds>(action.pause).count() << " ms\n";
    indices += (i > 0 ? "," : "") + std::to_string(kept[i]);
  }
  for (const std::string& violation : result.violations) text << "  VIOLATED " << violation << "\n";
  text << "  again: sim --first " << script.seed << " --keep " << indices << "\n";
  return text.str();
}

std::string runSeed(std::uint64_t seed) {
  const Script script = drawScript(seed);
  const RunResult result = run(script);
  return result.violations.empty() ? "" : report(script, result);
}

}  // namespace vkb::sim
