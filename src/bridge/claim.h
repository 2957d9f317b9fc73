#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "kube/client.h"
#include "vkbridge/runtime.h"

namespace vkb::bridge {

/// The right of one installation to write into a target for one virtual node: a Lease there (design
/// §5), so that a cloned home or a second bridge touches nothing. Renewed every 10 s.
///
/// It is believed for 30 s after the renewal that confirmed it was sent; then no write begins any
/// more, and the last one begun has taken effect or never will within another 30 s
/// (kube::kWriteCallDeadline + kube::kWriteTimeout). One taken from another holder (`join
/// --take-over`) is used once that time has passed for him. A claim of another installation is
/// never taken by itself, however long it was not renewed: a copy of home that was started for a
/// test would delete production's pods while its bridge is down for maintenance.
///
/// Threads: calls run on the executor, never two at once; methods are thread-safe.
class Claim {
 public:
  enum class State {
    kUnknown,    ///< no answer yet
    kHeld,       ///< ours
    kSettling,   ///< ours, but writes of the earlier holder may still be under way
    kElsewhere,  ///< another installation's
    kFailed,     ///< could not be confirmed in time
  };
  struct View {
    State state = State::kUnknown;
    std::string message{};  ///< for people; empty when held
    bool was_held = false;  ///< at some time, and not known to be another one's since
  };
  struct Options {
    std::string ns;       ///< namespace of the Lease, made when missing
    std::string home_id;  ///< UID of home's kube-system
    std::string node;
    std::string installation;  ///< the holder
    /// The view changed. Called on the executor.
    std::function<void()> changed;
  };

  Claim(Runtime runtime, kube::Client& target, base::Logger& logger, Options options);
  ~Claim();

  void start();
  View view() const;
  /// Tries now: the target can be reached again.
  void wake();
  /// No call is under way or to come.
  void stop();
  /// Gives it up for good, after stop(): the node leaves.
  Result<void> remove();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Takes the claim from whoever holds it (`join --take-over`).
Result<void> takeOverClaim(const Clock& clock, kube::Client& target, const Claim::Options& options);

/// Name of the Lease.
std::string claimName(const std::string& home_id, const std::string& node);

}  // namespace vkb::bridge
