#include "node/pod_turn.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/protections.h"
#include "base/write_stamp.h"
#include "json/json.h"
#include "json/object_parts.h"
#include "json/time.h"
#include "node/status_patch.h"
#include "vkbridge/errors.h"

namespace vkb::node {
namespace {

using base::Protection;
using base::protects;
using State = PodRecord::State;
using Ownership = ProviderPod::Ownership;

/// A create attempt can take effect until the server's own time limit, plus what the request may
/// have spent in sockets and proxies on its way.
constexpr std::chrono::seconds kAttemptWindow = kube::kWriteCallDeadline + kube::kWriteTimeout;
/// A cache that is behind a proof catches up within this.
constexpr std::chrono::seconds kCacheLag{1};
/// A provider that was asked to end a pod shows that within this.
constexpr std::chrono::seconds kAskAgain{30};
/// Turns that only write things down follow each other; more than this is a broken plan().
constexpr int kMaxSteps = 5;

}  // namespace

Outcome PodTurn::run() {
  for (int step = 0; step < kMaxSteps; ++step) {
    const PodTurnContext::Seen seen = c_.look(uid_);
    if (step == 0 && c_.isSettled(uid_, seen)) return Outcome::done();
    const PlanInput input = observe();
    const Plan next = plan(input);
    VKB_LOG(c_.deps.logger, Debug, "pod turn", {"uid", uid_}, {"action", toString(next.action)},
            {"delegate", delegate_.place.name});
    Step done = act(next);
    if (done.again) continue;
    const bool rests = !done.outcome.failure && !done.outcome.again_in;
    if (told_nobody_ && rests) done.outcome = Outcome::after(kCacheLag);
    settle(seen, next.action, done.outcome);
    return done.outcome;
  }
  return Outcome::after(kCacheLag);
}

PlanInput PodTurn::observe() {
  record_ = c_.records.find(uid_);
  home_ = c_.homes.view(uid_, detail());
  if (!record_) rebuildRecord();
  delegate_ = c_.deps.provider.peekPod(podToPeek(), uid_, record_ ? &*record_ : nullptr);
  inputs_hash_.clear();
  up_to_date_ = home_outran_us_ = false;
  if (home_.state == HomePod::kActive) {
    inputs_hash_ = inputsHash();
    noteWanted();
  }
  if (record_ && delegate_.ownership == Ownership::kMine) {
    up_to_date_ =
        record_->inputs_hash == (home_.state == HomePod::kDeleting ? inputsHash() : inputs_hash_);
  }

  PlanInput in{
      .home = home_.state, .delegate = delegate_, .target = target_, .alone = c_.alone.load()};
  if (record_) {
    in.record = record_->state;
    in.attempt_expired = record_->attempt_expires <= wallNow();
    const bool differs = record_->inputs_hash != inputs_hash_ || delegate_.repair;
    in.outdated = home_.state == HomePod::kActive && differs && !isRefused();
  }
  const auto grace = homeGrace();
  in.shorter_grace = grace && delegate_.grace_seconds && *grace < *delegate_.grace_seconds;
  return in;
}

/// See PodLifecycleHandler::peekPod(), readsPodsWhole().
const Json* PodTurn::podToPeek() const {
  const bool there = home_.state != HomePod::kAbsent && home_.state != HomePod::kReleased;
  return there && home_.detail == HomePods::Detail::kWhole ? &home_.pod() : nullptr;
}

std::optional<std::int64_t> PodTurn::homeGrace() const {
  if (home_.state != HomePod::kDeleting) return std::nullopt;
  return json::integer(*home_.bytes, {"metadata", "deletionGracePeriodSeconds"});
}

/// The store was lost, the home pod remembers: without its delegate it must not start again
/// (invariant 4), nor go before it (6). The annotation alone proves nothing, anybody can write it,
/// e.g. into a template; a pod whose containers never started loses nothing by being made, and one
/// that is being deleted costs a GET at most.
void PodTurn::rebuildRecord() {
  // Released by us and still in the cache: it was forgotten in order.
  if (home_.state == HomePod::kReleased || c_.options.delegate_annotation.empty()) return;
  const std::string hint =
      json::str(home_.pod(), {"metadata", "annotations", c_.options.delegate_annotation});
  const auto first = hint.find('/');
  const auto second = hint.find('/', first == std::string::npos ? first : first + 1);
  if (second == std::string::npos) return;
  if (home_.state != HomePod::kDeleting && !hasStarted(home_.pod())) return;
  PodRecord record = freshRecord();
  record.state = State::kCreated;
  record.place_ns = hint.substr(0, first);
  record.place_name = hint.substr(first + 1, second - first - 1);
  record.provider_uid = hint.substr(second + 1);
  record.inputs_hash = c_.deps.provider.inputsHash(home_.whole());
  if (c_.records.put(record)) record_ = record;
}

PodTurn::Step PodTurn::act(const Plan& next) {
  switch (next.action) {
    case Action::kNothing:
    case Action::kWait:
      return {};
    case Action::kWaitForAttempt:
      return waitForAttempt(next.reflect);
    case Action::kMarkUnreachable:
      return markUnreachable();
    case Action::kCreate:
      return create();
    case Action::kAdopt:
      return adopt();
    case Action::kRefuseTaken:
      return refuse({.code = 409,
                     .reason = "NameTaken",
                     .message = "a pod " + delegate_.place.ns + "/" + delegate_.place.name +
                                " that is not this bridge's exists in the target; it is left alone",
                     .retry = Retry::kNever});
    case Action::kUpdate:
      return update();
    case Action::kReflect:
      return next.reflect ? reflectOnly() : Step{};
    case Action::kMarkTerminal:
      return markTerminal();
    case Action::kDeleteDelegate:
      return deleteDelegate(false);
    case Action::kDeleteOrphan:
      return deleteDelegate(true);
    case Action::kProveLost:
      return proveLost(next.reflect);
    case Action::kProveGoneThenRelease:
      return proveGoneThen(true);
    case Action::kRelease:
      return release(next.reflect);
    case Action::kProveGoneThenForget:
      return proveGoneThen(false);
    case Action::kForget:
      return forgetAbsent();
  }
  return {};
}

PodTurn::Step PodTurn::create() {
  if (isRefused()) return {};
  // While home's watch is broken it may have ended the pod, or let go of it, and we do not know.
  if (c_.homes.mayBeBehind(uid_)) {
    if (auto unwanted = confirmWanted()) return *unwanted;
  }
  if (!record_) record_ = freshRecord();
  if (record_->state != State::kCreating) {
    auto place = c_.deps.provider.placePod(home_.whole());
    if (!place) return refuse(place.error());
    record_->place_ns = place->ns;
    record_->place_name = place->name;
  }
  // Durable before the request: whatever becomes of this process, the next one knows that the
  // delegate may exist, where, and until when the attempt may still take effect.
  const WallTime earlier_attempt = record_->attempt_expires;
  record_->state = State::kCreating;
  record_->attempt_expires = wallNow() + kAttemptWindow;
  const bool first = protects(Protection::kDurableRecordFirst);
  if (auto written = first ? put() : Result<void>(); !written) {
    record_ = c_.records.find(uid_);  // nothing was sent: the record must not come to say so
    return fail(written.error());
  }

  base::takeRequestWritten();
  const auto created = c_.deps.provider.createPod(home_.whole(), *record_);
  if (created) measure(c_.create_delay);
  // With an answer this attempt is over. An earlier, unanswered one may still be under way.
  const bool answered = created || !created.error().isUnanswered();
  if (answered) record_->attempt_expires = earlier_attempt;
  if (!created) {
    if (answered && earlier_attempt <= wallNow()) record_->state = State::kWaiting;
    if (errors::isPreparing(created.error())) return waitPrepared();
    return refuse(created.error());
  }
  record_->state = State::kCreated;
  record_->provider_uid = created->uid;
  record_->inputs_hash = created->inputs_hash;
  noteInputs();
  record_->phase = "Pending";
  clearFailure();
  if (auto written = put(); !written) return fail(written.error());
  // Nothing may ever come of it by itself: no scheduler, no kubelet.
  return {.outcome = Outcome::after(kCacheLag)};
}

PodTurn::Step PodTurn::adopt() {
  if (!record_) {
    record_ = freshRecord();
    if (home_.state == HomePod::kAbsent) {
      record_->ns = delegate_.home_ns;
      record_->name = delegate_.home_name;
    }
  }
  record_->state = State::kCreated;
  record_->place_ns = delegate_.place.ns;
  record_->place_name = delegate_.place.name;
  record_->provider_uid = delegate_.uid;
  record_->inputs_hash = delegate_.inputs_hash;
  if (auto written = put(); !written) return fail(written.error());
  return {.again = true};
}

PodTurn::Step PodTurn::update() {
  if (auto updated = c_.deps.provider.updatePod(home_.whole(), *record_); !updated) {
    // What the delegate says is true all the same.
    update_failed_ = true;
    if (auto told = reflect(); !told) return fail(told.error());
    if (errors::isPreparing(updated.error())) return waitPrepared();
    return refuse(updated.error());
  }
  record_->inputs_hash = inputs_hash_;
  up_to_date_ = true;
  clearFailure();
  return reflectOnly();
}

PodTurn::Step PodTurn::deleteDelegate(bool orphan) {
  std::optional<std::int64_t> grace;
  if (orphan) {
    const auto gone = c_.homes.isGone(record_->ns, record_->name, uid_);
    if (!gone) return fail(gone.error());
    if (!*gone && protects(Protection::kProofBeforeOrphan)) {
      return {.outcome = Outcome::after(kCacheLag)};
    }
    // What has ended runs nothing that could be lost: finished Jobs are cleared away in masses.
    if (!delegate_.terminal && !allowLoss()) return {};
    if (const Duration wait = deletionDelay(); wait > Duration::zero()) {
      return {.outcome = Outcome::after(wait)};
    }
    record_->state = State::kDeleting;
    if (auto written = put(); !written) return fail(written.error());
  } else {
    if (const Duration wait = deletionDelay(); wait > Duration::zero()) {
      if (home_.state == HomePod::kDeleting) {
        if (auto told = reflect(); !told) return fail(told.error());
      }
      return {.outcome = Outcome::after(wait)};
    }
    grace = homeGrace();
  }
  if (auto asked = c_.deps.provider.deletePod(*record_, grace); !asked) {
    // Nobody may refuse an end for good: it is asked for again.
    Status refused = asked.error();
    if (refused.retry == Retry::kNever) refused.retry = Retry::kSlow;
    return fail(refused);
  }
  // What it says of its end, its next event tells; unless the provider has forgotten that it was
  // asked: one that was put back to a backup from before shows the pod as it always was.
  return {.outcome = Outcome::after(kAskAgain)};
}

PodTurn::Step PodTurn::proveLost(bool reflect_first) {
  const auto proof = c_.deps.provider.getPod(*record_);
  if (!proof) return fail(proof.error());
  if (proof->ownership == Ownership::kMine && protects(Protection::kProofBeforeLost)) {
    return {.outcome = Outcome::after(kCacheLag)};
  }
  if (remakesLost()) return remakeLost();
  if (reflect_first) {
    // Its last words may be that it ended by itself: then that is its end. The record alone does
    // not tell: it says so of a loss, too, which a home restored from a backup has forgotten.
    const auto ended = sayLastWords();
    if (!ended) return fail(ended.error());
    if (*ended) {
      const auto written = put();
      return written ? Step{} : fail(written.error());
    }
    // The loss is about the version that these words made.
    home_ = c_.homes.view(uid_, detail());
    if (home_.state != HomePod::kActive) return {.again = true};
  }
  if (!allowLoss()) return {};
  const std::string message = "The delegate " + record_->place_ns + "/" + record_->place_name +
                              " no longer exists in the target.";
  const std::string reason = lostReason(home_.pod());
  const Json status = lostStatus(home_.pod(), reason, message, json::formatTime(wallNow()));
  if (auto told = tell(status); !told) return fail(told.error());
  c_.deps.events.warn(home_.pod(), "DelegateLost", message);
  record_->state = State::kTerminal;
  record_->phase = "Failed";
  record_->ready = false;
  record_->last_error = reason + ": " + message;
  record_->last_error_at = wallNow();
  if (auto written = put(); !written) return fail(written.error());
  return {};
}

std::optional<PodTurn::Step> PodTurn::confirmWanted() {
  const auto state = c_.homes.confirm(home_.pod());
  if (!state) return fail(state.error());
  if (*state == HomePod::kActive) return std::nullopt;
  return Step{.outcome = Outcome::after(kCacheLag)};
}

bool PodTurn::remakesLost() const {
  const std::string policy = json::str(home_.pod(), {"spec", "restartPolicy"});
  const bool may =
      policy.empty() || policy == "Always" || !protects(Protection::kRecreateOnlyIfAlways);
  return may && c_.options.remakes_lost && c_.options.remakes_lost(home_.pod());
}

/// After the proof that it is gone: back to the state before it was made.
PodTurn::Step PodTurn::remakeLost() {
  // Containers start a second time: that takes home's own word, not the cache's.
  if (auto unwanted = confirmWanted()) return *unwanted;
  if (!allowLoss()) return {};
  const std::string message = "The delegate " + record_->place_ns + "/" + record_->place_name +
                              " no longer exists in the target; it is made anew.";
  const Json status =
      unreachableStatus(home_.pod(), "DelegateLost", message, json::formatTime(wallNow()));
  const auto told = tell(status);
  if (!told) return fail(told.error());
  if (*told == HomePods::Told::kGone) return {};
  c_.deps.events.warn(home_.pod(), "DelegateLost", message);
  c_.deps.provider.forgetPod(*record_);
  record_->state = State::kWaiting;
  record_->provider_uid.clear();
  record_->ready = false;
  if (auto written = put(); !written) return fail(written.error());
  return {.again = true};
}

PodTurn::Step PodTurn::proveGoneThen(bool release_home) {
  const auto proof = c_.deps.provider.getPod(*record_);
  if (!proof) return fail(proof.error());
  if (proof->ownership == Ownership::kMine) return {.outcome = Outcome::after(kCacheLag)};
  if (!release_home) return forgetAbsent();
  // The user asked for this end and the GET proved it: that is no loss, however many there are.
  return release(false);
}

PodTurn::Step PodTurn::release(bool reflect_first) {
  if (reflect_first) {
    if (auto told = sayLastWords(); !told) return fail(told.error());
  }
  if (auto released = c_.homes.release(home_.pod()); !released) return fail(released.error());
  return forget();
}

/// What the record remembers (that containers ran once) must outlive a home cache that is wrong.
/// kDeleting says that home was proven gone; the others never ran.
PodTurn::Step PodTurn::forgetAbsent() {
  if (record_ && (record_->state == State::kCreated || record_->state == State::kTerminal)) {
    const auto gone = c_.homes.isGone(record_->ns, record_->name, uid_);
    if (!gone) return fail(gone.error());
    if (!*gone) return {.outcome = Outcome::after(kCacheLag)};
  }
  return forget();
}

PodTurn::Step PodTurn::forget() {
  std::string ns = home_.bytes ? home_.bytes->ns : "";
  std::string name = home_.bytes ? home_.bytes->name : "";
  if (record_) {
    ns = record_->ns;
    name = record_->name;
    if (auto erased = c_.records.erase(uid_); !erased) {
      return {.outcome = Outcome::failed(erased.error())};
    }
    c_.deps.provider.forgetPod(*record_);
  }
  {
    std::lock_guard lock(c_.mutex);
    c_.troubles.erase(uid_);
    c_.refused.erase(uid_);
    c_.may_delete_at.erase(uid_);
    c_.settled.erase(uid_);
    c_.known_inputs.erase(uid_);
  }
  // A pod recreated under this name may have waited for this end.
  const std::string successor = c_.homes.uidOf(ns, name);
  if (!successor.empty() && successor != uid_) c_.wake(successor);
  return {};
}

PodTurn::Step PodTurn::waitForAttempt(bool reflect_first) {
  if (reflect_first) {
    if (auto told = reflect(); !told) return fail(told.error());
  }
  const auto left = record_->attempt_expires - wallNow();
  return {.outcome = Outcome::after(std::max<Duration>(left, std::chrono::milliseconds(100)))};
}

PodRecord PodTurn::freshRecord() const {
  PodRecord record;
  record.uid = uid_;
  record.node = c_.options.node;
  record.ns = json::str(home_.pod(), {"metadata", "namespace"});
  record.name = json::str(home_.pod(), {"metadata", "name"});
  record.home_created = json::parseTime(json::str(home_.pod(), {"metadata", "creationTimestamp"}))
                            .value_or(WallTime{});
  record.phase = "Pending";
  return record;
}

Result<void> PodTurn::put() { return c_.records.put(*record_); }

}  // namespace vkb::node
