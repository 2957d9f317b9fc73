#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/log.h"
#include "base/metrics.h"
#include "kube/client.h"
#include "kube/events.h"
#include "kube/object_cache.h"
#include "vkbridge/pod_record.h"
#include "vkbridge/provider.h"

namespace vkb::node {

/// Serves the pods of one virtual node: keeps every home pod bound to it and the provider's pod in
/// step, by design §6. One work queue keyed by home pod UID does everything (create, update,
/// status, deletion, clean-up), so no two of them ever run at once for one pod; each turn observes,
/// asks plan() what to do, and does it.
///
/// Threads: handlers run on the executor; every public method is thread-safe.
class PodController {
 public:
  struct Deps {
    Runtime runtime;
    kube::Client& home;
    kube::ObjectCache& home_pods;  ///< all pods with spec.nodeName = node; filled by the owner
    PodLifecycleHandler& provider;
    PodNotifier& notifier;
    PodRecordStore& store;
    kube::EventRecorder& events;
    base::Logger& logger;
    base::Metrics& metrics;
  };
  struct Options {
    std::string node;
    std::size_t concurrency = 32;
    /// Home pod annotation that names the provider's pod: <ns>/<name>/<uid>; "" for none.
    std::string delegate_annotation = "vk-bridge.io/delegate";
    /// Is this pod made anew when its pod in the provider was lost, instead of failed? Asked only
    /// for restartPolicy Always: no other's containers may start again (design invariant 4).
    std::function<bool(const Json& pod)> remakes_lost = {};
    /// Called once each time the brake against mass loss takes hold.
    std::function<void()> on_mass_loss = {};
  };
  struct Counts {
    std::size_t pods = 0;    ///< records
    std::size_t active = 0;  ///< keys queued or in work
  };

  PodController(Deps deps, Options options);
  ~PodController();

  /// Loads the records and hooks itself to informer and provider; call before they start. Nothing
  /// is acted on before setProviderState() says something else than kUnreachable and the home pods
  /// are synced.
  Result<void> start();
  /// Every key is looked at again; kept when nothing changed. `message` is for the pods'
  /// conditions. `alone`: no other bridge can have made delegates here that we have not seen.
  void setProviderState(ProviderState state, const std::string& message, bool alone = true);
  ProviderState providerState() const;
  /// For the owner of `home_pods`, whenever list or watch works again.
  void homeIsBack();
  /// The provider's options changed: what it refused is asked again.
  void reconsiderRefusals();
  /// Pods of the provider that home no longer has are looked at, whatever events were lost.
  void sweep();
  /// After a long absence many deletions may be waiting, some of them for no better reason than
  /// the absence: those of the next minute begin at `per_second` (design §7). What is deleted only
  /// after home was seen to want it is not among them.
  void deleteCarefully(double per_second);
  /// The operator, or time, says that the losses were real.
  void releaseBrake();
  /// Lets go of every pod although the provider cannot be asked (`leave --force`): home pods are
  /// failed and removed, records forgotten. Blocks. Returns what may still run there.
  Result<std::vector<PodRecord>> abandonAll();
  Counts counts() const;
  /// What is remembered of a home pod; nothing when there is no record.
  std::optional<PodRecord> record(const std::string& uid) const;
  /// Finishes what is under way, starts nothing new.
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::node
