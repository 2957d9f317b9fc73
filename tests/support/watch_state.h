#pragma once

// For the .cpp files of FakeCluster alone.

#include <deque>
#include <optional>
#include <string>

#include "support/fake_cluster.h"

namespace vkb::test {

/// PartialObjectMetadata of an object.
json::ObjectPtr metadataOf(const json::Object& object);

/// One open watch of a FakeCluster: what is still to be delivered, one executor task an event.
class WatchState : public std::enable_shared_from_this<WatchState> {
 public:
  WatchState(FakeCluster& cluster, std::string actor, kube::Resource resource, Selection selection,
             std::uint64_t from_rv, bool metadata_only, kube::WatchHandler& handler);

  /// Queues the line that this change is to this watch, if any. Nothing that is not newer than the
  /// resourceVersion it was opened at.
  void offer(const Change& change);
  /// Queues one line as it is.
  void push(json::RawEvent event);
  /// Queues the end. Lines queued before it still come, unless the connection `breaks`.
  void close(Status status, bool breaks);
  void hold(bool on);
  void cutAfter(std::size_t events) { events_left_ = events; }
  /// No handler call after this.
  void detach();

  bool open() const { return handler_ != nullptr && !end_; }
  std::uint64_t from() const { return from_rv_; }
  const std::string& actor() const { return actor_; }
  const std::string& bucket() const { return bucket_; }
  const kube::Resource& resource() const { return resource_; }

 private:
  void schedule();
  void deliverOne();

  FakeCluster& cluster_;
  const std::string actor_;
  const kube::Resource resource_;  // its texts are the caller's constants
  const std::string bucket_;
  const Selection selection_;
  const std::uint64_t from_rv_;
  const bool metadata_only_;
  kube::WatchHandler* handler_;  // null: detached
  std::deque<json::RawEvent> queue_;
  std::optional<Status> end_;
  std::optional<std::size_t> events_left_;
  bool scheduled_ = false, held_ = false;
};

}  // namespace vkb::test
