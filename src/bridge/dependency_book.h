#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "state/dependency_store.h"
#include "vkbridge/runtime.h"

namespace vkb::bridge {

using state::DependencyKey;
using state::DependencyRecord;

/// What this process knows of every object that it put into the target for delegates, and who uses
/// it; durable in the store where it must outlive the process. Thread-safe. The store is written
/// under the lock, so that no user is ever added to what is just being forgotten.
class DependencyBook {
 public:
  enum class State {
    kUnknown,  ///< not looked at yet, or its first user has just come
    kInStep,   ///< as home's
    kMissing,  ///< home has none; pods that need one wait
    kFailed,
  };
  struct Entry {
    DependencyRecord record;
    State state = State::kUnknown;
    Status why{};  ///< of kMissing and kFailed
    /// Its users are only what labels tell: before it is removed the target is asked for others.
    bool rebuilt = false;
    WallTime attempt_expires{};  ///< a create without an answer may take effect until then
    std::string version{};       ///< resourceVersion of the copy when it was last in step
  };

  DependencyBook(state::DependencyStore& store, std::string node)
      : store_(store), node_(std::move(node)) {}

  /// What the store holds; users of which no pod record is left are dropped.
  Result<void> load(const std::set<std::string>& pods);

  std::optional<Entry> find(const DependencyKey& key) const;
  std::vector<DependencyKey> keys() const;
  /// What this pod uses as its copy of home's object.
  std::optional<Entry> usedBy(const std::string& pod_uid, state::DependencyKind kind,
                              const std::string& home_ns, const std::string& home_name) const;
  bool isUser(const std::string& pod_uid) const;
  std::vector<DependencyKey> copiesOf(state::DependencyKind kind, const std::string& home_ns,
                                      const std::string& home_name) const;
  std::size_t size() const;
  bool empty() const { return size() == 0; }
  std::vector<DependencyKey> unused() const;

  /// Durable when it returns. `wanted.users` and uid are not looked at.
  Result<Entry> use(const DependencyRecord& wanted, const std::string& pod_uid);
  /// Knows of it from its labels, without users.
  Result<void> rebuild(const DependencyRecord& found);
  /// The pod uses nothing any more. Gives what it had used.
  std::vector<DependencyKey> release(const std::string& pod_uid);
  void release(const DependencyKey& key, const std::string& pod_uid);

  /// Gives the users that wait for this news, if it is any.
  std::set<std::string> settle(const DependencyKey& key, State state, const Status& why,
                               const std::string& version);
  Result<void> setUid(const DependencyKey& key, const std::string& uid);
  void setAttempt(const DependencyKey& key, WallTime expires);
  /// It is gone in the target. False: somebody has come to use it meanwhile.
  Result<bool> forget(const DependencyKey& key);

 private:
  using HomeName = std::tuple<state::DependencyKind, std::string, std::string>;
  static HomeName homeNameOf(const DependencyRecord& record) {
    return {record.key.kind, record.home_ns, record.home_name};
  }
  void insertLocked(const DependencyRecord& record);
  void dropUserLocked(const DependencyKey& key, const std::string& pod_uid);

  state::DependencyStore& store_;
  const std::string node_;
  mutable std::mutex mutex_;
  std::map<DependencyKey, Entry> entries_;
  std::map<std::string, std::set<DependencyKey>> by_pod_;
  std::map<HomeName, std::set<DependencyKey>> by_home_;
};

}  // namespace vkb::bridge
