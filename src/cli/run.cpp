#include <sys/resource.h>

#include <csignal>
#include <cstdio>

#include "cli/commands.h"
#include "cli/http_endpoint.h"
#include "cli/server.h"

namespace vkb::cli {
namespace {

/// Every session of the kubelet API takes two descriptors; the usual soft limit is 1024.
void raiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int waitForSignal() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int signal = 0;
  sigwait(&signals, &signal);
  return signal;
}

}  // namespace

Result<void> run(Session& session, const RunOptions& options) {
  raiseDescriptorLimit();
  auto folder = state::StateFolder::open(session.options().stateDir());
  if (!folder) return failure(folder.error());
  const auto clusters = folder->clusters();
  if (!clusters) return failure(clusters.error());
  auto home = session.connectHome();
  if (!home) return failure(home.error());
  auto server = Server::start(session, *folder, *home, options.node_address, options.kubelet);
  if (!server) return failure(server.error());

  const auto not_served = [&]() -> std::vector<std::string> {
    const auto joined = folder->clusters();
    if (!joined) return {joined.error().message};
    const std::size_t serving = (*server)->serving();
    if (serving >= joined->size()) return {};
    return {std::to_string(joined->size() - serving) + " joined clusters are not served yet"};
  };
  auto endpoint =
      HttpEndpoint::start(options.listen, {
                                              .metrics = [&] { return session.metrics().text(); },
                                              .health = [] { return std::vector<std::string>{}; },
                                              .ready = not_served,
                                          });
  if (!endpoint) return failure(endpoint.error());

  VKB_LOG(session.logger(), Info, "vk-bridge runs", {"state_dir", folder->path().string()},
          {"home", home->access.server}, {"clusters", clusters->size()},
          {"listen", options.listen});
  if (clusters->empty()) {
    VKB_LOG(session.logger(), Info,
            "no cluster is joined yet: vk-bridge join NAME --kubeconfig FILE");
  }
  const int signal = waitForSignal();
  VKB_LOG(session.logger(), Info, "stopping", {"signal", signal});
  (*endpoint)->stop();
  (*server)->stop();
  session.executor().stop();
  VKB_LOG(session.logger(), Info, "stopped");
  return {};
}

}  // namespace vkb::cli
