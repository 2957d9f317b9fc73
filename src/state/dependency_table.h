#pragma once

#include <string>

#include "state/dependency_store.h"
#include "state/sqlite.h"

namespace vkb::state {

/// The tables behind DependencyStore. Not thread-safe: its owner holds the connection's mutex.
class DependencyTable {
 public:
  Result<void> prepare(Db& db);
  Result<std::vector<DependencyRecord>> load(std::string_view node, const std::string& path);
  Result<void> put(std::string_view node, const DependencyRecord& record);
  Result<void> addUser(std::string_view node, const DependencyKey& key, std::string_view pod_uid);
  Result<void> removeUser(std::string_view node, const DependencyKey& key,
                          std::string_view pod_uid);
  Result<void> erase(std::string_view node, const DependencyKey& key);
  Result<void> forgetNode(std::string_view node);

 private:
  static Stmt& bindKey(Stmt& statement, std::string_view node, const DependencyKey& key);
  Stmt load_, put_, add_user_, remove_user_, erase_, forget_;
};

}  // namespace vkb::state
