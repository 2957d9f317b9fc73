#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "bridge/cluster.h"
#include "support/fake_cluster.h"
#include "support/fake_kubelet.h"
#include "support/fake_runtime.h"
#include "vkbridge/pod_record.h"

namespace vkb::sim {

/// What survives a crash of the bridge: records as SQLite would hold them.
class MemoryStore final : public PodRecordStore {
 public:
  Result<std::vector<PodRecord>> load(std::string_view node) override;
  Result<void> put(const PodRecord& record) override;
  Result<void> erase(std::string_view uid) override;
  /// Was a delegate of this home UID ever known to exist? Survives erase().
  bool wasCreated(const std::string& uid) const { return created_.contains(uid); }
  /// What `status` would say is wrong with that pod; "" when nothing is.
  std::string lastError(const std::string& uid) const {
    const auto found = records_.find(uid);
    return found == records_.end() ? "" : found->second.last_error;
  }

 private:
  std::map<std::string, PodRecord> records_;
  std::set<std::string> created_;
};

/// Two whole clusters and a bridge between them, single-threaded, from one seed. The bridge is the
/// product's own bridge::Cluster on fake clients; it can be killed at any request.
class World {
 public:
  explicit World(std::uint64_t seed);
  ~World();

  /// Starts a bridge on what the store holds.
  void startBridge();
  /// As kill -9: nothing it posted runs, nothing it sends arrives any more.
  void crashBridge();
  bool bridgeRuns() const { return bridge_ != nullptr; }
  /// The bridge dies at its n-th request from now, before or after the server carried it out.
  void crashAtRequest(int n, bool after);

  /// Lets time pass; a crash on the way ends the bridge, not the world.
  void advance(Duration by);
  /// Requests whose answers were given up arrive after all.
  std::size_t releaseLateWrites(test::FakeCluster& cluster);
  bool lateWritesArrive() const { return late_writes_arrive_; }
  /// Ends faults, starts the bridge, waits until nothing moves any more.
  void heal();

  test::FakeRuntime runtime;
  test::FakeCluster home, target;
  test::FakeScheduler target_scheduler;
  test::FakeKubelet kubelet;
  MemoryStore store;
  static constexpr const char* kNode = "t1";

 private:
  struct Bridge;  ///< one incarnation
  struct Killed {};
  void onRequest(const test::Request& request, bool after);

  std::unique_ptr<Bridge> bridge_;
  /// Incarnations that were killed. Their objects stay: a killed process runs no destructors.
  std::vector<std::unique_ptr<Bridge>> dead_;
  int incarnation_ = 0;
  std::optional<int> crash_in_;
  bool crash_after_ = false, late_writes_arrive_ = false;
};

}  // namespace vkb::sim
