#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/executor.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kube/client.h"

namespace vkb::load {

/// What every command of vk-load works with: real time, real threads, clients without limits.
class Workplace {
 public:
  explicit Workplace(std::size_t threads) : executor_(threads) {}
  ~Workplace() { executor_.stop(); }

  Runtime runtime() { return {clock_, executor_, random_}; }
  base::Logger& logger() { return logger_; }
  const Clock& clock() const { return clock_; }
  base::ThreadPoolExecutor& executor() { return executor_; }

  Result<std::unique_ptr<kube::Client>> connect(const std::string& kubeconfig);
  /// GET http://<address>/metrics
  Result<std::string> scrape(const std::string& address);

 private:
  base::SystemClock clock_;
  base::SystemRandom random_;
  base::StderrLogger logger_{base::LogLevel::kWarn, base::StderrLogger::Format::kText};
  base::Metrics metrics_;
  base::ThreadPoolExecutor executor_;
};

/// Seconds between two moments.
double secondsBetween(TimePoint from, TimePoint to);

/// SIGTERM and SIGINT: blocked in every thread that is started afterwards, then waited for.
void blockSignals();
void waitForSignal();

}  // namespace vkb::load
