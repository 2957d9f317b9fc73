#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "bridge/dependency_book.h"
#include "bridge/dependency_turn.h"
#include "bridge/home_objects.h"
#include "bridge/references.h"
#include "bridge/target_pods.h"
#include "kube/informer.h"
#include "node/loss_brake.h"
#include "node/work_queue.h"
#include "state/pod_options.h"
#include "vkbridge/provider.h"

namespace vkb::bridge {

/// The ConfigMaps, Secrets and tokens that the delegates of one virtual node refer to: copied into
/// the target before the pod is made, kept in step with home, removed with their last user.
/// Threads: one work queue on the executor, keyed by the object in the target, does all I/O on
/// copies. Thread-safe.
class Dependencies {
 public:
  struct Deps {
    Runtime runtime;
    kube::Client& home;
    HomeObjects& home_objects;
    kube::Client& target;
    state::DependencyStore& store;
    const TargetPods& delegates;
    base::Logger& logger;
    base::Metrics& metrics;
  };
  struct Options {
    std::string home_id, node;
    state::PodOptions pods;
    std::string only_namespace{};  ///< of the target that may be looked at; empty: all
    /// What this pod waits for has come, or there is news of it. Never blocks.
    std::function<void(const std::string& home_uid)> changed;
    /// The brake against mass loss takes hold (design invariant 10). May be empty.
    std::function<void()> on_mass_loss{};
  };

  Dependencies(Deps deps, Options options);
  ~Dependencies();

  /// `pods`: home pod UIDs of which there are records.
  Result<void> start(const std::set<std::string>& pods);
  void stop();
  /// As Reflector::retryNow().
  void retryNow();
  /// Nothing is written while it is not active (design invariants 5 and 9). `delegates` is synced
  /// when it becomes so.
  void setActive(bool active);

  /// One home object that a pod refers to.
  struct Wanted {
    Reference reference;  ///< required if any place requires it
    bool at_home = false;
  };
  /// What the pod refers to. May ask home. DependencyMissing (kSlow) where something required is
  /// not there: the pod is woken when it appears. `made`: its delegate exists; what it refers to
  /// is only told then.
  Result<std::vector<Wanted>> look(const Json& home_pod, bool made = false);
  /// Sees to it that all of it is in the pod's place, whose namespace exists. "Preparing": it will
  /// be, and the pod is woken then. DependencyMissing and DependencyTaken (kSlow), or what went
  /// wrong. `made`: its delegate exists, so what its references are called is settled.
  Result<DependencyNames> provide(const Json& home_pod, const PodPlace& place,
                                  const std::vector<Wanted>& wanted, bool made = false);
  /// The pod uses nothing any more.
  void release(const std::string& home_uid);
  /// More copies that nobody uses were found than can be believed: they stay until then.
  bool isBraked() const { return brake_.engaged(); }
  void releaseBrake();
  /// Nothing of ours is left in the target, as far as we know.
  bool empty() const { return book_.empty(); }

 private:
  using HomeKey = std::pair<DependencyKind, std::string>;  ///< "<ns>/<name>"

  node::Outcome handle(const std::string& key);
  void enqueue(const DependencyKey& key);
  void wake(const std::set<std::string>& pods);
  void onHome(DependencyKind kind, const std::string& key);
  void onCopy(DependencyKind kind, const json::ObjectPtr& before, const json::ObjectPtr& after);
  /// At start and every 10 minutes: finds copies that nothing is known of, and what nobody uses.
  node::Outcome sweep();
  /// After a lost store: what delegates use, from labels. Once.
  Result<void> rebuild();
  Result<void> rebuildUsers(const TargetPods::Delegate& delegate);
  Result<bool> isAtHome(DependencyKind kind, const std::string& ns, const std::string& name);
  void waitFor(DependencyKind kind, const std::string& home_key, const std::string& pod_uid);
  Result<DependencyBook::Entry> choose(const Json& home_pod, const PodPlace& place,
                                       const Wanted& wanted, bool made);
  Result<void> provideTokens(const Json& home_pod, const PodPlace& place);
  bool mayRemove(const std::string& uid);
  kube::Informer& copies(DependencyKind kind);
  kube::ReflectorOptions ownCopies(const kube::Resource& resource, const std::string& name) const;

  Deps deps_;
  Options options_;
  DependencyBook book_;
  node::LossBrake brake_;
  std::unique_ptr<HomeObjects::Following> home_changes_;
  kube::Informer config_map_copies_, secret_copies_;
  DependencyContext context_;
  mutable std::mutex mutex_;  ///< guards all below but the queue
  bool active_ = false, rebuilt_ = false;
  std::map<HomeKey, std::set<std::string>> waiting_;  ///< home pod UIDs
  node::WorkQueue queue_;                             ///< last: its handlers use all above
};

}  // namespace vkb::bridge
