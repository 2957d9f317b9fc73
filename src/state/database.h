#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "state/dependency_store.h"
#include "state/state_folder.h"
#include "vkbridge/pod_record.h"

namespace vkb::state {

/// How a joined cluster fares, as the running bridge last knew: what `status` shows.
struct ClusterHealth {
  std::string name{};
  std::string state{};    ///< toString(ProviderState), or "Starting"
  std::string message{};  ///< why, for people; empty when all is well
  WallTime since{};       ///< of `state`
  WallTime updated_at{};
  std::string version{};  ///< target's gitVersion
  int nodes_ready = 0, nodes_total = 0;
  std::string cpu{}, memory{}, pods{};  ///< capacity shown on the virtual node
};

/// state.db: SQLite, WAL, user_version migrations, 0600. One writer process (it holds the
/// StateLock), any number of readers. Thread-safe: one connection behind a mutex; a put is one
/// committed transaction (about 20 µs measured), durable over a crash of the process.
/// A corrupt file, one of another program or of a newer version is refused with a sentence that
/// says what to do, and left as it is.
class Database final : public PodRecordStore, public DependencyStore {
 public:
  static Result<std::unique_ptr<Database>> open(const StateFolder& folder);
  /// For `status`. Nothing when there is no database yet.
  static Result<std::unique_ptr<Database>> openReadOnly(const StateFolder& folder);
  ~Database() override;

  Result<std::vector<PodRecord>> load(std::string_view node) override;
  Result<void> put(const PodRecord& record) override;
  Result<void> erase(std::string_view uid) override;

  Result<std::vector<DependencyRecord>> loadDependencies(std::string_view node) override;
  Result<void> putDependency(std::string_view node, const DependencyRecord& record) override;
  Result<void> addUser(std::string_view node, const DependencyKey& key,
                       std::string_view pod_uid) override;
  Result<void> removeUser(std::string_view node, const DependencyKey& key,
                          std::string_view pod_uid) override;
  Result<void> eraseDependency(std::string_view node, const DependencyKey& key) override;

  /// Records of every node, sorted by node, namespace, name.
  Result<std::vector<PodRecord>> loadAll();
  Result<void> putHealth(const ClusterHealth& health);
  Result<std::vector<ClusterHealth>> loadHealth();
  /// Records, dependencies and health of a cluster that left.
  Result<void> forgetCluster(const std::string& name);

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace vkb::state
