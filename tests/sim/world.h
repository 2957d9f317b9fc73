#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "script.h"
#include "store.h"
#include "support/fake_cluster.h"
#include "support/fake_kubelet.h"
#include "support/fake_runtime.h"

namespace vkb::sim {

/// A joined cluster: its server, its scheduler, its one node's kubelet, and the virtual node that
/// stands for it at home.
struct Target {
  Target(test::FakeRuntime& runtime, std::string node, std::uint64_t seed);
  const std::string node;
  test::FakeCluster cluster;
  test::FakeScheduler scheduler;
  test::FakeKubelet kubelet;
  const std::string id;  ///< the identity that was joined
  std::shared_ptr<const test::FakeCluster::Snapshot> backup{};
};

/// One state folder and the program that runs on it: `vk-bridge run`.
struct Bridge;
struct Installation {
  std::string name;
  test::FakeCluster& home;
  std::unique_ptr<SimStore> store{};
  std::unique_ptr<Bridge> running{};
  std::string actor{};  ///< of the present incarnation, or of the last
  TimePoint started{};
  int incarnation = 0;
};

/// The program was killed. Thrown out of a request or a write to the store.
struct Killed {
  Installation* installation;
};

/// Everything there is, single-threaded, from one script. The bridges are the product's own
/// bridge::Cluster over fake clients and the real SQLite store.
class World {
 public:
  explicit World(const Script& script);
  ~World();

  test::FakeRuntime runtime;
  test::FakeCluster home;
  std::vector<std::unique_ptr<Target>> targets;
  /// The bridge that users count on, and another one where the script has one.
  Installation first;
  std::unique_ptr<test::FakeCluster> clone;  ///< home restored elsewhere, for a cloned home
  std::unique_ptr<Installation> second;

  void start(Installation& installation);
  /// As kill -9: nothing it posted runs, nothing it sends arrives any more.
  void crash(Installation& installation);
  /// It dies at the n-th step from now, a request or a write to its store, before or after it took
  /// effect.
  void crashAt(Installation& installation, int n, bool after);
  void loseStore(Installation& installation);
  /// The operator of `installation` decides that it is his (`join --take-over`).
  void takeOver(Installation& installation);
  /// Home as it is now, in another place with a bridge of its own.
  void cloneHome();

  /// Lets time pass; crashes on the way end programs, not the world.
  void advance(Duration by);
  /// Requests whose answers were given up arrive after all.
  std::size_t releaseLateWrites(test::FakeCluster& cluster);
  bool lateWritesArrive() const { return late_writes_arrive_; }
  /// `what` happens once, right after the next request that matches.
  void afterNext(test::Matcher matcher, std::function<void()> what);
  /// Every connection to that target breaks, those that nobody uses just now as well.
  void breakConnections(const Target& target);
  /// An open watch of every bridge tells that the object is gone. It is not.
  void tellDeleted(test::FakeCluster& cluster, const test::VersionPtr& object);
  /// Ends every fault but those of the target that is out of order.
  void endFaults();
  /// Makes the second target useless, in one of many ways, until mendBrokenTarget().
  void breakSecondTarget(std::uint64_t way);
  void mendBrokenTarget();
  /// The target that is out of order; null pointer: none is.
  Target* broken = nullptr;

  std::vector<test::FakeCluster*> clusters();
  /// Of the pod's node; the first where there is none.
  Target& targetOf(const std::string& node);
  /// Of whom this actor is an incarnation; null pointer: not of a bridge.
  Installation* installationOf(const std::string& actor);
  /// Name of the Secret at home that some pods refer to.
  static constexpr const char* kSecret = "s";
  void addSecret(test::FakeCluster& cluster);
  /// What must never be seen outside of its Secret and that one's copies.
  const std::string secret;
  /// Was it logged?
  bool leaked() const;

  /// `observer` hears of every delegate that a bridge posts, before anything becomes of the
  /// request.
  void onPost(std::function<void(const std::string& actor, const Json& delegate)> observer);
  /// Has this bridge been told that the home pod has ended, or no reason to trust what it was told?
  bool mustKnowOfEnd(const std::string& actor, const std::string& home_uid);
  void forgetWhoKnows();
  /// Has this bridge been told of that pod by a list or watch?
  bool knowsPod(const std::string& actor, const std::string& uid) const;
  /// What a bridge does when a target cannot be reached.
  const bool hold;

  struct Watching;  ///< clients whose watches can be made to lie

 private:
  void onStep(Installation& installation, bool after);
  void onRequest(const test::Request& request, bool after);
  std::unique_ptr<SimStore> newStore(Installation& installation);

  std::unique_ptr<Watching> watching_;
  /// Incarnations that were killed. Their objects stay: a killed process runs no destructors.
  std::vector<std::unique_ptr<Bridge>> dead_;
  struct Fall {
    Installation* installation;
    int left;
    bool after;
  };
  std::optional<Fall> fall_;
  struct Trigger {
    test::Matcher matches;
    std::function<void()> what;
  };
  std::vector<Trigger> triggers_;
  bool late_writes_arrive_ = false;
  int crashes_ = 0;
};

/// Is there anything in this pod that says that its containers were started?
bool hasStarted(const Json& pod);

}  // namespace vkb::sim
