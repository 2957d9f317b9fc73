#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "kube/client.h"
#include "support/fake_runtime.h"
#include "support/faults.h"
#include "support/selectors.h"
#include "vkbridge/json.h"

namespace vkb::test {

using JsonPtr = std::shared_ptr<const Json>;

/// One version of one object, immutable; its bytes are made when first asked for and then shared
/// by every list and watch.
class ObjectVersion {
 public:
  ObjectVersion(Json value, std::uint64_t rv);
  const Json& json() const { return *json_; }
  const JsonPtr& ptr() const { return json_; }
  std::uint64_t rv() const { return rv_; }
  const std::string& uid() const { return uid_; }
  /// As a GET or a watch line carries it.
  const json::ObjectPtr& raw() const;
  /// As an item of a list: without kind and apiVersion.
  const json::ObjectPtr& listItem() const;

 private:
  JsonPtr json_;
  std::uint64_t rv_;
  std::string uid_;
  mutable json::ObjectPtr raw_, list_item_;
};
using VersionPtr = std::shared_ptr<const ObjectVersion>;

/// One write that took effect. No `before`: made. No `after`: gone.
struct Change {
  std::uint64_t seq = 0;  ///< position in the history, never goes back
  std::string actor;
  std::string verb;      ///< create, patch, update, delete; "restore" and "identity" for those
  std::string resource;  ///< plural
  std::string subresource, ns, name;
  VersionPtr before, after;
  std::uint64_t rv = 0;  ///< goes back at a restore
  TimePoint at{};
  /// What a watch's DELETED line carries: `before` with this resourceVersion; made when needed.
  mutable json::ObjectPtr deleted_line{};
};

struct FakeClusterOptions {
  std::string name = "cluster";
  std::uint64_t seed = 1;
  /// New pods get every field that a server defaults; without it only those that decide something
  /// here (restartPolicy, grace period, status). Simulations are faster with small pods.
  bool pod_defaults = true;
  /// Pods get the projected token volume kube-api-access-* that ServiceAccount admission adds.
  bool token_volume = false;
  /// Pods whose ServiceAccount object does not exist are refused, as for the first seconds of a new
  /// namespace.
  bool require_service_account = false;
  /// New nodes get the taint node.kubernetes.io/not-ready:NoSchedule, as admission sets it; the
  /// node lifecycle controller, which takes it away from Ready nodes, is not played here.
  bool taint_new_nodes = false;
  /// The watch log is compacted to this many changes on its own.
  std::size_t watch_log_limit = 100'000;
};

class WatchState;

/// An API server's state and behaviour, in memory, after the recordings of 1.36 and 1.20. Objects
/// of any resource; one global resourceVersion; namespaces kube-system, kube-public,
/// kube-node-lease and default are there from the start. Single-threaded: everything happens within
/// a call or as a task of the executor, so the same seed gives the same history.
///
/// Programs under test use client(): requests meet faults and hooks. Tests and fake controllers use
/// the verbs of this class itself, which meet none. Clock, executor and this outlive all clients.
class FakeCluster {
 public:
  FakeCluster(FakeClock& clock, Executor& executor, FakeClusterOptions options = {});
  explicit FakeCluster(FakeRuntime& runtime, FakeClusterOptions options = {});
  ~FakeCluster();
  FakeCluster(const FakeCluster&) = delete;
  FakeCluster& operator=(const FakeCluster&) = delete;

  const std::string& name() const { return options_.name; }
  FakeClock& clock() { return clock_; }
  Executor& executor() { return executor_; }
  std::unique_ptr<kube::Client> client(std::string actor);

  // --- The API's verbs, without faults. `actor` goes into the history.
  Result<VersionPtr> read(const kube::Resource& resource, const std::string& ns,
                          const std::string& name) const;
  Result<json::RawList> list(const kube::Resource& resource, const kube::ListOptions& options);
  Result<Json> create(const std::string& actor, const kube::Resource& resource,
                      const std::string& ns, const Json& object, const std::string& name = "",
                      const std::string& subresource = "");
  Result<Json> patch(const std::string& actor, const kube::Resource& resource,
                     const std::string& ns, const std::string& name, kube::PatchType type,
                     const Json& patch, const std::string& subresource = "");
  Result<Json> update(const std::string& actor, const kube::Resource& resource,
                      const std::string& ns, const std::string& name, const Json& object);
  Result<void> remove(const std::string& actor, const kube::Resource& resource,
                      const std::string& ns, const std::string& name,
                      const kube::DeleteOptions& options = {});
  Result<std::string> getRaw(const std::string& path) const;

  // --- What tests set up and look at. These abort with a message where the API would refuse.
  VersionPtr addNamespace(const std::string& name, const Json& labels);
  VersionPtr addNamespace(const std::string& name);
  /// A Ready node with 4 cpu, 8Gi and 110 pods, merged with `overrides`.
  VersionPtr addNode(const std::string& name, const Json& overrides);
  VersionPtr addNode(const std::string& name);
  /// `pod` needs metadata.name; the namespace (default "default") is made when missing, and one
  /// container where none is given.
  VersionPtr addPod(const Json& pod, const std::string& actor = "user");
  VersionPtr add(const kube::Resource& resource, const Json& object,
                 const std::string& actor = "user");
  /// Merge-patches the status (lists are replaced), as a kubelet.
  VersionPtr setPodStatus(const std::string& ns, const std::string& name, const Json& status,
                          const std::string& actor = "kubelet");
  /// Merge patch of the object itself.
  VersionPtr edit(const kube::Resource& resource, const std::string& ns, const std::string& name,
                  const Json& merge_patch, const std::string& actor = "user");
  /// Null pointer when there is none.
  VersionPtr find(const kube::Resource& resource, const std::string& ns,
                  const std::string& name) const;
  VersionPtr findPod(const std::string& ns, const std::string& name) const;
  VersionPtr findPodByUid(const std::string& uid) const;
  std::vector<VersionPtr> all(const kube::Resource& resource, const std::string& ns = "") const;
  std::vector<VersionPtr> podsIn(const std::string& ns) const;
  std::uint64_t resourceVersion() const { return rv_; }
  std::string newUid();

  /// Every write since the start, oldest first; never cut.
  const std::deque<Change>& history() const { return history_; }
  /// Called after each write, with it already in the history. Must not write; may post tasks.
  void onChange(std::function<void(const Change&)> observer);
  /// Requests of clients, reads too; for tests that count them.
  std::vector<Request> requests;
  bool record_requests = true;

  // --- Identity and time travel.
  std::string clusterId() const;  ///< UID of kube-system
  /// Another cluster answers at this address from now on: same objects, another identity.
  void setClusterId(const std::string& uid);
  struct Snapshot;
  std::shared_ptr<const Snapshot> snapshot() const;
  /// etcd from a backup: objects and resourceVersion go back, every watch is cut; a watch from a
  /// resourceVersion ahead stays silent. UIDs are never given out twice.
  void restore(const Snapshot& snapshot);

  // --- Faults. See also Faults.
  Faults& faults() { return faults_; }
  /// Cuts watches too.
  void setDown(bool down);
  void setDown(const std::string& actor, bool down);
  /// Before a client's request is looked at, and after it was served but before the caller sees the
  /// answer. May throw (the caller has crashed) and may act on this cluster.
  std::function<void(const Request&)> beforeRequest, afterRequest;
  /// Ends watches: `code` 0 as a broken connection, 200 in order. "" for every actor.
  void cutWatches(const std::string& actor = "", int code = 0);
  /// Each watch that is open or opened later by `actor` ("" all) is cut after `events` more events.
  void cutWatchesAfter(std::size_t events, const std::string& actor = "");
  /// Events wait until released: a slow watch, a stale cache.
  void holdWatches(bool hold, const std::string& actor = "");
  /// Every event is delivered twice.
  void doubleEvents(bool on) { double_events_ = on; }
  /// While on, gets and lists of clients show the state of when it was set: a server that lags
  /// behind the others, or a cache before it. Writes and watches go on as ever.
  void staleReads(bool on);
  /// A bookmark with the current resourceVersion to every watch. Each gets one besides, two seconds
  /// before its time limit ends it, as from real servers.
  void sendBookmarks();
  std::size_t openWatches(const std::string& actor = "") const;
  /// Watches from resourceVersions before now get 410, and so do continue tokens.
  void compact();

  /// Deletes every object none of whose owners is there (by UID), as kube-controller-manager does.
  /// Runs on its own after an owner went.
  void collectGarbage();

  // --- Rules that a test may change.
  /// Answer to an eviction; nothing: allowed.
  std::function<std::optional<Status>(const Json& pod)> evictionRule;
  /// May `actor` do what `resourceAttributes` says? Answers SelfSubjectAccessReviews only; requests
  /// themselves are refused through faults().
  std::function<bool(const std::string& actor, const Json& attributes)> accessRule;
  /// Admission of one's own: a Status refuses the create.
  std::function<std::optional<Status>(const std::string& actor, const kube::Resource& resource,
                                      const Json& object)>
      admission;
  /// Resources that answer without being stored ("tokenreviews", "serviceaccounts/token").
  std::map<std::string, std::function<Result<Json>(const std::string& actor, const Json& object)>>
      answerers;
  /// Bodies of getRaw; /version, /readyz, /healthz and /livez are there. Absent: 404.
  std::map<std::string, std::string> raw_paths;

 private:
  friend class FakeClient;
  friend class WatchState;

  /// Objects of one resource by "ns/name" or "name": the order of real lists.
  using Bucket = std::map<std::string, VersionPtr>;
  struct Context;  // one write under way: who, verb, what

  void bootstrap();
  static std::string bucketKey(const kube::Resource& resource);
  static std::string objectKey(const std::string& ns, const std::string& name);
  const VersionPtr* lookup(const kube::Resource& resource, const std::string& ns,
                           const std::string& name) const;
  VersionPtr commit(const Context& context, const VersionPtr& before, Json value);
  void commitRemoval(const Context& context, const VersionPtr& before);
  void record(Change change, const std::string& bucket);

  // fake_writes.cpp
  std::optional<Status> admitNamespace(const kube::Resource& resource, const std::string& ns,
                                       const Json& object) const;
  Result<Json> createSubresource(const Context& context, const Json& body);
  Result<Json> evict(const Context& context, const Json& body);
  Result<Json> bind(const Context& context, const Json& body);
  std::optional<Status> prepareForCreate(const std::string& actor, const kube::Resource& resource,
                                         Json& object);
  Result<Json> replace(const Context& context, const VersionPtr& before, Json wanted);

  // fake_deletes.cpp
  Result<void> removeObject(const Context& context, const kube::DeleteOptions& options);
  void afterRemoval(const kube::Resource& resource, const VersionPtr& removed);
  void emptyNamespace(const std::string& name);
  void finishNamespace(const std::string& name);

  // fake_watch.cpp
  std::unique_ptr<kube::WatchHandle> openWatch(const std::string& actor,
                                               const kube::Resource& resource,
                                               const kube::WatchOptions& options,
                                               kube::WatchHandler& handler);
  void offer(const Change& change, const std::string& bucket);
  void sendBookmark(WatchState& state);

  FakeClock& clock_;
  Executor& executor_;
  FakeClusterOptions options_;
  FakeRandom random_;
  Faults faults_;

  std::map<std::string, Bucket> buckets_;
  std::map<std::string, kube::Resource>
      resources_;  // of each bucket; texts live in resource_texts_
  std::deque<std::string> resource_texts_;
  std::uint64_t rv_ = 100;
  std::deque<Change> history_;
  /// What a watch can resume from: positions in history_ and the bucket of each, rising in rv.
  struct LogEntry {
    std::size_t position;
    std::string bucket;
  };
  std::deque<LogEntry> watch_log_;
  std::uint64_t compacted_rv_ = 0;
  /// Pages yet to be fetched, by continue token.
  struct Page {
    std::uint64_t rv;
    std::vector<VersionPtr> items;
  };
  std::map<std::string, Page> pages_;
  std::uint64_t next_page_ = 1;
  std::vector<std::weak_ptr<WatchState>> watches_;
  /// What stale reads see: buckets_ and rv_ change places with these while one is served.
  struct OldState {
    std::map<std::string, Bucket> buckets;
    std::uint64_t rv;
  };
  std::optional<OldState> old_state_;
  std::map<std::string, std::size_t> cut_after_;
  std::map<std::string, bool> held_;
  bool double_events_ = false;
  std::vector<std::function<void(const Change&)>> observers_;
  std::unordered_set<std::string> owned_;  // UIDs that some ownerReference has ever named
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

}  // namespace vkb::test
