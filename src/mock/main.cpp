// vk-mock-node: N nodes in memory as a program; the in-memory provider on a real cluster.
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>

#include "base/clock.h"
#include "base/executor.h"
#include "kube/kubeconfig.h"
#include "kube/rest_client.h"
#include "mock/fleet.h"

namespace vkb::mock {
namespace {

struct Arguments {
  std::string kubeconfig, context;
  std::string run_after, ready_after, exit_after, delete_after;
  std::vector<std::string> labels;
  double qps = 0;
  std::size_t threads = 32;
  bool verbose = false, remove_nodes = false;
  Fleet::Options fleet;
};

void describe(CLI::App& app, Arguments& arguments) {
  Fleet::Options& fleet = arguments.fleet;
  app.add_option("--kubeconfig", arguments.kubeconfig, "of the cluster to be a node of");
  app.add_option("--nodes", fleet.nodes, "how many nodes")->check(CLI::Range(1, 5000));
  app.add_option("--name-prefix", fleet.name_prefix, "nodes are PREFIX-0, PREFIX-1, ...");
  app.add_option("--cpu", fleet.cpu, "capacity of each node");
  app.add_option("--memory", fleet.memory, "capacity of each node");
  app.add_option("--pods", fleet.pods, "capacity of each node");
  app.add_option("--address", fleet.address, "InternalIP of the nodes");
  app.add_option("--label", arguments.labels, "KEY=VALUE, a label of every node");
  app.add_option("--taint", fleet.taints, "KEY=VALUE:EFFECT, a taint of every node");
  app.add_option("--run-after", arguments.run_after, "created -> Running, such as 200ms");
  app.add_option("--ready-after", arguments.ready_after, "Running -> Ready");
  app.add_option("--exit-after", arguments.exit_after, "Ready -> containers end; not given: never");
  app.add_option("--exit-code", fleet.defaults.exit_code, "with which code");
  app.add_option("--delete-after", arguments.delete_after,
                 "asked to go -> gone; at most the grace");
  app.add_option("--qps", arguments.qps, "requests a second; 0: no limit");
  app.add_option("--concurrency", fleet.concurrency, "pods of one node handled at once")
      ->check(CLI::Range(1, 64));
  app.add_option("--threads", arguments.threads, "of the process")->check(CLI::Range(4, 512));
  app.add_flag("--remove-nodes-at-exit", arguments.remove_nodes, "delete the nodes at SIGTERM");
  app.add_flag("--verbose", arguments.verbose, "log every turn of every pod");
}

Result<void> settle(Arguments& arguments) {
  PodScript& script = arguments.fleet.defaults;
  const auto read = [](const std::string& text, auto& target) -> Result<void> {
    if (text.empty()) return {};
    const auto value = parseDuration(text);
    if (!value) return failure(value.error());
    target = *value;
    return {};
  };
  if (auto done = read(arguments.run_after, script.run_after); !done) return done;
  if (auto done = read(arguments.ready_after, script.ready_after); !done) return done;
  if (auto done = read(arguments.exit_after, script.exit_after); !done) return done;
  if (auto done = read(arguments.delete_after, script.delete_after); !done) return done;
  for (const auto& label : arguments.labels) {
    const auto equals = label.find('=');
    if (equals == std::string::npos) return invalid("--label " + label + ": KEY=VALUE is wanted");
    arguments.fleet.labels[label.substr(0, equals)] = label.substr(equals + 1);
  }
  return {};
}

Result<void> serve(const Arguments& arguments, const sigset_t& signals) {
  base::SystemClock clock;
  base::SystemRandom random;
  base::StderrLogger logger(arguments.verbose ? base::LogLevel::kDebug : base::LogLevel::kInfo,
                            base::StderrLogger::Format::kText);
  base::Metrics metrics;
  auto access = kube::loadDefaultKubeconfig(arguments.kubeconfig);
  if (!access) return failure(access.error());
  const double qps = arguments.qps > 0 ? arguments.qps : 1e6;
  auto client = kube::makeRestClient(*access, clock, random, logger, metrics,
                                     {.user_agent = "vk-mock-node",
                                      .cluster = "home",
                                      .qps = qps,
                                      .burst = 2 * qps,
                                      .max_connections = arguments.threads});
  if (!client) return failure(client.error());
  base::ThreadPoolExecutor executor(arguments.threads);
  Fleet fleet({{clock, executor, random}, **client, logger, metrics}, arguments.fleet);
  if (auto started = fleet.start(); !started) return started;
  VKB_LOG(logger, Info, "nodes in memory run", {"nodes", arguments.fleet.nodes},
          {"prefix", arguments.fleet.name_prefix}, {"server", access->server});
  int signal = 0;
  sigwait(&signals, &signal);
  VKB_LOG(logger, Info, "stopping", {"signal", signal}, {"pods", fleet.pods()});
  fleet.stop();
  const Result<void> removed = arguments.remove_nodes ? fleet.removeNodes() : Result<void>();
  executor.stop();
  return removed;
}

}  // namespace
}  // namespace vkb::mock

int main(int argc, char** argv) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread: main alone waits for them
  vkb::mock::Arguments arguments;
  CLI::App app("Nodes in memory: pods bound to them run, end and fail as their annotations say.");
  vkb::mock::describe(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const auto settled = vkb::mock::settle(arguments); !settled) {
    std::fprintf(stderr, "vk-mock-node: %s\n", settled.error().message.c_str());
    return 2;
  }
  if (const auto served = vkb::mock::serve(arguments, signals); !served) {
    std::fprintf(stderr, "vk-mock-node: %s\n", served.error().message.c_str());
    return 1;
  }
  return 0;
}
