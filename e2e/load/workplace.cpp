#include "load/workplace.h"

#include <csignal>

#include "kube/kubeconfig.h"
#include "kube/rest_client.h"

namespace vkb::load {
namespace {

constexpr double kNoLimit = 1e6;

kube::RestClientOptions optionsFor(const std::string& cluster) {
  return {.user_agent = "vk-load",
          .cluster = cluster,
          .qps = kNoLimit,
          .burst = kNoLimit,
          .max_connections = 128};
}

sigset_t endSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

Result<std::unique_ptr<kube::Client>> Workplace::connect(const std::string& kubeconfig) {
  const auto access = kube::loadKubeconfig(kubeconfig);
  if (!access) return failure(access.error());
  return kube::makeRestClient(*access, clock_, random_, logger_, metrics_, optionsFor(kubeconfig));
}

Result<std::string> Workplace::scrape(const std::string& address) {
  kube::ClusterAccess access;
  access.server = "http://" + address;
  auto client =
      kube::makeRestClient(access, clock_, random_, logger_, metrics_, optionsFor("metrics"));
  if (!client) return failure(client.error());
  return (*client)->getRaw("/metrics");
}

double secondsBetween(TimePoint from, TimePoint to) {
  return std::chrono::duration<double>(to - from).count();
}

void blockSignals() {
  const sigset_t signals = endSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void waitForSignal() {
  const sigset_t signals = endSignals();
  int signal = 0;
  sigwait(&signals, &signal);
}

}  // namespace vkb::load
