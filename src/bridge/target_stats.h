#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bridge/target_pods.h"
#include "kube/client.h"
#include "vkbridge/provider.h"
#include "vkbridge/streams.h"

namespace vkb::bridge {

/// Adds up what rates say: a cumulative counter of a container's CPU time from "so many cores over
/// the window that ended then". Only grows. Not thread-safe.
class CpuIntegrator {
 public:
  /// Nanoseconds of CPU time used by `key` until `at`. A sample as old as the last one, or older,
  /// adds nothing.
  std::int64_t add(const std::string& key, WallTime at, std::chrono::nanoseconds window,
                   std::int64_t nano_cores);
  /// Forgets who was not seen since.
  void dropBefore(WallTime time);
  std::size_t size() const { return counters_.size(); }

 private:
  struct Counter {
    WallTime at;
    double nanoseconds = 0;
  };
  std::map<std::string, Counter> counters_;
};

/// Statistics of the delegates as a kubelet's summary under home's names: from the target's
/// metrics.k8s.io, or (`join --metrics=nodes`) from its nodes' own summaries through nodes/proxy. A
/// target without metrics gives an empty summary.
class TargetStats final : public PodStats {
 public:
  struct Deps {
    const Clock& clock;
    kube::Client& target;
    std::function<std::optional<TargetPods::Delegate>(const PodPlace&)> delegate_at;
    std::function<void(const TargetPods::Visit&)> for_each_delegate;
    /// Null when home's pod is gone.
    std::function<json::ObjectPtr(const std::string& home_uid)> home_pod;
  };
  struct Options {
    std::string home_id, node;
    bool from_nodes = false;
    std::string ns{};  ///< where all delegates are; empty: anywhere
  };
  TargetStats(Deps deps, Options options) : deps_(std::move(deps)), options_(std::move(options)) {}

  Result<Json> getStatsSummary(std::stop_token stop) override;

 private:
  Result<Json> podsFromMetricsApi();
  Result<Json> podsFromNodes(const std::stop_token& stop);
  std::optional<Json> podStats(const Json& metrics);

  const Deps deps_;
  const Options options_;
  std::mutex mutex_;
  CpuIntegrator cpu_;  ///< guarded by mutex_
};

}  // namespace vkb::bridge
