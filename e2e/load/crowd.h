#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "load/pod_census.h"

namespace vkb::load {

/// The pods of one load in one cluster: load-0 to load-<n-1> of a namespace. The references outlive
/// it.
class Crowd {
 public:
  struct Options {
    std::string ns, node;  ///< node "": for the scheduler
    std::size_t pods = 0;
    std::size_t workers = 32;  ///< requests at once
    double rate = 0;           ///< pods a second; 0: as fast as the server answers
  };
  Crowd(Runtime runtime, kube::Client& client, base::Logger& logger, Options options);

  /// Begin; done() counts up as the requests are answered.
  void make();
  void remove();
  /// All answered within the time? False too when a request failed; the log says which.
  bool waitUntilAsked(std::chrono::seconds time);
  PodCensus& census() { return census_; }
  /// Name -> when its POST was sent.
  std::unordered_map<std::string, TimePoint> asked() const;

 private:
  /// `each(i)` for every pod, paced as the options say.
  void forEach(std::function<Result<void>(std::size_t)> each);
  void runOne(const std::function<Result<void>(std::size_t)>& each, std::size_t i);

  Runtime runtime_;
  kube::Client& client_;
  base::Logger& logger_;
  const Options options_;
  PodCensus census_;
  std::atomic<std::size_t> next_{0};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t answered_ = 0, failed_ = 0;
  std::unordered_map<std::string, TimePoint> asked_;
};

}  // namespace vkb::load
