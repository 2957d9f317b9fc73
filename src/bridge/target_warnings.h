#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/log.h"
#include "kube/call_gate.h"
#include "kube/client.h"
#include "vkbridge/json.h"
#include "vkbridge/runtime.h"

namespace vkb::bridge {

/// What a Warning event of the target says, once.
struct TargetWarning {
  std::string reason, message;
  std::int64_t count = 1;   ///< how often it happened so far
  std::string last_seen{};  ///< as the target wrote it
};

/// The Warning events of a list, those with the same words as one.
std::vector<TargetWarning> warningsOf(const std::vector<Json>& events);

/// Is this a delegate whose events help: neither Ready nor ended nor being deleted?
bool needsExplaining(const Json& delegate);

/// Shows the target's Warning events (an image that cannot be pulled, a volume that cannot be
/// mounted, no node that fits) on the home pod, while its delegate is not Ready: design §6. Events
/// are asked for by the delegate's UID, first when it was not Ready for 10 s, then at most once a
/// minute, less often while nothing new comes; and at most five requests a second for a cluster, so
/// that a target where nothing starts is not asked to death. Thread-safe.
class TargetWarnings {
 public:
  struct Deps {
    Runtime runtime;
    kube::Client& target;
    base::Logger& logger;
  };
  /// `show` gets kind and metadata of the home pod; called from an executor task.
  using Show = std::function<void(const Json& home_pod, const TargetWarning& warning)>;
  TargetWarnings(Deps deps, Show show);

  /// Tell with every version of a delegate that home is told of.
  void observe(const Json& home_pod, const Json& delegate);
  void forget(const std::string& home_uid);
  /// Nothing is shown any more afterwards.
  void stop();

 private:
  struct Watched {
    std::string home_ns, home_name;
    std::string ns, delegate_uid;  ///< of the delegate
    TimePoint due{};
    Duration interval{};
    std::map<std::string, std::string> shown{};  ///< words of a warning -> when it was last seen
  };

  void arm(Duration delay);
  void ask();
  /// The delegates whose turn it is.
  std::vector<std::string> takeDue();
  void askAbout(const std::string& home_uid);
  std::vector<TargetWarning> keepNew(const std::string& home_uid,
                                     std::vector<TargetWarning> warnings);

  Deps deps_;
  const Show show_;
  std::shared_ptr<kube::CallGate> gate_ = std::make_shared<kube::CallGate>();
  std::mutex mutex_;
  std::unordered_map<std::string, Watched> watched_;  ///< by home UID
  bool armed_ = false;
};

}  // namespace vkb::bridge
