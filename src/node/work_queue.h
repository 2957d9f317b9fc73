#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/metrics.h"
#include "vkbridge/runtime.h"
#include "vkbridge/status.h"

namespace vkb::node {

/// What a handler says about its key.
struct Outcome {
  std::optional<Status> failure{};     ///< try again after the backoff of its kind; kNever: do not
  std::optional<Duration> again_in{};  ///< no failure, but look again then

  static Outcome done() { return {}; }
  static Outcome failed(Status status) { return {.failure = std::move(status)}; }
  static Outcome after(Duration delay) { return {.again_in = delay}; }
};

/// Keyed work queue: client-go's workqueue with backoff, level-based. Handlers run on the executor,
/// up to `concurrency` at once and never twice at once for one key; a key enqueued while its
/// handler runs is handled once more. First in, first out. A first enqueue is never delayed; only
/// failures back off, for ever, with the limits of base/backoff.h or the Retry-After of the
/// failure. Bounded by the number of keys. Thread-safe.
class WorkQueue {
 public:
  using Handler = std::function<Outcome(const std::string& key)>;
  struct Options {
    std::string name;  ///< label of the workqueue_* metrics
    std::size_t concurrency = 32;
  };

  WorkQueue(Runtime runtime, base::Metrics& metrics, Options options, Handler handler);
  /// As shutdown().
  ~WorkQueue();

  /// Handle soon; a key that is backing off keeps its time.
  void enqueue(const std::string& key);
  /// Handle soon; a backoff is over (its count stays until a success).
  void enqueueNow(const std::string& key);
  bool isBackingOff(const std::string& key) const;
  bool isRunning(const std::string& key) const;
  /// Of a key that is being handled: when the first of the events came that it is handled for.
  std::optional<TimePoint> wokenAt(const std::string& key) const;
  /// Keys queued or being handled, without those that wait for their time.
  std::size_t active() const;
  /// Nothing new starts; returns when no handler runs. Not from within a handler.
  void shutdown();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::node
