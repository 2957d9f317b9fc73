#include "load/bystanders.h"

#include <atomic>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "load/pod_census.h"
#include "load/pod_template.h"

namespace vkb::load {
namespace {

/// Pod i is foreign-<i>; the oldest is replaced by a new one.
class Bystanders {
 public:
  Bystanders(Workplace& place, kube::Client& client, const BystanderOptions& options)
      : place_(place), client_(client), options_(options) {}

  void makeAll() {
    for (std::size_t worker = 0; worker < options_.workers; ++worker) {
      place_.executor().post([this] {
        for (std::size_t i = made_++; i < options_.pods; i = made_++) make(i);
      });
    }
  }

  void churn() {
    const std::chrono::duration<double> pause(1 / options_.churn);
    place_.executor().postAfter(std::chrono::duration_cast<Duration>(pause), [this] {
      churn();
      const std::size_t oldest = gone_++;
      note(client_.remove(kube::kPods, options_.ns, nameOf(oldest), {.grace_period_seconds = 0}));
      make(oldest + options_.pods);
    });
  }

 private:
  static std::string nameOf(std::size_t i) { return "foreign-" + std::to_string(i); }

  void make(std::size_t i) {
    const std::string node = options_.node_prefix + "-" + std::to_string(i % options_.nodes);
    const auto made =
        client_.create(kube::kPods, options_.ns, foreignPod(options_.ns, nameOf(i), node));
    if (!made) note(failure(made.error()));
  }

  void note(const Result<void>& done) {
    if (done) return;
    VKB_LOG(place_.logger(), Warn, "bystander", {"message", done.error().message});
  }

  Workplace& place_;
  kube::Client& client_;
  const BystanderOptions& options_;
  std::atomic<std::size_t> made_{0}, gone_{0};
};

}  // namespace

Result<void> runBystanders(const BystanderOptions& options) {
  blockSignals();
  Workplace place(options.workers + 8);
  const auto client = place.connect(options.kubeconfig);
  if (!client) return failure(client.error());
  Bystanders bystanders(place, **client, options);
  {
    PodCensus census(place.runtime(), **client, place.logger(), options.ns);
    bystanders.makeAll();
    if (!census.waitUntilReady(options.pods, std::chrono::minutes(10))) {
      return failure({.reason = reasons::kInternal, .message = "not all bystanders got Ready"});
    }
  }
  std::printf("ready\n");
  std::fflush(stdout);
  if (options.churn > 0) bystanders.churn();
  waitForSignal();
  place.executor().stop();
  return {};
}

}  // namespace vkb::load
