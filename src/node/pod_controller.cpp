#include "node/pod_controller.h"

#include <nlohmann/json.hpp>
#include <set>

#include "json/json.h"
#include "json/object_parts.h"
#include "json/packed.h"
#include "json/time.h"
#include "node/home_pod_change.h"
#include "node/pod_turn.h"
#include "node/status_patch.h"

namespace vkb::node {
namespace {
constexpr std::chrono::minutes kCarefulTime{1};
/// Finest around what is wanted of a bridge: an event is on its way within 25 ms.
const prometheus::Histogram::BucketBoundaries kDelayBuckets{
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025,
    0.035,  0.05,  0.1,   0.25,  0.5,   1,      2.5,  5,     10,   30};

prometheus::Histogram& delayOf(base::Metrics& metrics, const std::string& node,
                               const char* request) {
  return metrics.histogram(
      "pod_event_to_request_seconds",
      "Time from an event until the request it led to was written: create in the provider, "
      "reflect at home",
      {{"node", node}, {"request", request}}, kDelayBuckets);
}
}  // namespace

struct PodController::Impl : std::enable_shared_from_this<PodController::Impl> {
  Impl(Deps d, Options o)
      : deps(std::move(d)),
        options(std::move(o)),
        homes(deps.home, deps.home_pods),
        records(deps.store),
        brake(deps.runtime.clock),
        context{.deps = deps,
                .options = options,
                .homes = homes,
                .records = records,
                .brake = brake,
                .wake = [this](const std::string& uid) { queue.enqueueNow(uid); },
                .create_delay = delayOf(deps.metrics, options.node, "create"),
                .reflect_delay = delayOf(deps.metrics, options.node, "reflect")},
        queue(deps.runtime, deps.metrics, {"pods-" + options.node, options.concurrency},
              [this](const std::string& uid) { return handle(uid); }) {}

  Deps deps;
  Options options;
  HomePods homes;
  RecordBook records;
  LossBrake brake;
  PodTurnContext context;

  mutable std::mutex state_mutex;
  std::optional<ProviderState> state;  ///< nothing: not begun; no pod is touched
  std::string state_message;

  WorkQueue queue;  ///< last: its handlers use everything above

  Outcome handle(const std::string& uid) {
    std::string message;
    ProviderState target;
    {
      std::lock_guard lock(state_mutex);
      if (!state) return Outcome::done();
      target =
          brake.engaged() && *state == ProviderState::kReady ? ProviderState::kMassLoss : *state;
      message = state_message;
    }
    return PodTurn(context, uid, target, message, queue.wokenAt(uid)).run();
  }

  /// A version of a home pod that came while it backs off, or while the turn that will fail is
  /// under way, ends the wait only if it is another question: else our own status patches would
  /// turn every backoff into a loop.
  void onHomePod(const json::ObjectPtr& before, const json::ObjectPtr& after) {
    homes.changed(before, after);
    const std::string& uid = (after ? after : before)->uid;
    // Another content under a number that was there before: home was restored from a backup.
    const bool back = before && after && !isNewer(*after, *before);
    if (back && !json::isSame(before, after)) homeWentBack({uid});
    // Most events tell of our own writes.
    if (before && after && before->uid == after->uid && rests(uid)) return;
    if (!after && isForgotten(uid)) return;
    const bool answer_pending = queue.isBackingOff(uid) || queue.isRunning(uid);
    if (!before || !after || before->uid != after->uid || !answer_pending) {
      if (before && after && before->uid != after->uid) queue.enqueueNow(before->uid);
      queue.enqueueNow(uid);
      return;
    }
    if (asksAnew(*before, *after)) {
      queue.enqueueNow(uid);
    } else {
      queue.enqueue(uid);
    }
  }

  /// It left no trace here: its turns are over.
  bool isForgotten(const std::string& uid) {
    const auto provided = [&] { return deps.provider.peekPod(nullptr, uid, nullptr).ownership; };
    return !queue.isRunning(uid) && !records.find(uid) &&
           provided() == ProviderPod::Ownership::kAbsent;
  }

  /// What these pods were told may never have happened, and the same numbers may stand for other
  /// contents.
  void homeWentBack(const std::vector<std::string>& uids) {
    std::lock_guard lock(context.mutex);
    for (const std::string& uid : uids) {
      context.settled.erase(uid);
      context.marked.erase(uid);
    }
  }

  /// A turn would find nothing new: no thread is woken for one.
  bool rests(const std::string& uid) { return context.isSettled(uid, context.look(uid)); }

  bool asksAnew(const json::Object& before, const json::Object& after) const {
    if (isSameQuestion(before, after, options.delegate_annotation)) return false;
    const auto deletion = {std::string_view("metadata"), std::string_view("deletionTimestamp")};
    if (json::str(before, deletion) != json::str(after, deletion)) return true;
    return deps.provider.inputsHash(before.parse()) != deps.provider.inputsHash(after.parse());
  }

  void wakeAll() {
    {
      std::lock_guard lock(context.mutex);
      ++context.epoch;
    }
    std::set<std::string> uids;
    for (auto& uid : deps.home_pods.uids()) uids.insert(std::move(uid));
    for (const auto& record : records.all()) uids.insert(record.uid);
    for (const auto& pod : deps.provider.getPods()) uids.insert(pod.home_uid);
    for (const auto& uid : uids) queue.enqueueNow(uid);
  }

  void sweep() {
    std::set<std::string> uids;
    for (const auto& record : records.all()) uids.insert(record.uid);
    for (const auto& pod : deps.provider.getPods()) uids.insert(pod.home_uid);
    for (const auto& uid : deps.home_pods.uids()) uids.erase(uid);
    for (const auto& uid : uids) queue.enqueue(uid);
  }

  /// What never went anywhere has nothing to be failed for; its controller may place it anew.
  Result<void> abandon(const PodRecord& record, bool sent, bool again = false) {
    const HomePods::View home = homes.view(record.uid);
    if (home.state != HomePod::kAbsent) {
      if (sent) {
        const std::string message = "The target cluster of node " + options.node +
                                    " was given up; what became of the containers is not known.";
        const Json status = lostStatus(home.pod(), "TargetForgotten", message,
                                       json::formatTime(deps.runtime.clock.wallNow()));
        auto told = homes.tell(home, status, nullptr);
        // Home had a newer version of it: by now that is the one we see.
        if (!told && told.error().code == 409 && !again) return abandon(record, sent, true);
        if (!told) return failure(told.error());
      }
      if (auto released = homes.release(home.pod()); !released) return released;
    }
    return records.erase(record.uid);
  }
};

PodController::PodController(Deps deps, Options options)
    : impl_(std::make_shared<Impl>(std::move(deps), std::move(options))) {}

PodController::~PodController() { stop(); }

Result<void> PodController::start() {
  if (auto loaded = impl_->records.load(impl_->options.node); !loaded) return loaded;
  impl_->deps.home_pods.addHandler(
      [weak = std::weak_ptr(impl_)](const json::ObjectPtr& before, const json::ObjectPtr& after) {
        if (const auto self = weak.lock()) self->onHomePod(before, after);
      });
  impl_->deps.notifier.notifyPods([weak = std::weak_ptr(impl_)](const std::string& uid) {
    if (const auto self = weak.lock()) self->queue.enqueueNow(uid);
  });
  return {};
}

void PodController::setProviderState(ProviderState state, const std::string& message, bool alone) {
  {
    std::lock_guard lock(impl_->state_mutex);
    const bool was_alone = impl_->context.alone.exchange(alone);
    if (impl_->state == state && was_alone == alone) return;
    impl_->state = state;
    impl_->state_message = message;
  }
  {
    std::lock_guard lock(impl_->context.mutex);
    impl_->context.marked.clear();
  }
  impl_->wakeAll();
}

ProviderState PodController::providerState() const {
  std::lock_guard lock(impl_->state_mutex);
  const ProviderState state = impl_->state.value_or(ProviderState::kUnreachable);
  return impl_->brake.engaged() && state == ProviderState::kReady ? ProviderState::kMassLoss
                                                                  : state;
}

void PodController::homeIsBack() {
  const std::vector<std::string> dropped = impl_->homes.dropUnconfirmed();
  impl_->homeWentBack(dropped);
  for (const std::string& uid : dropped) impl_->queue.enqueueNow(uid);
}

void PodController::reconsiderRefusals() {
  {
    std::lock_guard lock(impl_->context.mutex);
    impl_->context.refused.clear();
  }
  impl_->wakeAll();
}

void PodController::sweep() { impl_->sweep(); }

void PodController::deleteCarefully(double per_second) {
  std::lock_guard lock(impl_->context.mutex);
  impl_->context.careful.emplace(impl_->deps.runtime.clock, per_second, per_second);
  impl_->context.careful_until = impl_->deps.runtime.clock.now() + kCarefulTime;
  impl_->context.seen_wanted.clear();
}

void PodController::releaseBrake() {
  impl_->brake.release();
  impl_->wakeAll();
}

Result<std::vector<PodRecord>> PodController::abandonAll() {
  impl_->queue.shutdown();
  std::vector<PodRecord> may_run;
  for (const PodRecord& record : impl_->records.all()) {
    const bool sent = record.state != PodRecord::State::kWaiting;
    if (sent && record.state != PodRecord::State::kTerminal) may_run.push_back(record);
    if (auto done = impl_->abandon(record, sent); !done) return failure(done.error());
  }
  return may_run;
}

PodController::Counts PodController::counts() const {
  return {.pods = impl_->records.size(), .active = impl_->queue.active()};
}

std::optional<PodRecord> PodController::record(const std::string& uid) const {
  return impl_->records.find(uid);
}

void PodController::stop() { impl_->queue.shutdown(); }

}  // namespace vkb::node
