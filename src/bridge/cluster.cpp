#include "bridge/cluster.h"

#include <atomic>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "bridge/claim.h"
#include "bridge/impatient_pods.h"
#include "bridge/names.h"
#include "bridge/provider_id.h"
#include "bridge/target_namespace.h"
#include "bridge/target_provider.h"
#include "bridge/target_stats.h"
#include "json/json.h"
#include "kube/call_gate.h"
#include "kube/events.h"
#include "kube/informer.h"
#include "node/node_controller.h"
#include "node/pod_controller.h"

namespace vkb::bridge {
namespace {

constexpr std::chrono::seconds kPublishInterval{10};
constexpr std::chrono::milliseconds kLeaveCheck{250};
/// Design §7: after an absence longer than a node's lease Kubernetes may have deleted pods for no
/// other reason; lease and node come first, then deletions, this many a second.
constexpr std::chrono::seconds kLongAbsence{40};
constexpr double kCarefulDeletions = 5;
/// Design invariant 10: with an identity that was stable this long, losses are believed.
constexpr std::chrono::minutes kBrakeTime{5};
constexpr std::chrono::minutes kSweepInterval{10};
constexpr const char* kBrakeMessage =
    "Unusually many delegates are missing in the target; nothing is failed or deleted until that "
    "has been so for 5 minutes.";

}  // namespace

struct Cluster::Impl : std::enable_shared_from_this<Cluster::Impl> {
  Impl(Deps d, Options o)
      : deps(std::move(d)),
        options(std::move(o)),
        name(options.config.name),
        home_pods(deps.runtime, *deps.home, deps.logger,
                  {.resource = kube::kPods,
                   .list = {.field_selector = "spec.nodeName=" + name},
                   .name = "home pods of " + name,
                   .on_sync = [this](bool up, const Status&) { up ? pods.homeIsBack() : void(); }}),
        events(deps.runtime, *deps.home, deps.logger, "vk-bridge", name),
        provider({.runtime = deps.runtime,
                  .home = *deps.home,
                  .home_objects = deps.home_objects,
                  .target = *deps.target,
                  .dependencies = deps.dependencies,
                  .logger = deps.logger,
                  .metrics = deps.metrics},
                 {.home_id = options.home_id,
                  .node = name,
                  .host_ip = options.host_ip,
                  .cluster = options.config.options,
                  .on_refusals_outdated = [this] { pods.reconsiderRefusals(); },
                  .on_warning =
                      [this](const Json& pod, const TargetWarning& warning) {
                        events.warn(pod, warning.reason, name + ": " + warning.message);
                      },
                  .on_mass_loss = [this] { onMassLoss(); }}),
        pods({.runtime = deps.runtime,
              .home = *deps.home,
              .home_pods = home_pods,
              .provider = provider,
              .notifier = provider,
              .store = deps.store,
              .events = events,
              .logger = deps.logger,
              .metrics = deps.metrics},
             {.node = name,
              .concurrency = options.concurrency,
              .remakes_lost = [this](const Json& pod) { return remakesLost(pod); },
              .on_mass_loss = [this] { onMassLoss(); }}),
        node({.runtime = deps.runtime,
              .home = *deps.home,
              .provider = provider,
              .logger = deps.logger,
              .metrics = deps.metrics},
             {.node = name,
              .provider_id = providerIdOf(options.config.target_id),
              .former_provider_ids = formerProviderIds(options.config),
              .when_unreachable = options.config.options.hold_unreachable
                                      ? node::WhenUnreachable::kHold
                                      : node::WhenUnreachable::kNotReady,
              .on_reachable = [this](bool up, const Status& why) { onReachable(up, why); }}),
        claim(deps.runtime, *deps.target, deps.logger,
              {.ns = options.config.options.claim_namespace,
               .home_id = options.home_id,
               .node = name,
               .installation = options.installation_id,
               .changed = [this] { evaluate(); }}),
        streams(*deps.target, [this](const std::string& ns,
                                     const std::string& pod) { return findStreamTarget(ns, pod); }),
        stats({.clock = deps.runtime.clock,
               .target = *deps.target,
               .delegate_at = [this](const PodPlace& place) { return provider.delegateAt(place); },
               .for_each_delegate = [this](const auto& visit) { provider.forEachDelegate(visit); },
               .home_pod = [this](const std::string& uid) { return home_pods.byUid(uid); }},
              {.home_id = options.home_id,
               .node = name,
               .from_nodes = options.config.options.metrics_from_nodes,
               .ns = onlyNamespace(options.config.options)}) {
    home_pods.addHandler(
        [this](const auto& before, const auto& after) { impatient.onPod(before, after); });
  }

  Deps deps;
  Options options;
  const std::string name;
  ImpatientPods impatient;
  kube::Informer home_pods;
  kube::EventRecorder events;
  TargetProvider provider;
  node::PodController pods;
  node::NodeController node;
  Claim claim;
  TargetStreams streams;
  TargetStats stats;
  std::unique_ptr<ClusterKubelet> kubelet;  ///< null: no kubelet API

  /// Tasks of our own, one at a time; closed: none is under way or to come, `publish` and `left`
  /// are called no more.
  kube::CallGate tasks;
  std::mutex deciding;  ///< held from a verdict until it is told; taken before mutex
  std::mutex mutex;     ///< guards the rest
  bool target_synced = false, home_synced = false, leaving = false, stopped = false;
  bool has_left = false, target_forgotten = false;
  std::optional<bool> reachable;
  Status unreachable_why;
  std::string state_message;
  std::optional<ProviderState> state;
  WallTime since{};
  std::atomic<bool> warned_of_impatient = false;
  std::atomic<int> mass_losses = 0;
  std::vector<PodRecord> may_still_run;  ///< of pods that were abandoned; only tasks use it

  bool remakesLost(const Json& pod) const {
    const std::string own = json::str(pod, {"metadata", "annotations", kAnnotationOnDelegateLost});
    return own.empty() ? options.config.options.recreate_lost : own == "recreate";
  }

  /// Nothing that a user can write decides: home's pod is found among those bound to this node, its
  /// delegate by the UID that was recorded when it was made.
  std::optional<StreamTarget> findStreamTarget(const std::string& ns, const std::string& pod_name) {
    const json::ObjectPtr object = home_pods.get(ns, pod_name);
    if (!object) return std::nullopt;
    StreamTarget found{.home_pod = object, .delegate = {}};
    const auto record = pods.record(object->uid);
    if (!record || record->provider_uid.empty()) return found;
    const Json pod = object->parse();
    const ProviderPod delegate = provider.peekPod(&pod, object->uid, &*record);
    const bool proven =
        delegate.ownership == ProviderPod::Ownership::kMine && delegate.uid == record->provider_uid;
    if (proven) found.delegate = delegate.place;
    return found;
  }

  void startKubelet() {
    if (!options.kubelet || options.folder == nullptr) return;
    kubelet = std::make_unique<ClusterKubelet>(
        ClusterKubelet::Deps{
            .runtime = deps.runtime,
            .home = *deps.home,
            .folder = *options.folder,
            .logs = streams,
            .streams = streams,
            .stats = stats,
            .pods = [this] { return home_pods.list(); },
            .on_port = [this](std::uint16_t port) { provider.setKubeletPort(port); },
            .logger = deps.logger,
            .metrics = deps.metrics},
        *options.kubelet, name, options.host_ip);
    kubelet->start();
  }

  void onReachable(bool up, const Status& why) {
    {
      std::lock_guard lock(mutex);
      reachable = up;
      unreachable_why = why;
    }
    if (up) {
      VKB_LOG(deps.logger, Info, "target reachable", {"cluster", name});
      provider.retryNow();
    } else {
      VKB_LOG(deps.logger, Warn, "target unreachable", {"cluster", name}, {"message", why.message});
    }
    if (up) claim.wake();
    evaluate();
  }

  struct Verdict {
    ProviderState state;
    std::string message{};
  };

  /// The one place where a cluster's state is decided. Nothing: not known yet.
  std::optional<Verdict> verdictLocked() const {
    using enum ProviderState;
    if (stopped || !home_synced) return std::nullopt;
    if (deps.identity_differs()) {
      return Verdict{kIdentityChanged,
                     "The kubeconfig of " + name +
                         " now leads to another cluster than the one that was joined; nothing is "
                         "written to it."};
    }
    if (reachable == false) {
      const bool rejected = unreachable_why.code == 401 || unreachable_why.code == 403;
      if (!rejected) return Verdict{kUnreachable, unreachable_why.message};
      return Verdict{kCredentialsRejected, unreachable_why.message +
                                               "; give it new credentials with: vk-bridge join " +
                                               name + " --kubeconfig FILE"};
    }
    const Claim::View claimed = claim.view();
    switch (claimed.state) {
      case Claim::State::kElsewhere:
        return Verdict{kClaimedElsewhere, claimed.message};
      case Claim::State::kFailed:
        return Verdict{kUnreachable, claimed.message};
      case Claim::State::kUnknown:
        return std::nullopt;
      case Claim::State::kSettling:
        // Before the first verdict nothing is written yet, and so it stays.
        return state ? std::optional(Verdict{kUnreachable, claimed.message}) : std::nullopt;
      case Claim::State::kHeld:
        break;
    }
    if (reachable != true || !target_synced) return std::nullopt;
    return Verdict{leaving ? kLeaving : kReady};
  }

  void evaluate() {
    const std::lock_guard one_at_a_time(deciding);  // a later verdict must not be told first
    std::optional<Verdict> next;
    bool changed, first;
    {
      std::lock_guard lock(mutex);
      next = verdictLocked();
      if (!next) return;
      first = !state;
      changed = state != next->state;
      if (changed) {
        since = deps.runtime.clock.wallNow();
        state_message = next->message;
      }
      state = next->state;
    }
    if (first && node.absence().value_or(Duration::zero()) > kLongAbsence) {
      pods.deleteCarefully(kCarefulDeletions);
    }
    provider.setState(next->state);
    pods.setProviderState(next->state, next->message, claim.view().was_held);
    if (changed) {
      const bool writable =
          next->state == ProviderState::kReady || next->state == ProviderState::kLeaving;
      if (writable) provider.retryNow();  // what is written is to be seen, too
      tellNode();
      publish();
    }
  }

  /// The state that people see: pods or copies may be held back by the brake.
  ProviderState shownState() const {
    const ProviderState shown = pods.providerState();
    const bool braked = shown == ProviderState::kReady && provider.isBraked();
    return braked ? ProviderState::kMassLoss : shown;
  }

  void tellNode() {
    std::string message;
    {
      std::lock_guard lock(mutex);
      message = state_message;
    }
    const ProviderState shown = shownState();
    node.setState(shown, shown == ProviderState::kMassLoss ? kBrakeMessage : message);
  }

  /// Runs `task` as an executor task after `delay`, unless we have stopped by then.
  void later(Duration delay, std::function<void(Impl&)> task) {
    deps.runtime.executor.postAfter(delay, [weak = weak_from_this(), task = std::move(task)] {
      if (const auto self = weak.lock()) self->tasks.pass([&] { task(*self); });
    });
  }

  void onMassLoss() {
    VKB_LOG(deps.logger, Error,
            "more delegates or their reasons are missing than can be believed: nothing "
            "destructive is done for 5 minutes",
            {"cluster", name});
    const std::lock_guard one_at_a_time(deciding);
    tellNode();
    later(kBrakeTime, [nth = ++mass_losses](Impl& self) {
      // Confirmed by somebody, and engaged again since: that one has a time of its own.
      if (nth == self.mass_losses) self.believeLosses();
    });
  }

  void believeLosses() {
    pods.releaseBrake();
    provider.releaseBrake();
    const std::lock_guard one_at_a_time(deciding);
    tellNode();
  }

  /// Of pods that would not outlast a short outage; said in the log when the first one comes.
  std::string impatientWarning() {
    if (options.config.options.hold_unreachable) return {};
    std::string warning = impatient.warning();
    if (warned_of_impatient.exchange(!warning.empty()) || warning.empty()) return warning;
    VKB_LOG(deps.logger, Warn, "pods would not outlast a short outage", {"cluster", name},
            {"message", warning});
    return warning;
  }

  void publish() {
    state::ClusterHealth health{.name = name, .updated_at = deps.runtime.clock.wallNow()};
    {
      std::lock_guard lock(mutex);
      if (stopped) return;
      health.state = state ? toString(shownState()) : "Starting";
      health.since = since;
      health.message = state ? state_message : claim.view().message;
    }
    if (health.message.empty()) health.message = impatientWarning();
    const std::string node_error = node.registrationError();
    if (!node_error.empty()) health.message = node_error;
    health.version = provider.version();
    const auto nodes = provider.nodes();
    health.nodes_ready = nodes.ready;
    health.nodes_total = nodes.total;
    const Json shown = provider.node();
    health.cpu = json::str(shown, {"status", "capacity", "cpu"});
    health.memory = json::str(shown, {"status", "capacity", "memory"});
    health.pods = json::str(shown, {"status", "capacity", "pods"});
    deps.publish(health);
  }

  /// What nothing at home explains is found by events; this is for those that were lost.
  void sweepRegularly() {
    pods.sweep();
    later(kSweepInterval, [](Impl& self) { self.sweepRegularly(); });
  }

  void publishRegularly() {
    evaluate();  // an identity may have changed without any call that failed telling us
    publish();
    later(kPublishInterval, [](Impl& self) { self.publishRegularly(); });
  }

  /// Records of pods that were never sent (a DaemonSet's, say) do not hold the node back. Delegates
  /// do of which no record is left.
  bool isEmpty() {
    {
      std::lock_guard lock(mutex);
      if (!home_synced || !target_synced) return false;
    }
    const auto records = deps.store.load(name);
    if (!records) return false;
    for (const PodRecord& record : *records) {
      if (record.state != PodRecord::State::kWaiting) return false;
    }
    return provider.isEmpty();
  }

  using Left = std::function<void(std::vector<PodRecord>)>;

  void checkLeft(const Left& left) {
    if (has_left || (isEmpty() && finish(left))) return;
    later(kLeaveCheck, [left](Impl& self) { self.checkLeft(left); });
  }

  bool finish(const Left& left) {
    stop();
    if (claim.view().state == Claim::State::kElsewhere) {
      VKB_LOG(deps.logger, Warn, "node stays: another installation serves it", {"node", name});
    } else if (auto removed = removeNodeAndClaim(); !removed) {
      VKB_LOG(deps.logger, Warn, "node not removed yet", {"node", name},
              {"message", removed.error().message});
      return false;
    }
    has_left = true;
    left(std::move(may_still_run));
    return true;
  }

  Result<void> removeNodeAndClaim() {
    bool forgetting;
    {
      std::lock_guard lock(mutex);
      forgetting = target_forgotten;
    }
    if (auto removed = node.removeNode(); !removed) return removed;
    return forgetting ? Result<void>{} : claim.remove();
  }

  /// Home's pods have to be known: those that are not would not be failed.
  void abandon(const Left& left) {
    if (has_left) return;
    const auto again = [left](Impl& self) { self.abandon(left); };
    {
      std::lock_guard lock(mutex);
      target_forgotten = true;
      if (!home_synced) return later(kLeaveCheck, again);
    }
    auto may_run = pods.abandonAll();
    if (!may_run) {
      VKB_LOG(deps.logger, Warn, "home pods not released yet", {"cluster", name},
              {"message", may_run.error().message});
      return later(std::chrono::seconds(2), again);
    }
    may_still_run.insert(may_still_run.end(), may_run->begin(), may_run->end());
    if (!finish(left)) later(std::chrono::seconds(2), again);
  }

  void stop() {
    {
      std::lock_guard lock(mutex);
      stopped = true;
    }
    if (kubelet) kubelet->stop();
    node.stop();
    home_pods.stop();
    provider.stop();
    pods.stop();
    claim.stop();
  }
};

Cluster::Cluster(Deps deps, Options options)
    : impl_(std::make_shared<Impl>(std::move(deps), std::move(options))) {}

Cluster::~Cluster() { stop(); }

Result<void> Cluster::start() {
  Impl& self = *impl_;
  if (auto started = self.pods.start(); !started) return started;
  auto known = self.deps.store.load(self.name);
  if (!known) return failure(known.error());
  self.since = self.deps.runtime.clock.wallNow();
  self.leaving = self.options.config.leaving;
  const std::weak_ptr<Impl> weak = impl_;
  self.home_pods.whenSynced([weak] {
    const auto impl = weak.lock();
    if (!impl) return;
    {
      std::lock_guard lock(impl->mutex);
      impl->home_synced = true;
    }
    impl->evaluate();
  });
  self.node.start();  // first: it tells the provider whom to call
  auto started = self.provider.start(*known, [weak] {
    const auto impl = weak.lock();
    if (!impl) return;
    {
      std::lock_guard lock(impl->mutex);
      impl->target_synced = true;
    }
    impl->evaluate();
  });
  if (!started) return started;
  self.claim.start();
  self.home_pods.start();
  self.startKubelet();
  self.later(Duration::zero(), [](Impl& impl) { impl.publishRegularly(); });
  self.later(kSweepInterval, [](Impl& impl) { impl.sweepRegularly(); });
  return {};
}

void Cluster::leave(bool forget_target,
                    std::function<void(std::vector<PodRecord> may_still_run)> left) {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->leaving = true;
  }
  if (!forget_target) impl_->evaluate();
  impl_->later(Duration::zero(), [forget_target, left = std::move(left)](Impl& self) {
    forget_target ? self.abandon(left) : self.checkLeft(left);
  });
}

void Cluster::confirmLosses() {
  impl_->later(Duration::zero(), [](Impl& self) { self.believeLosses(); });
}

void Cluster::stop() {
  impl_->tasks.shut();
  impl_->stop();
  impl_->tasks.close();
}

}  // namespace vkb::bridge
