#include <benchmark/benchmark.h>

#include "base/allocator.h"

int main(int argc, char** argv) {
  vkb::base::returnLargeBuffers();  // as the bridge's own main does
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
