#pragma once

#include <map>
#include <string>
#include <vector>

#include "checker.h"
#include "world.h"

namespace vkb::sim {

/// Carries a script out. What an action needs to choose it draws from the action's own seed; one
/// that finds nothing to act on does nothing.
class Actions {
 public:
  Actions(World& world, Checker& checker, const Script& script)
      : world_(world), checker_(checker), script_(script) {}

  void perform(const Action& action);
  /// What happened, one line each; "" where nothing did.
  const std::string& said() const { return said_; }
  /// Ends what actions began and would go on for ever.
  void restoreOrder();

  static constexpr const char* kNamespace = "work";

 private:
  std::uint64_t below(std::uint64_t bound) { return random_->below(bound); }
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
  void say(const std::string& what) { said_ = what; }

  // actions.cpp: users and target-side actors
  void performAsUser(Kind kind);
  void performInTarget(Kind kind);
  void createPod();
  void deletePod(bool force);
  void recreatePod();
  void updatePod();
  void failPodAtHome();
  void editStatusAtHome();
  void holdByFinalizer();
  void writeSecret();
  void endContainers();
  void evict();
  void deleteDelegate(bool force);
  void disownDelegate();
  void replaceDelegate();
  void makeForeignPod();
  void meddleWithCopy();
  void deleteNamespace();
  void loseMany();
  void slowDeletions();

  // actions_faults.cpp: everything else
  void performFault(Kind kind);
  void performOnBridge(Kind kind);
  void performTimeTravel(Kind kind);
  void refuse();
  void phantomDelete();
  void relistAll();
  void outage();
  void orderlyEnd();
  bool calm();
  void crashSoon();
  void startSecond();
  bool isJustRestored(const test::FakeCluster& cluster) const;
  std::shared_ptr<const test::FakeCluster::Snapshot> backUp(test::FakeCluster& cluster);
  /// Has it written so much since its backup that its resourceVersions tell when it goes back
  /// there?
  bool hasAged(const test::FakeCluster& cluster) const;
  void restore(test::FakeCluster& cluster, const test::FakeCluster::Snapshot& backup);
  void restoreHome();
  void flashbackHome();
  void swapTarget();
  void swapBack();

  bool createAt(test::FakeCluster& home, const std::string& name);
  /// The action's pod in that cluster, else any; null where there is none.
  test::VersionPtr pod(test::FakeCluster& cluster);
  /// The same, delegates only.
  test::VersionPtr delegate();
  std::string name() const { return "pod-" + std::to_string(action_.pod); }
  test::FakeCluster& usersHome();
  Target& target();
  test::FakeCluster& anyCluster();
  Installation& anyBridge();

  World& world_;
  Checker& checker_;
  const Script& script_;
  Action action_;
  std::optional<test::FakeRandom> random_;  ///< the present action's own
  std::string said_;
  std::size_t created_ = 0;
  std::shared_ptr<const test::FakeCluster::Snapshot> home_backup_, own_content_;
  std::map<const test::FakeCluster*, TimePoint> restored_;            ///< when last
  std::map<const test::FakeCluster*, std::uint64_t> backup_version_;  ///< resourceVersion
  bool home_is_back_ = false;  ///< in time, until it is listed
};

}  // namespace vkb::sim
