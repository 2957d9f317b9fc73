// sim --first S --seeds N [--keep 0,3,7] [--steps]: runs seeds and stops at the first violation
// (exit 1). scripts/sim.sh runs many of these.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <sstream>
#include <string>

#include "run.h"

namespace {

volatile std::sig_atomic_t g_seed = 0;

/// A check in the product that fails ends the process: which seed was it?
void onAbort(int) {
  std::fprintf(stderr, "seed %ld aborted\n", static_cast<long>(g_seed));
  std::signal(SIGABRT, SIG_DFL);
  std::abort();
}

std::vector<std::size_t> numbers(const std::string& text) {
  std::vector<std::size_t> result;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');) result.push_back(std::stoul(part));
  return result;
}

int replay(std::uint64_t seed, const std::string& keep) {
  using namespace vkb::sim;
  const Script script = only(drawScript(seed), numbers(keep));
  const RunResult result = run(script);
  for (const std::string& said : result.said) std::cout << "  " << said << "\n";
  for (const std::string& violation : result.violations) {
    std::cout << "  VIOLATED " << violation << "\n";
  }
  return result.violations.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1, seeds = 1;
  std::string keep;
  bool stats = false;
  for (int i = 1; i < argc; ++i) {
    const auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
    if (is("--stats")) {
      stats = true;
    } else if (i + 1 < argc && is("--first")) {
      first = std::strtoull(argv[++i], nullptr, 10);
    } else if (i + 1 < argc && is("--seeds")) {
      seeds = std::strtoull(argv[++i], nullptr, 10);
    } else if (i + 1 < argc && is("--keep")) {
      keep = argv[++i];
    } else {
      std::cerr << "usage: sim [--first S] [--seeds N] [--keep 0,3,7] [--stats]\n";
      return 2;
    }
  }
  std::signal(SIGABRT, onAbort);
  if (!keep.empty()) return replay(first, keep);
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    g_seed = static_cast<std::sig_atomic_t>(seed);
    if (stats) {
      const auto result = vkb::sim::run(vkb::sim::drawScript(seed));
      std::printf("%lu steps %zu delegates %zu violations %zu\n", static_cast<unsigned long>(seed),
                  result.steps, result.delegates, result.violations.size());
      continue;
    }
    const std::string report = vkb::sim::runSeed(seed);
    if (report.empty()) continue;
    std::cout << report << std::flush;
    return 1;
  }
  return 0;
}
