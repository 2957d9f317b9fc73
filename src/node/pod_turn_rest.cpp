// What a turn need not look at, not yet, or no more, and how long its event waited.
#include <nlohmann/json.hpp>

#include "base/write_stamp.h"
#include "node/home_pod_change.h"
#include "node/pod_turn.h"

namespace vkb::node {
namespace {
constexpr std::chrono::seconds kPreparedCheck{30};
/// The provider shows what it was asked about within this.
constexpr std::chrono::seconds kLearned{1};
}  // namespace

PodTurnContext::Seen PodTurnContext::look(const std::string& uid) {
  Seen seen{.home = homes.version(uid), .provided = deps.provider.podVersion(uid)};
  std::lock_guard lock(mutex);
  seen.epoch = epoch;
  return seen;
}

bool PodTurnContext::isSettled(const std::string& uid, const Seen& seen) {
  std::lock_guard lock(mutex);
  const auto found = settled.find(uid);
  return found != settled.end() && found->second == seen;
}

/// `seen` is from before this turn looked: what came meanwhile has another version and its own
/// turn. Only what we wrote ourselves need not be looked at again.
void PodTurn::settle(PodTurnContext::Seen seen, Action action, const Outcome& outcome) {
  if (told_version_) seen.home = *told_version_;
  const bool known = seen.home != 0 && seen.provided != 0;
  const bool rests = action == Action::kNothing || action == Action::kReflect;
  // Of an end that was just told, the next plan may be another, unless the pod is on its way out.
  const bool ends = told_version_ && home_.state != HomePod::kDeleting && record_ &&
                    record_->state == PodRecord::State::kTerminal;
  std::lock_guard lock(c_.mutex);
  if (known && rests && !ends && !outcome.failure && !outcome.again_in) {
    c_.settled[uid_] = seen;
  } else {
    c_.settled.erase(uid_);
  }
}

void PodTurn::measure(prometheus::Histogram& delay) {
  const auto written = base::takeRequestWritten();
  if (!written || !woken_at_) return;
  delay.Observe(std::chrono::duration<double>(*written - *woken_at_).count());
}

/// What was made is looked at for its status, nearly always.
HomePods::Detail PodTurn::detail() const {
  using State = PodRecord::State;
  const bool made =
      record_ && record_->state != State::kWaiting && record_->state != State::kCreating;
  return made && !c_.deps.provider.readsPodsWhole() ? HomePods::Detail::kStatus
                                                    : HomePods::Detail::kWhole;
}

std::string PodTurn::inputsHash() {
  const bool made = record_ && !record_->inputs_hash.empty() &&
                    delegate_.ownership == ProviderPod::Ownership::kMine && home_.bytes;
  if (!made) return c_.deps.provider.inputsHash(home_.whole());
  const std::size_t print = printOfInputs(*home_.bytes, c_.options.delegate_annotation);
  const std::size_t recorded = std::hash<std::string>{}(record_->inputs_hash);
  {
    std::lock_guard lock(c_.mutex);
    const auto known = c_.known_inputs.find(uid_);
    if (known != c_.known_inputs.end() &&
        known->second == PodTurnContext::Inputs{print, recorded, c_.epoch}) {
      return record_->inputs_hash;
    }
  }
  std::string hash = c_.deps.provider.inputsHash(home_.whole());
  std::lock_guard lock(c_.mutex);
  if (hash == record_->inputs_hash) {
    c_.known_inputs[uid_] = {print, recorded, c_.epoch};
  } else {
    c_.known_inputs.erase(uid_);
  }
  return hash;
}

/// A pod that was just made of what home shows need not be compared with it.
void PodTurn::noteInputs() {
  if (!home_.bytes || record_->inputs_hash != inputs_hash_) return;
  const std::size_t print = printOfInputs(*home_.bytes, c_.options.delegate_annotation);
  const std::size_t recorded = std::hash<std::string>{}(record_->inputs_hash);
  std::lock_guard lock(c_.mutex);
  c_.known_inputs[uid_] = {print, recorded, c_.epoch};
}

/// The provider says when to go on. Looked at again all the same: a wait must not hang on a call
/// that never comes.
PodTurn::Step PodTurn::waitPrepared() {
  if (auto written = put(); !written) return fail(written.error());
  return {.outcome = Outcome::after(kPreparedCheck)};
}

/// One that was made and whose end nobody saw may go on without its labels: then it is to stop.
PodTurn::Step PodTurn::markTerminal() {
  const bool unseen = delegate_.ownership != ProviderPod::Ownership::kMine && !delegate_.gone_seen;
  if (unseen && record_->state == PodRecord::State::kCreated) {
    const auto proof = c_.deps.provider.getPod(*record_);
    if (!proof) return fail(proof.error());
    if (proof->ownership == ProviderPod::Ownership::kMine && !proof->terminal) {
      return {.outcome = Outcome::after(kLearned)};
    }
  }
  record_->state = PodRecord::State::kTerminal;
  clearFailure();  // whatever was still to be done for it
  const auto written = put();
  return written ? Step{} : fail(written.error());
}

}  // namespace vkb::node
