// What a turn says when something goes wrong, and how much of it at once may.
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "json/time.h"
#include "node/pod_turn.h"
#include "node/status_patch.h"

namespace vkb::node {
namespace {

/// A failure that cures itself sooner is nobody's business.
constexpr std::chrono::seconds kLasting{30};

constexpr const char* kNotOffloaded = "NotOffloaded";

}  // namespace

PodTurn::Step PodTurn::fail(const Status& status) {
  // Somebody wrote to home's pod first, and what they wrote is known: no failure, a new question.
  if (home_outran_us_ && c_.homes.version(uid_) != home_.version) return {.again = true};
  const std::string text = status.reason + ": " + status.message;
  bool lasting = false, first = false;
  const bool news = isNews(status, &lasting, &first);
  if (first) {
    VKB_LOG(c_.deps.logger, Warn, "pod needs attention", {"uid", uid_},
            {"pod", record_ ? record_->ns + "/" + record_->name : uid_}, {"reason", status.reason},
            {"message", status.message});
  }
  const bool present = home_.state != HomePod::kAbsent;
  if (!record_ && present) record_ = freshRecord();
  if (record_) {
    if (record_->last_error != text) record_->last_error_at = wallNow();
    record_->last_error = text;
    if (auto written = put(); !written) return {.outcome = Outcome::failed(written.error())};
  }
  if (present && lasting) {
    if (news) c_.deps.events.warn(home_.pod(), status.reason, status.message);
    const Json shown = home_.state == HomePod::kActive ? failureStatus(status) : Json();
    if (!shown.is_null()) {
      if (auto told = tell(shown); !told) return {.outcome = Outcome::failed(told.error())};
    }
  }
  return {.outcome = Outcome::failed(status)};
}

/// What home shows of a pod that cannot be made; null: what it shows already.
Json PodTurn::failureStatus(const Status& why) const {
  // A DaemonSet's pod is left alone: its controller may judge it by its status.
  if (why.reason == kNotOffloaded) return {};
  Json waiting = waitingStatus(home_.pod(), why);
  if (!waiting.is_null() || !waitsToBeMade()) return waiting;
  // It ran before: lost and to be made anew, in a home that was restored to before that, say.
  return unreachableStatus(home_.pod(), why.reason, why.message, json::formatTime(wallNow()));
}

bool PodTurn::waitsToBeMade() const {
  return record_ && record_->state == PodRecord::State::kWaiting &&
         delegate_.ownership != ProviderPod::Ownership::kMine;
}

/// One event for each lasting failure: what needs a person is lasting at once, and news whenever
/// its words change; what may pass by itself after half a minute, and news when its reason changes.
bool PodTurn::isNews(const Status& status, bool* lasting, bool* first) {
  const TimePoint now = c_.deps.runtime.clock.now();
  const std::string text = status.reason + ": " + status.message;
  std::lock_guard lock(c_.mutex);
  const auto [found, inserted] = c_.troubles.try_emplace(uid_);
  PodTurnContext::Trouble& trouble = found->second;
  if (inserted) trouble.since = now;
  *first = trouble.text != text;
  trouble.text = text;
  const bool fast = status.retry == Retry::kFast;
  *lasting = !fast || now - trouble.since >= kLasting;
  const std::string& subject = fast ? status.reason : text;
  if (!*lasting || trouble.announced == subject) return false;
  trouble.announced = subject;
  return true;
}

/// For deletionDelay(), while that matters.
void PodTurn::noteWanted() {
  std::lock_guard lock(c_.mutex);
  if (!c_.careful) return;
  if (c_.deps.runtime.clock.now() < c_.careful_until) {
    c_.seen_wanted.insert(uid_);
  } else {
    c_.seen_wanted.clear();
  }
}

Duration PodTurn::deletionDelay() {
  const TimePoint now = c_.deps.runtime.clock.now();
  std::lock_guard lock(c_.mutex);
  if (!c_.careful || c_.seen_wanted.contains(uid_)) return Duration::zero();
  auto turn = c_.may_delete_at.find(uid_);
  if (turn == c_.may_delete_at.end()) {
    if (now >= c_.careful_until) return Duration::zero();
    turn = c_.may_delete_at.emplace(uid_, now + c_.careful->reserve()).first;
  }
  return std::max(Duration::zero(), turn->second - now);
}

PodTurn::Step PodTurn::refuse(const Status& status) {
  if (status.retry == Retry::kNever) {
    std::lock_guard lock(c_.mutex);
    c_.refused[uid_] = inputs_hash_;
  }
  return fail(status);
}

void PodTurn::clearFailure() {
  record_->last_error.clear();
  record_->last_error_at = {};
  std::lock_guard lock(c_.mutex);
  c_.troubles.erase(uid_);
  c_.refused.erase(uid_);
}

bool PodTurn::isRefused() const {
  std::lock_guard lock(c_.mutex);
  const auto found = c_.refused.find(uid_);
  return found != c_.refused.end() && found->second == inputs_hash_;
}

bool PodTurn::allowLoss() {
  const LossBrake::Verdict verdict = c_.brake.allow(uid_, c_.records.size());
  if (verdict == LossBrake::Verdict::kTripped && c_.options.on_mass_loss) c_.options.on_mass_loss();
  return verdict == LossBrake::Verdict::kAllowed;
}

}  // namespace vkb::node
