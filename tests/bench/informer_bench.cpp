// The informer, from socket to handlers: what its store takes, what a relist and events cost.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "bench/api_server.h"
#include "bench/cpu_time.h"
#include "json/object.h"
#include "kube/informer.h"
#include "kube/rest_client.h"
#include "net/tls_test_server.h"

namespace vkb::bench {
namespace {

/// A count that the informer's threads raise and the benchmark waits for; notes the process's CPU
/// time when it is reached.
class Counted {
 public:
  explicit Counted(std::vector<std::size_t> marks) : marks_(std::move(marks)) {}
  void up() {
    const std::size_t count = ++count_;
    if (std::find(marks_.begin(), marks_.end(), count) == marks_.end()) return;
    times_.push_back(processCpuSeconds());
    reached_.open();
  }
  /// CPU times at the marks, once all are reached.
  std::vector<double> wait() {
    if (!reached_.wait(static_cast<int>(marks_.size()))) return {};
    return times_;
  }

 private:
  const std::vector<std::size_t> marks_;
  std::atomic<std::size_t> count_{0};
  std::vector<double> times_;  ///< informer handlers come one at a time; read after the last mark
  test::Gate reached_;
};

/// A client of the server and an informer of one namespace's pods.
class World {
 public:
  World(const ApiServer& server, const std::string& ns) : executor_(8), client_(clientOf(server)) {
    kube::ReflectorOptions options;
    options.resource = kube::kPods;
    options.list.ns = ns;
    options.name = "pods";
    informer = std::make_unique<kube::Informer>(kube_runtime(), *client_, logger_, options);
  }
  ~World() {
    informer->stop();
    informer.reset();
  }

  std::unique_ptr<kube::Informer> informer;

 private:
  Runtime kube_runtime() { return {clock_, executor_, random_}; }
  std::unique_ptr<kube::Client> clientOf(const ApiServer& server) {
    kube::ClusterAccess access;
    access.server = "https://127.0.0.1:" + std::to_string(server.port());
    access.ca_pem = server.caPem();
    access.token = "a-bearer-token";
    kube::RestClientOptions options;
    options.user_agent = "vk-bridge/bench";
    options.cluster = "bench";
    return kube::makeRestClient(access, clock_, random_, logger_, metrics_, options).value();
  }

  base::SystemClock clock_;
  base::SystemRandom random_;
  base::NullLogger logger_;
  base::Metrics metrics_;
  base::ThreadPoolExecutor executor_;
  std::unique_ptr<kube::Client> client_;
};

double residentMegabytes() {
  std::ifstream statm("/proc/self/statm");
  long pages = 0, resident = 0;
  statm >> pages >> resident;
  return static_cast<double>(resident * ::sysconf(_SC_PAGESIZE)) / 1e6;
}

void store(benchmark::State& state) {
  for (auto _ : state) {
    const ApiServer server;
    const double before = residentMegabytes();
    World world(server, "all");
    Counted added({kPodCount, kPodCount + 1});
    world.informer->addHandler([&](const auto&, const auto&) { added.up(); });
    world.informer->start();
    if (added.wait().empty() || world.informer->size() != kPodCount) {
      return state.SkipWithError("the pods did not come");
    }
    world.informer->stop();
    // After a relist, which had both states in hand for a moment: what a long-lived process holds.
    state.counters["figure"] = residentMegabytes() - before;
  }
}
BENCHMARK(store)->Name("store_10000_pods_MB")->Iterations(1)->Unit(benchmark::kMillisecond);

void relist(benchmark::State& state) {
  for (auto _ : state) {
    const ApiServer server;
    World world(server, "all");
    // The last pod has changed when the list comes again: the call after the first list's.
    Counted told({kPodCount, kPodCount + 1});
    world.informer->addHandler([&](const auto&, const auto&) { told.up(); });
    world.informer->start();
    const auto times = told.wait();
    if (times.empty()) return state.SkipWithError("no relist came");
    state.counters["figure"] = times[1] - times[0];
  }
}
BENCHMARK(relist)->Name("relist_10000_pods_cpu_s")->Iterations(1)->Unit(benchmark::kMillisecond);

void events(benchmark::State& state) {
  for (auto _ : state) {
    const ApiServer server;
    World world(server, "changing");
    Counted told({kEventCount});
    world.informer->addHandler([&](const auto&, const auto&) { told.up(); });
    const double begun = processCpuSeconds();
    world.informer->start();
    const auto times = told.wait();
    if (times.empty()) return state.SkipWithError("the events did not come");
    state.counters["figure"] = times[0] - begun;
  }
}
BENCHMARK(events)->Name("watch_20000_events_cpu_s")->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace vkb::bench
