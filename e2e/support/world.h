#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "relay/relay.h"
#include "support/bridge.h"
#include "support/recorder.h"
#include "support/shapes.h"

namespace vkb::e2e {

struct WorldOptions {
  std::string name;            ///< part of the node's name
  bool home_is_other = false;  ///< the third cluster is home
  /// The bridge reaches the target through world.relay, which starts out transparent.
  bool through_relay = false;
  std::vector<std::string> join_flags{};
  bool run = true;  ///< join, start the bridge, wait until the node is Ready
};

/// Two clusters, one state folder, one bridge with one joined target under a node name of its own:
/// what the tests of a suite share. Everything it looks at and takes away is of its own node, so
/// that suites can run side by side on the same clusters. close() takes all of it away again and
/// checks that nothing stays; the destructor kills the bridge.
class World {
 public:
  explicit World(WorldOptions options);
  ~World();

  const Environment environment;
  const Cluster home, target;
  const TemporaryFolder folder;
  const std::string node;     ///< virtual node and joined cluster
  const std::string home_id;  ///< UID of home's kube-system
  Bridge bridge;
  std::unique_ptr<Relay> relay;
  /// Every delegate of this node there ever was, from before the first join.
  Recorder delegates;

  /// The kubeconfig that the target is joined with (through the relay, if there is one).
  std::filesystem::path targetKubeconfig() const { return folder.path() / "target.kubeconfig"; }
  Outcome join(const std::vector<std::string>& more = {}) const;
  bool isJoined() const { return std::filesystem::exists(bridge.clusterDir(node)); }
  /// Joins if need be, runs the bridge if need be, waits until the node is Ready.
  testing::AssertionResult ensureServing();
  testing::AssertionResult waitNodeReady() const;

  /// Makes a namespace in home, with its default ServiceAccount; removed by removeNamespaces().
  std::string newNamespace(const std::string& hint);
  void makeHomeNamespace(const std::string& name);
  /// Makes one in the target that is not ours.
  void makeForeignNamespace(const std::string& name);
  /// Asks home to delete what newNamespace made; the bridge then removes the delegates.
  void removeNamespaces();
  /// Waits until the pods of removed namespaces have left the node, without waiting for a kubelet.
  testing::AssertionResult waitEmptied() const;

  /// close() lets this home pod have had more than one delegate, one after the other: its policy
  /// says that a lost one is made anew.
  void allowRemade(const std::string& home_uid) { remade_.insert(home_uid); }
  /// Takes everything away, by the book first and then by force; gives what was wrong.
  std::vector<std::string> close();

  // Waits that most tests need.
  testing::AssertionResult waitReady(const std::string& ns, const std::string& pod,
                                     Json* last = nullptr) const;
  testing::AssertionResult waitReady(const std::string& ns, std::size_t count,
                                     Objects* last = nullptr) const;
  testing::AssertionResult waitEvent(const Json& home_pod, const std::string& reason) const;
  Selection ours() const;   ///< this node's delegates, in the target
  Selection bound() const;  ///< pods bound to this node, in home
  /// Waits until these pods of the target are all being deleted: the bridge has done its part.
  testing::AssertionResult waitAskedToGo(const Selection& delegates_there) const;
  /// Removes them from the target's API at once, as a quick kubelet would.
  void hasten(const Selection& delegates_there) const;
  /// Waits until they are gone. A kubelet whose container has long exited can take more than a
  /// minute to say that its pod is gone (it looks every 10 s, and after its next container
  /// clean-up): from 15 s after they were all asked to go its word is no longer waited for.
  testing::AssertionResult waitGoneOrHasten(const Selection& delegates_there) const;
  /// All pods in the target that carry this home UID.
  Objects delegatesOf(const std::string& home_uid) const;
  /// The one delegate; throws unless there is exactly one.
  Json delegateOf(const Json& home_pod) const;

 private:
  static Environment environmentFor(const WorldOptions& options);
  std::vector<std::string> leaveInOrder();
  std::vector<std::string> leftovers() const;
  void removeByForce();

  const WorldOptions options_;
  std::vector<std::string> namespaces_, target_namespaces_;
  std::set<std::string> remade_;
};

/// Fixture: one World for each suite. A suite derives and makes it in SetUpTestSuite with
/// openWorld(); a failed test shows the end of the bridge's log.
class WorldTest : public testing::Test {
 protected:
  static void openWorld(WorldOptions options);
  static void TearDownTestSuite();
  void SetUp() override;
  void TearDown() override;

  /// For suites that need the third cluster and may break clusters: nothing is opened, and each of
  /// their tests skips itself, where the clusters are the user's own.
  static bool hasRig();
  static bool hasWorld() { return world_ != nullptr; }
  static World& world() { return *world_; }

 private:
  inline static std::unique_ptr<World> world_;
  inline static std::string problem_;
};

}  // namespace vkb::e2e
