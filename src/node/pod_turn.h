#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "base/rate_limiter.h"
#include "node/home_pods.h"
#include "node/loss_brake.h"
#include "node/plan.h"
#include "node/pod_controller.h"
#include "node/record_book.h"
#include "node/work_queue.h"

namespace vkb::node {

/// What the turns of all pods share. Owned by the pod controller.
struct PodTurnContext {
  const PodController::Deps& deps;
  const PodController::Options& options;
  HomePods& homes;
  RecordBook& records;
  LossBrake& brake;
  /// Looks again at another UID.
  std::function<void(const std::string& uid)> wake;

  std::atomic<bool> alone{true};  ///< see PodController::setProviderState()

  std::mutex mutex{};  ///< guards what follows
  /// What goes wrong with a UID at present, so that a lasting failure is one event.
  struct Trouble {
    std::string text;       ///< "reason: message" of the last failure
    std::string announced;  ///< what the last event was about
    TimePoint since{};
  };
  std::unordered_map<std::string, Trouble> troubles{};
  /// Deletions begin at this rate for a while; each UID waits for its turn once. Those that home
  /// was seen to want since then do not: who deletes them now knows what they do.
  std::optional<base::RateLimiter> careful{};
  TimePoint careful_until{};
  std::unordered_set<std::string> seen_wanted{};
  std::unordered_map<std::string, TimePoint> may_delete_at{};
  /// Inputs hash for which the provider refused for good; nothing is tried until it changes.
  std::unordered_map<std::string, std::string> refused{};
  /// Home was told that nothing is known of these UIDs: once for each change of the provider's
  /// state (design §7), unless home went back.
  std::unordered_set<std::string> marked{};
  /// Versions of home pod and provider's pod that a turn left nothing to do about. What else a turn
  /// goes by changes the epoch.
  struct Seen {
    std::uint64_t home = 0, provided = 0, epoch = 0;
    bool operator==(const Seen&) const = default;
  };
  std::unordered_map<std::string, Seen> settled{};
  /// What there is to see now; both versions 0 where one of them is not known.
  Seen look(const std::string& uid);
  bool isSettled(const std::string& uid, const Seen& seen);
  /// Home pods (printOfInputs) whose inputs were found to be those of their records (a hash of
  /// what stands there), so that they are not worked out again in each turn.
  struct Inputs {
    std::size_t print = 0, recorded = 0;
    std::uint64_t epoch = 0;
    bool operator==(const Inputs&) const = default;
  };
  std::unordered_map<std::string, Inputs> known_inputs{};
  std::uint64_t epoch = 1;

  /// How long events wait for the request they lead to.
  prometheus::Histogram &create_delay, &reflect_delay;
};

/// One turn of one home pod UID: observe, plan, act; repeated while acting only wrote things down.
/// Lives on one executor thread for the length of the turn.
class PodTurn {
 public:
  /// `woken_at`: when the first of the events came that this turn is for, if that is known.
  PodTurn(PodTurnContext& context, std::string uid, ProviderState target,
          std::string target_message, std::optional<TimePoint> woken_at = std::nullopt)
      : c_(context),
        uid_(std::move(uid)),
        target_(target),
        target_message_(std::move(target_message)),
        woken_at_(woken_at) {}

  Outcome run();

 private:
  struct Step {
    Outcome outcome{};
    bool again = false;  ///< only wrote things down: plan once more
  };

  void settle(PodTurnContext::Seen seen, Action action, const Outcome& outcome);
  /// Notes how long the event of this turn waited for the request just sent.
  void measure(prometheus::Histogram& delay);

  PlanInput observe();
  /// What peekPod() is to know of home's pod; null: nothing.
  const Json* podToPeek() const;
  /// How long it may take to end, while home's pod is being deleted.
  std::optional<std::int64_t> homeGrace() const;
  /// What of home's pod this turn needs for sure.
  HomePods::Detail detail() const;
  /// Of the home pod as it is; that of the record where it is known to be the same.
  std::string inputsHash();
  void noteInputs();
  void rebuildRecord();
  Step act(const Plan& plan);

  Step create();
  Step adopt();
  Step update();
  Step reflectOnly();
  Step markTerminal();
  Step markUnreachable();
  Step deleteDelegate(bool orphan);
  Step proveLost(bool reflect_first);
  bool remakesLost() const;
  Step remakeLost();
  Step release(bool reflect_first);
  Step proveGoneThen(bool release_home);
  Step forgetAbsent();
  Step forget();
  Step waitForAttempt(bool reflect_first);

  Result<HomePods::Told> tell(const Json& status, const Json& annotations,
                              HomePods::Annotate annotate);
  Result<HomePods::Told> tell(const Json& status);  ///< annotations stay as they are
  /// Containers of this pod have been started somewhere before.
  static bool hasStarted(const Json& pod);
  Result<void> reflect();  ///< tellStatus(), and writes the record down
  Result<void> tellStatus();
  Result<bool> sayLastWords();
  /// Asks home itself whether this pod is to run. Nothing: it is.
  std::optional<Step> confirmWanted();
  Result<void> put();
  Step waitPrepared();
  PodRecord freshRecord() const;
  /// Notes the failure where people look (record, event, home pod) and hands it to the queue.
  Step fail(const Status& status);
  /// As fail(); after Retry::kNever these inputs are not tried again.
  Step refuse(const Status& status);
  void clearFailure();
  bool isRefused() const;
  bool allowLoss();
  Json failureStatus(const Status& why) const;
  bool waitsToBeMade() const;
  /// Is this failure news that people should hear of? Notes it either way.
  bool isNews(const Status& status, bool* lasting, bool* first);
  /// How long this deletion has to wait for its turn.
  Duration deletionDelay();
  void noteWanted();
  WallTime wallNow() const { return c_.deps.runtime.clock.wallNow(); }

  PodTurnContext& c_;
  const std::string uid_;
  const ProviderState target_;
  const std::string target_message_;
  const std::optional<TimePoint> woken_at_;

  HomePods::View home_;
  std::optional<PodRecord> record_;
  ProviderPod delegate_;
  std::string inputs_hash_;  ///< of home's pod, while it is active
  bool up_to_date_ = false;  ///< the provider's pod was last made from what home's asks for now
  // In this turn:
  bool update_failed_ = false;
  bool told_nobody_ = false;  ///< home has no such pod
  /// In this step home refused a status: the pod has another version by now. What a provider calls
  /// a conflict is none of these; it may have changed the record, which has to be written.
  bool home_outran_us_ = false;
  /// What reflect() made home's version; nothing: it wrote nothing. See HomePods::quietVersion().
  std::optional<std::uint64_t> told_version_{};
};

}  // namespace vkb::node
