#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/fake_cluster.h"

namespace vkb::test {

/// Runs `step` as one executor task after each change of a pod or node, until this object goes.
class AutoStep {
 public:
  AutoStep(FakeCluster& cluster, std::function<void()> step);

 private:
  struct State {
    std::function<void()> step;
    bool scheduled = false;
  };
  std::shared_ptr<State> state_;
};

/// Binds pods without a node, oldest key first, round robin over the nodes that suit: Ready, not
/// unschedulable, nodeSelector matched, NoSchedule and NoExecute taints tolerated. A pod that no
/// node suits gets PodScheduled=False, reason Unschedulable. Capacity is not counted.
class FakeScheduler {
 public:
  explicit FakeScheduler(FakeCluster& cluster) : cluster_(cluster) {}
  /// Handles one pod. False: there is nothing to do.
  bool step();
  std::size_t settle();
  /// From now on it steps on its own, as executor tasks.
  void runAutomatically();

 private:
  bool suits(const Json& node, const Json& pod) const;
  bool markUnschedulable(const VersionPtr& pod, std::size_t nodes);

  FakeCluster& cluster_;
  std::size_t turn_ = 0;
  std::optional<AutoStep> auto_;
};

/// Runs the pods bound to one node, one visible action a step: a Pending pod becomes Running and
/// Ready with an IP; a pod being deleted gets terminated containers, and next its object is removed
/// with grace 0 and its UID. Writes as actor "kubelet/<node>" without meeting faults.
class FakeKubelet {
 public:
  FakeKubelet(FakeCluster& cluster, std::string node);

  /// One action on one pod, in the order of keys. False: there is nothing to do.
  bool step();
  /// Steps until there is nothing to do; returns how many.
  std::size_t settle();
  /// From now on it steps on its own, as executor tasks.
  void runAutomatically();
  /// Pods with this key keep waiting (an image that is not pulled yet) until they are released.
  void hold(const std::string& ns, const std::string& name, bool on = true);
  /// Pods being deleted keep running, as with a container that ignores SIGTERM.
  void holdDeletions(bool on) { hold_deletions_ = on; }
  /// While down it does nothing.
  void setDown(bool down) { down_ = down; }

  /// All containers end with this code: Succeeded or Failed by restartPolicy, or a restart.
  void exitContainers(const std::string& ns, const std::string& name, int exit_code);
  /// Kubelet eviction: phase Failed, reason Evicted.
  void evict(const std::string& ns, const std::string& name, const std::string& message);
  /// The Ready condition and every container's readiness.
  void setReady(const std::string& ns, const std::string& name, bool ready);

  const std::string& node() const { return node_; }

 private:
  bool act(const VersionPtr& pod);
  void start(const VersionPtr& pod);
  void terminate(const VersionPtr& pod);
  void removeObject(const VersionPtr& pod);
  void writeStatus(const VersionPtr& pod, const Json& status);
  Json conditions(const Json& pod, bool ready, const std::string& reason) const;
  std::string now() const;
  std::string newIp();

  FakeCluster& cluster_;
  const std::string node_, actor_;
  std::map<std::string, bool> held_;
  bool hold_deletions_ = false, down_ = false;
  std::uint32_t next_ip_ = 1;
  std::optional<AutoStep> auto_;
};

}  // namespace vkb::test
