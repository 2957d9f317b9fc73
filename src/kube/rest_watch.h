#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/thread_group.h"
#include "kube/client.h"
#include "kube/rest_exchange.h"
#include "net/event_loop.h"

namespace vkb::kube {

/// The running watches of one client. Each is opened by a thread of its own, which that may keep
/// busy for a while (a name lookup, a handshake), and then followed by one thread for all (of this
/// client, or of more: RestClientOptions::watch_thread): handlers are called there and must not
/// block. A handle that is destroyed stops its watch at once, even from within a handler's call;
/// the destructor here calls off what is under way, waits for it, and is for no handler to run.
class RestWatches {
 public:
  explicit RestWatches(RestExchange& exchange);
  ~RestWatches();
  std::unique_ptr<WatchHandle> start(const Resource& resource, const WatchOptions& options,
                                     WatchHandler& handler);

 private:
  class Watch;
  class Handle;
  struct Followed;
  bool startLoop();
  void open(const std::shared_ptr<Watch>& watch, const std::string& target,
            const WatchOptions& options);
  void follow(std::unique_ptr<Followed> followed);
  void readLines(std::uint64_t id);
  void end(std::uint64_t id, Status why);
  bool endSilent();

  RestExchange& exchange_;
  std::mutex mutex_;
  bool loop_runs_ = false;
  std::vector<std::weak_ptr<Watch>> watches_;                    ///< that may be under way
  std::map<std::uint64_t, std::unique_ptr<Followed>> followed_;  ///< the loop's thread only
  std::uint64_t next_id_ = 1;                                    ///< likewise
  base::ThreadGroup openers_;
  net::EventLoop loop_;
};

}  // namespace vkb::kube
