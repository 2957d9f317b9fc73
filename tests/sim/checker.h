#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "world.h"

namespace vkb::sim {

/// Watches every write of all servers as it happens and checks design §4's invariants over the
/// history: a violation that heals itself is still a violation.
/// It judges by what is so, which no program can know, and by what the bridge had been told.
class Checker {
 public:
  explicit Checker(World& world);

  /// What does not hold although nothing moves any more; the targets in `except` are out of order.
  std::vector<std::string> unsettled(const Target* except = nullptr);
  /// As unsettled(), but noted as violations.
  void checkSettled(const Target* except = nullptr);
  /// `target` has not been reached for long: home must say so (invariant 5).
  void checkTold(const Target& target);
  /// This home pod was deleted, with nothing in the way of its end (invariant 6).
  void checkGone(const std::string& home_uid);
  /// Another cluster answers in this target's place from now on, or no longer.
  void goesAway(const Target& target, bool away);

  /// A pod in a target that a bridge made.
  bool isOurs(const std::string& delegate_uid) const { return owner_.contains(delegate_uid); }
  const std::vector<std::string>& violations() const { return violations_; }
  std::size_t delegatesMade() const { return owner_.size(); }

 private:
  /// What there was and is of one home pod UID.
  struct Pod {
    std::set<std::string> live;  ///< its delegates that are there, by UID
    int made = 0;
    std::set<std::string> phases, ips;  ///< that any of its delegates ever had
    bool taken = false;                 ///< somebody else deleted a delegate
    bool released = false;              ///< a bridge removed the home object
    bool ended = false;                 ///< it was terminal at home
    bool may_be_remade = false;         ///< policy recreate, restartPolicy Always
  };
  /// Who wrote last into a target for its node.
  struct Service {
    std::string writer;  ///< installation; or the last holder, if nobody has written since his time
    std::string holder;  ///< of the claim
    /// Held the claim until a backup brought back an earlier holder; may not know until then.
    std::string deposed;
    TimePoint deposed_knows{};
    bool away = false;
    std::map<std::string, std::vector<std::pair<TimePoint, std::string>>> losses;  ///< by actor
  };

  void violate(const std::string& invariant, const std::string& what);
  void onTarget(Target& target, const test::Change& change);
  void onTargetPod(const test::Change& change, bool by_bridge);
  void onCopy(const test::Change& change);
  void byBridgeInTarget(Target& target, const test::Change& change);
  void posted(const std::string& actor, const Json& delegate);
  void created(const test::Change& change);
  void changedOrDeleted(const test::Change& change);
  std::string claimHolder(Target& target) const;
  void checkClaim(Target& target, const test::Change& change);
  void restoredTarget(Target& target);
  void onHome(const test::Change& change);
  void toldByBridge(const test::Change& change);
  void removedByBridge(const test::Change& change);
  bool isToldBySomething(const test::Change& removal);
  void restoredHome();
  void loss(Target& target, const std::string& actor, const std::string& uid);
  const Json* homePod(Installation& installation, const std::string& uid) const;
  bool isNobodys(const std::string& home_uid);
  bool isUnknown(const Json& delegate) const;
  void settledPods(std::vector<std::string>& found, const Target* except);
  void settledCopy(std::vector<std::string>& found, Target& target);

  World& world_;
  std::vector<std::string> violations_;
  std::map<std::string, Pod> pods_;           ///< by home UID
  std::map<std::string, std::string> owner_;  ///< delegate UID -> home UID
  /// Delegates of pods in the copy of home, which that one's bridge made.
  std::set<std::string> of_clone_;
  std::set<std::string> copies_;  ///< Secrets that bridges made, by UID
  std::map<const Target*, Service> services_;
  bool home_went_back_ = false;
};

}  // namespace vkb::sim
