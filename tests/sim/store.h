#pragma once

#include <filesystem>
#include <functional>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "state/database.h"
#include "vkbridge/pod_record.h"

namespace vkb::sim {

/// The product's SQLite store in a folder of memory (/dev/shm). One that has served its world is
/// emptied and serves another: to make and close a database costs more than what most worlds write.
class SimStore final : public PodRecordStore, public state::DependencyStore {
 public:
  /// `secret` is what must never be written. `step` is called before and after each write; it may
  /// throw: the program dies there.
  SimStore(std::string secret, std::function<void(bool after)> step);
  ~SimStore() override;

  /// Opens what is on disk; for each start of a bridge.
  void open();
  /// `copied`: the files are copied while the connection is open, as kill -9 leaves them. Else the
  /// connection goes on: every write is a transaction of its own, so that only SQLite could tell.
  void crash(bool copied);
  /// The file is lost, and with it what only it knew.
  void lose();

  Result<std::vector<PodRecord>> load(std::string_view node) override;
  Result<void> put(const PodRecord& record) override;
  Result<void> erase(std::string_view uid) override;
  Result<std::vector<state::DependencyRecord>> loadDependencies(std::string_view node) override;
  Result<void> putDependency(std::string_view node, const state::DependencyRecord& record) override;
  Result<void> addUser(std::string_view node, const state::DependencyKey& key,
                       std::string_view pod_uid) override;
  Result<void> removeUser(std::string_view node, const state::DependencyKey& key,
                          std::string_view pod_uid) override;
  Result<void> eraseDependency(std::string_view node, const state::DependencyKey& key) override;

  /// Did this installation ever write down that a delegate of this home UID exists, in records
  /// that were not lost since? Survives erase().
  bool wasCreated(const std::string& uid) const { return created_.contains(uid); }
  /// Was this delegate ever named in them?
  bool knew(const std::string& delegate_uid) const { return delegates_.contains(delegate_uid); }
  /// After a loss: as far as home still tells so.
  void remember(const std::string& uid, const std::string& delegate_uid) {
    created_.insert(uid);
    delegates_.insert(delegate_uid);
  }
  const std::set<std::string>& created() const { return created_; }
  /// Was the secret written?
  bool leaked() const { return leaked_; }
  /// What `status` would say is wrong with that pod; "" when nothing is.
  std::string lastError(const std::string& uid);

 private:
  /// `texts` is all that it writes.
  template <typename Write>
  Result<void> write(std::initializer_list<std::string_view> texts, const Write& act) {
    for (const std::string_view text : texts) leaked_ |= text.find(secret_) != text.npos;
    step_(false);
    auto done = act();
    step_(true);
    return done;
  }

  const std::string secret_;
  std::function<void(bool)> step_;
  std::filesystem::path folder_;  ///< empty: no file is there yet
  std::unique_ptr<state::Database> database_;
  std::set<std::string> created_, delegates_;
  std::set<std::string> nodes_;  ///< that something was written for
  bool leaked_ = false;
};

}  // namespace vkb::sim
