#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kube/client.h"
#include "kube/identity.h"
#include "kube/kubeconfig.h"
#include "net/event_loop.h"
#include "state/state_folder.h"

namespace vkb::cli {

/// Flags that every command takes.
struct CommonOptions {
  std::string home_kubeconfig;  ///< empty: as kubectl finds it
  std::string state_dir;        ///< empty: StateFolder::defaultPath()
  std::string log_level = "info";
  std::string log_format = "text";

  std::filesystem::path stateDir() const;
};

/// The real things behind the seams, for the length of one command.
class Session {
 public:
  explicit Session(CommonOptions options);

  const CommonOptions& options() const { return options_; }
  const Clock& clock() const { return clock_; }
  base::Logger& logger() { return logger_; }
  base::Metrics& metrics() { return metrics_; }
  base::ThreadPoolExecutor& executor() { return executor_; }
  Runtime runtime() { return {clock_, executor_, random_}; }

  /// A client for `access`; `cluster` labels its metrics. `proof`: of the IdentityGuard above it.
  /// `watches`: RestClientOptions::watch_thread.
  Result<std::unique_ptr<kube::Client>> connect(
      const kube::ClusterAccess& access, const std::string& cluster,
      std::shared_ptr<kube::IdentityProof> proof = nullptr,
      std::shared_ptr<net::EventThread> watches = nullptr);

  struct Home {
    kube::ClusterAccess access;
    std::unique_ptr<kube::Client> client;
    std::string id;
  };
  /// Reaches the home cluster and reads its identity.
  Result<Home> connectHome();

  /// Asks `done` every 200 ms until it says true or `timeout` has passed (false then). After two
  /// seconds `progress()` is shown on stderr, rewritten in place on a terminal.
  bool waitUntil(Duration timeout, const std::function<bool()>& done,
                 const std::function<std::string()>& progress);

 private:
  CommonOptions options_;
  base::SystemClock clock_;
  base::SystemRandom random_;
  base::StderrLogger logger_;
  base::Metrics metrics_;
  base::ThreadPoolExecutor executor_;
};

/// "vk-bridge/0.1.0", as User-Agent and --version say.
std::string productVersion();

}  // namespace vkb::cli
