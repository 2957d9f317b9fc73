// What lists and single requests cost on the way in.
#include <benchmark/benchmark.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "bench/api_server.h"
#include "bench/cpu_time.h"
#include "bench/pods.h"
#include "json/object.h"
#include "net/http_client.h"

namespace vkb::bench {
namespace {

void decodeList(benchmark::State& state) {
  const std::string body = podListJson(0, 500, "2000");
  for (auto _ : state) benchmark::DoNotOptimize(json::splitList(body).value().items.size());
  const double bytes = static_cast<double>(body.size() * state.iterations());
  state.counters["figure"] = benchmark::Counter(bytes / 1e6, benchmark::Counter::kIsRate);
  state.counters["pod_bytes"] = static_cast<double>(body.size()) / 500;
}
BENCHMARK(decodeList)->Name("decode_podlist_MB_per_s")->Unit(benchmark::kMillisecond);

/// Four callers on one core share a client: `figure` is GETs by the client's CPU time, `wall` by
/// the clock. The server has another core.
void pooledGets(benchmark::State& state) {
  constexpr int kCallers = 4, kGets = 5'000;
  const ApiServer server;
  base::SystemClock clock;
  base::SystemRandom random;
  net::Endpoint endpoint;
  endpoint.host = "127.0.0.1";
  endpoint.port = server.port();
  endpoint.ca_pem = server.caPem();
  net::HttpClient client(endpoint, clock, random);
  const net::HttpRequest request{.method = "GET",
                                 .target = "/pod",
                                 .headers = {{"User-Agent", "vk-bridge/bench"},
                                             {"Accept", "application/json"},
                                             {"Authorization", "Bearer a-bearer-token"}}};
  std::atomic<int> bad{0};
  const auto run = [&](int gets) {
    std::vector<std::jthread> callers;
    for (int i = 0; i < kCallers; ++i) {
      callers.emplace_back([&, gets] {
        for (int n = 0; n < gets; ++n) {
          const auto response = client.send(request);
          if (!response || response->code != 200 || response->body.size() < 5'000) ++bad;
        }
      });
    }
  };
  run(100);  // handshakes
  for (auto _ : state) {
    const double cpu = processCpuSeconds();
    const auto begun = std::chrono::steady_clock::now();
    run(kGets);
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begun;
    const double gets = kCallers * kGets;
    state.counters["figure"] = gets / (processCpuSeconds() - cpu);
    state.counters["wall"] = gets / wall.count();
  }
  if (bad > 0) state.SkipWithError("some GETs failed");
}
BENCHMARK(pooledGets)->Name("pooled_gets_per_cpu_s")->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace vkb::bench
