// What a turn tells home.
#include <nlohmann/json.hpp>

#include "base/write_stamp.h"
#include "json/json.h"
#include "json/time.h"
#include "node/node_patch.h"
#include "node/pod_turn.h"
#include "node/status_patch.h"

namespace vkb::node {
namespace {

using State = PodRecord::State;

int restartsOf(const Json& status) {
  std::int64_t restarts = 0;
  for (const auto& container : json::array(status, {"containerStatuses"})) {
    restarts += json::integer(container, {"restartCount"}).value_or(0);
  }
  return static_cast<int>(restarts);
}

bool isReady(const Json& status) {
  const Json* ready = json::findBy(json::array(status, {"conditions"}), "type", "Ready");
  return ready && json::str(*ready, "status") == "True";
}

}  // namespace

/// The pod may be gone from home and still in the cache, which then tells of that in a moment, or
/// of nothing: a home that went back in time and forth again has the pod as the cache knows it.
Result<HomePods::Told> PodTurn::tell(const Json& status, const Json& annotations,
                                     HomePods::Annotate annotate) {
  auto told = c_.homes.tell(home_, status, annotations, annotate);
  told_nobody_ |= told && *told == HomePods::Told::kGone;
  home_outran_us_ |= !told && told.error().code == 409;
  return told;
}

Result<HomePods::Told> PodTurn::tell(const Json& status) {
  return tell(status, nullptr, HomePods::Annotate::kAlone);
}

bool PodTurn::hasStarted(const Json& pod) {
  if (json::str(pod, {"status", "phase"}) == "Running") return true;
  for (const char* list : {"containerStatuses", "initContainerStatuses"}) {
    for (const auto& container : json::array(pod, {"status", list})) {
      if (!json::str(container, "containerID").empty()) return true;
    }
  }
  return false;
}

PodTurn::Step PodTurn::reflectOnly() {
  if (auto told = reflect(); !told) return fail(told.error());
  return {};
}

Result<void> PodTurn::reflect() {
  if (auto told = tellStatus(); !told) return told;
  return put();
}

/// Tells home what the delegate says and notes what people want to see of it.
Result<void> PodTurn::tellStatus() {
  PodRecord known = *record_;
  if (!up_to_date_) known.inputs_hash.clear();
  auto status = c_.deps.provider.getPodStatus(home_.pod(), known);
  if (!status) return failure(status.error());
  // Killed there and to be made anew: newer kubelets say Failed before they let go of a pod.
  if (delegate_.deleting && home_.state == HomePod::kActive && remakesLost() &&
      isTerminalPhase(json::str(*status, "phase"))) {
    (*status)["phase"] = "Running";
  }
  Json annotations;
  if (!c_.options.delegate_annotation.empty()) {
    annotations[c_.options.delegate_annotation] =
        record_->place_ns + "/" + record_->place_name + "/" + record_->provider_uid;
  }
  base::takeRequestWritten();
  // Of a pod that never ran anything the annotation proves nothing (see rebuildRecord): it goes
  // with the first status.
  const auto annotate =
      hasStarted(home_.pod()) ? HomePods::Annotate::kAlone : HomePods::Annotate::kWithStatus;
  auto told = tell(*status, annotations, annotate);
  if (told && *told == HomePods::Told::kSent) {
    told_version_ = c_.homes.quietVersion(uid_);
    measure(c_.reflect_delay);
  }
  if (!told) {
    if (told.error().code != 422) return failure(told.error());
    Status refused = told.error();
    refused.reason = "ReflectRefused";
    refused.retry = Retry::kSlow;
    return failure(std::move(refused));
  }
  record_->phase = json::str(*status, "phase");
  record_->ready = isReady(*status);
  record_->restarts = restartsOf(*status);
  record_->provider_node = c_.deps.provider.podNode(*record_);
  if (*told == HomePods::Told::kSent && delegate_.observed != TimePoint{}) {
    const Duration lag = c_.deps.runtime.clock.now() - delegate_.observed;
    record_->lag = std::chrono::duration_cast<std::chrono::milliseconds>(lag);
  }
  if (record_->state == State::kCreated && isTerminalPhase(record_->phase)) {
    record_->state = State::kTerminal;
  }
  // A refused or failed update goes on being true while statuses flow.
  if (!update_failed_ && !isRefused()) clearFailure();
  return {};
}

/// Before an end: worth a retry, but a status that home will not take keeps no pod that is gone.
/// Did it end by itself? What came of it is not written down: the record is about to go, or to
/// change.
Result<bool> PodTurn::sayLastWords() {
  if (auto told = tellStatus(); !told) {
    if (told.error().retry == Retry::kFast) return failure(told.error());
    return false;
  }
  return isTerminalPhase(record_->phase);
}

PodTurn::Step PodTurn::markUnreachable() {
  {
    // Whoever says otherwise afterwards may be another bridge, which does reach the target: to
    // contradict each other without end helps nobody.
    std::lock_guard lock(c_.mutex);
    if (c_.marked.contains(uid_)) return {};
  }
  const Json status = unreachableStatus(home_.pod(), nodeReadyReason(target_), target_message_,
                                        json::formatTime(wallNow()));
  const auto told = tell(status);
  if (!told) return {.outcome = Outcome::failed(told.error())};
  if (*told == HomePods::Told::kGone) return {};
  // What one waits for that was never Ready stays the news of it.
  const bool news = *told == HomePods::Told::kSent || !waitsToBeMade();
  if (record_ && news) {
    record_->ready = false;
    record_->last_error = std::string(toString(target_)) + ": " + target_message_;
    if (auto written = put(); !written) return {.outcome = Outcome::failed(written.error())};
  }
  std::lock_guard lock(c_.mutex);
  c_.marked.insert(uid_);
  return {};
}

}  // namespace vkb::node
