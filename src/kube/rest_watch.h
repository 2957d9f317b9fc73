#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/thread_group.h"
#include "kube/client.h"
#include "kube/rest_exchange.h"

namespace vkb::kube {

/// The running watches of one client: a thread each. A handle that is destroyed stops its watch at
/// once and lets the thread end by itself (it may be connecting, or be the very thread that
/// destroys the handle); the destructor here shuts the exchange down and waits for all of them.
class RestWatches {
 public:
  explicit RestWatches(RestExchange& exchange) : exchange_(exchange) {}
  ~RestWatches();
  std::unique_ptr<WatchHandle> start(const Resource& resource, const WatchOptions& options,
                                     WatchHandler& handler);

 private:
  class Watch;
  class Handle;
  void run(const std::shared_ptr<Watch>& watch, const std::string& target,
           const WatchOptions& options);
  Status follow(Watch& watch, const std::string& target, const WatchOptions& options);

  RestExchange& exchange_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Watch>> running_;
  base::ThreadGroup threads_;
};

}  // namespace vkb::kube
