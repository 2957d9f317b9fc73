#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "support/watch.h"

namespace vkb::e2e {

/// Writes down everything that ever happens to the selected objects, in the background, from the
/// moment it is made: what invariants over the whole time are checked against. Thread-safe.
class Recorder {
 public:
  Recorder(Cluster cluster, Selection selection);
  ~Recorder();

  /// Returns the history once it holds everything that has happened up to this call. Throws when
  /// that takes longer than kPatience, or when the watch broke and the history has a gap.
  std::vector<WatchEvent> history();

 private:
  void follow(const std::string& resource_version);

  const Cluster cluster_;
  const Selection selection_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<WatchEvent> history_;
  std::map<std::string, std::string> live_;  ///< key -> "uid@resourceVersion"
  bool broken_ = false, stop_ = false;
  std::thread thread_;
};

/// In a history of delegates: home UID -> UIDs of all delegates that were ever made for it.
std::map<std::string, std::set<std::string>> delegatesByHomeUid(
    const std::vector<WatchEvent>& history);

}  // namespace vkb::e2e
