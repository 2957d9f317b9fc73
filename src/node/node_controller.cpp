#include "node/node_controller.h"

#include <algorithm>
#include <charconv>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "json/json.h"
#include "json/time.h"
#include "kube/informer.h"
#include "kube/lease.h"
#include "node/work_queue.h"

namespace vkb::node {
namespace {

const std::string kNodeKey = "node", kLeaseKey = "lease", kPingKey = "ping";

constexpr std::chrono::seconds kLeaseRenewal{10};
constexpr std::chrono::seconds kLeaseRetry{2};
/// A lease that nobody wrote for longer than this is nobody's: its duration.
constexpr std::chrono::seconds kLeaseLapse{40};
/// As a kubelet's nodeStatusReportFrequency: with leases, times alone are rarely worth a write.
constexpr std::chrono::minutes kHeartbeat{5};
/// Between two writes, and between two looks for what the provider has changed: where much comes
/// and goes, each would cost something and find nothing to write.
constexpr std::chrono::seconds kSpacing{2};

/// resourceVersions of one resource are comparable numbers; 0 for what is none.
std::uint64_t numberOf(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

bool isOurNode(const Json& node, const std::string& provider_id) {
  return json::str(node, {"spec", "providerID"}) == provider_id;
}

struct NodeController::Impl : std::enable_shared_from_this<NodeController::Impl> {
  Impl(Deps d, Options o)
      : deps(std::move(d)),
        options(std::move(o)),
        lease(deps.runtime.clock, deps.home, options.node),
        queue(deps.runtime, deps.metrics, {"node-" + options.node, 3},
              [this](const std::string& key) { return handle(key); }) {
    if (deps.nodes) return;
    informer.emplace(
        deps.runtime, deps.home, deps.logger,
        kube::ReflectorOptions{.resource = kube::kNodes,
                               .list = {.field_selector = "metadata.name=" + options.node},
                               .name = "node " + options.node,
                               // A home that is back may be one restored from a backup.
                               .on_sync = [this](bool up, const Status&) {
                                 if (up) lookAnew();
                               }});
    deps.nodes = &*informer;
  }

  Deps deps;
  Options options;
  kube::NodeLease lease;
  std::optional<kube::Informer> informer;  ///< our own, where none is shared

  mutable std::mutex mutex;
  std::optional<ProviderState> state;  ///< nothing: no verdict yet, so nothing is claimed
  std::string message, registration_error;
  Json node;  ///< as last read or written; null before the first success
  TimePoint registered{}, patched{}, heartbeat{};
  TimePoint looked{};     ///< when this state was last shown in full
  bool look_due = false;  ///< the next one's time is set
  int failures = 0, successes = 0;
  std::optional<bool> reachable;
  bool pinging = false;
  std::optional<Duration> absence;

  WorkQueue queue;  ///< last: its handlers use everything above

  std::string now() const { return json::formatTime(deps.runtime.clock.wallNow()); }

  Outcome handle(const std::string& key) {
    if (key == kNodeKey) return syncNode();
    if (key == kLeaseKey) return renewLease();
    return ping();
  }

  Outcome syncNode() {
    const TimePoint begin = deps.runtime.clock.now();
    std::optional<Json> conditions;
    std::optional<ProviderState> shown;
    {
      std::lock_guard lock(mutex);
      const TimePoint last = std::max(patched, looked);
      look_due = last != TimePoint{} && begin < last + kSpacing;
      if (look_due) return Outcome::after(last + kSpacing - begin);
      shown = state;
      if (state) conditions = nodeConditions(*state, message, options.when_unreachable);
    }
    const bool elsewhere = shown == ProviderState::kClaimedElsewhere;
    if (elsewhere) {
      beginPinging();  // nothing is to be known of the lease, and the claim may become ours
      const auto quiet = lease.quietFor();
      if (!quiet) return fail(quiet.error());
      if (*quiet <= kLeaseLapse) return Outcome::after(kLeaseRenewal);
    }
    auto present = readNode();
    if (!present) return fail(present.error());
    if (!*present || !isOurNode(**present, options.provider_id)) beginPinging();
    // Before the first verdict the node is only looked up, so that its lease goes on. One that
    // was deleted while its cluster leaves stays away (design §7).
    const bool leaving = shown == ProviderState::kLeaving;
    if ((!conditions || leaving || elsewhere) && !*present) return Outcome::done();
    if (!*present && begin < registered + kSpacing && registered != TimePoint{}) {
      return Outcome::after(registered + kSpacing - begin);  // somebody deletes it, over and over
    }
    if (*present && isFormer(**present) && !elsewhere && !leaving) {
      if (!conditions) return Outcome::done();
      if (auto removed = remove(**present); !removed) return fail(removed.error());
      present->reset();
    }
    Json provided = deps.provider.node();
    if (shown) provided = withHoldTaint(std::move(provided), *shown, options.when_unreachable);
    auto written =
        *present ? patchNode(**present, provided, conditions) : registerNode(provided, *conditions);
    if (!written) return fail(written.error());
    remember(std::move(*written));
    std::lock_guard lock(mutex);
    registration_error.clear();
    // What is learnt right after registration (the port of its kubelet API) is shown at once.
    if (state == shown && *present) looked = begin;
    return Outcome::after(kHeartbeat);
  }

  /// What the provider offers is another, perhaps.
  void lookSoon() {
    {
      std::lock_guard lock(mutex);
      if (look_due) return;
    }
    queue.enqueueNow(kNodeKey);
  }

  /// At once, but for the time between two writes.
  void lookAnew() {
    {
      std::lock_guard lock(mutex);
      looked = {};
    }
    queue.enqueueNow(kNodeKey);
  }

  bool isFormer(const Json& found) const {
    return options.former_provider_ids.contains(json::str(found, {"spec", "providerID"}));
  }

  Result<void> remove(const Json& found) {
    auto removed = deps.home.remove(kube::kNodes, "", options.node,
                                    {.uid = json::str(found, {"metadata", "uid"})});
    if (!removed && !removed.error().isNotFound()) return removed;
    return {};
  }

  /// As our own watch knows it. What it does not know, or may no longer be so, is asked for:
  /// absence too, and what it has not told of our last write. It may be behind, or home has been
  /// restored to before that.
  Result<std::optional<Json>> readNode() {
    const json::ObjectPtr seen =
        informer && informer->isHealthy() ? informer->get("", options.node) : nullptr;
    if (!seen) return deps.home.get(kube::kNodes, "", options.node);
    std::unique_lock lock(mutex);
    const bool written_later = json::str(node, {"metadata", "uid"}) == seen->uid &&
                               numberOf(json::str(node, {"metadata", "resourceVersion"})) >
                                   numberOf(seen->resource_version);
    if (!written_later) return std::optional<Json>(seen->parse());
    lock.unlock();
    return deps.home.get(kube::kNodes, "", options.node);
  }

  /// The lease's owner is the node object; one that was made anew needs its lease told.
  void remember(Json written) {
    std::lock_guard lock(mutex);
    const bool new_uid =
        json::str(node, {"metadata", "uid"}) != json::str(written, {"metadata", "uid"});
    node = std::move(written);
    if (new_uid) queue.enqueueNow(kLeaseKey);
  }

  /// Never given up: a node that is not there serves nobody.
  Outcome fail(Status status) {
    if (status.retry == Retry::kNever) status.retry = Retry::kSlow;
    std::lock_guard lock(mutex);
    if (registration_error != status.message) {
      VKB_LOG(deps.logger, Warn, "node not written", {"node", options.node},
              {"reason", status.reason}, {"message", status.message});
    }
    registration_error = status.message;
    return Outcome::failed(std::move(status));
  }

  Result<Json> registerNode(const Json& provided, const Json& conditions) {
    auto made = json::parsed(deps.home.create(
        kube::kNodes, "", newNode(options.node, options.provider_id, provided, conditions, now())));
    if (made) {
      VKB_LOG(deps.logger, Info, "node registered", {"node", options.node});
      std::lock_guard lock(mutex);
      registered = heartbeat = deps.runtime.clock.now();
    }
    return made;
  }

  Result<Json> patchNode(const Json& current, const Json& provided,
                         const std::optional<Json>& conditions) {
    if (!isOurNode(current, options.provider_id)) {
      return failure({.code = 409,
                      .reason = "NodeTaken",
                      .message = "a node named " + options.node +
                                 " exists in the home cluster and is not this cluster's; "
                                 "it is left alone",
                      .retry = Retry::kSlow});
    }
    if (!conditions) return current;
    const TimePoint time = deps.runtime.clock.now();
    bool beat;
    {
      std::lock_guard lock(mutex);
      beat = time >= heartbeat + kHeartbeat;
    }
    const auto patch = nodePatch(current, provided, *conditions, now(), beat);
    Json written = current;
    if (patch) {
      auto answer = json::parsed(deps.home.patch(
          kube::kNodes, "", options.node, kube::PatchType::kStrategicMerge, *patch, "status"));
      if (!answer) return answer;
      written = std::move(*answer);
      std::lock_guard lock(mutex);
      patched = heartbeat = time;
    }
    const auto taints = taintPatch(written, provided);
    if (!taints) return written;
    remember(written);  // a node whose taints may not be changed lives all the same
    return json::parsed(
        deps.home.patch(kube::kNodes, "", options.node, kube::PatchType::kStrategicMerge, *taints));
  }

  Outcome renewLease() {
    std::string uid;
    {
      std::lock_guard lock(mutex);
      if (state == ProviderState::kClaimedElsewhere) return Outcome::after(kLeaseRenewal);
      uid = json::str(node, {"metadata", "uid"});
    }
    if (uid.empty()) return Outcome::after(kLeaseRetry);  // registration is under way
    const auto renewed = lease.renew(uid);
    {
      std::lock_guard lock(mutex);
      if (const auto last = lease.foundRenewed(); last && !absence) {
        absence = deps.runtime.clock.wallNow() - *last;
      }
    }
    beginPinging();
    if (!renewed) {
      VKB_LOG(deps.logger, Warn, "node lease not renewed", {"node", options.node},
              {"reason", renewed.error().reason}, {"message", renewed.error().message});
      return Outcome::after(kLeaseRetry);
    }
    return Outcome::after(kLeaseRenewal);
  }

  /// Once it is known what becomes of the lease: the first ping may lead to the first verdict.
  void beginPinging() {
    {
      std::lock_guard lock(mutex);
      if (std::exchange(pinging, true)) return;
    }
    queue.enqueueNow(kPingKey);
  }

  /// Design §7: three failures in a row are down, two successes up; the first ping of all decides
  /// at once when it succeeds.
  Outcome ping() {
    const TimePoint begin = deps.runtime.clock.now();
    const Result<void> answer = deps.provider.ping();
    std::optional<bool> change;
    {
      std::lock_guard lock(mutex);
      failures = answer ? 0 : failures + 1;
      successes = answer ? successes + 1 : 0;
      const bool first_up = !reachable && answer;
      if (first_up || (reachable == false && successes >= options.successes_until_up)) {
        change = reachable = true;
      } else if (reachable != false && failures >= options.failures_until_down) {
        change = reachable = false;
      }
    }
    if (change && options.on_reachable) {
      options.on_reachable(*change, answer ? Status{} : answer.error());
    }
    // From start to start: pings that run into their deadline do not make an outage last longer.
    const Duration spent = deps.runtime.clock.now() - begin;
    return Outcome::after(std::max(Duration::zero(), options.ping_interval - spent));
  }
};

NodeController::NodeController(Deps deps, Options options)
    : impl_(std::make_shared<Impl>(std::move(deps), std::move(options))) {}

NodeController::~NodeController() { stop(); }

void NodeController::start() {
  impl_->deps.provider.notifyNode([weak = std::weak_ptr(impl_)] {
    if (const auto self = weak.lock()) self->lookSoon();
  });
  // A node deleted or edited by somebody is put right; our own writes come back here too and are
  // found to need nothing.
  impl_->deps.nodes->addHandler(
      [weak = std::weak_ptr(impl_)](const json::ObjectPtr& before, const json::ObjectPtr& after) {
        if (const auto self = weak.lock(); self && before && !after) self->lookAnew();
      });
  if (impl_->informer) impl_->informer->start();
  for (const auto& key : {kNodeKey, kLeaseKey}) impl_->queue.enqueueNow(key);
}

void NodeController::setState(ProviderState state, const std::string& message) {
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->state == state && impl_->message == message) return;
    impl_->state = state;
    impl_->message = message;
  }
  impl_->lookAnew();
}

std::string NodeController::registrationError() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->registration_error;
}

std::optional<Duration> NodeController::absence() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->absence;
}

Result<void> NodeController::removeNode() {
  auto present = impl_->deps.home.get(kube::kNodes, "", impl_->options.node);
  if (!present) return failure(present.error());
  if (!*present) return {};
  const bool ours = isOurNode(**present, impl_->options.provider_id);
  return ours || impl_->isFormer(**present) ? impl_->remove(**present) : Result<void>{};
}

void NodeController::stop() {
  if (impl_->informer) impl_->informer->stop();
  impl_->queue.shutdown();
}

}  // namespace vkb::node
