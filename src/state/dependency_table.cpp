#include "state/dependency_table.h"

#include <utility>

namespace vkb::state {

Result<void> DependencyTable::prepare(Db& db) {
  const std::pair<Stmt*, const char*> statements[] = {
      {&load_,
       "SELECT d.kind, d.ns, d.name, d.home_ns, d.home_name, d.uid, d.tokens, "
       "coalesce(u.pod, '') FROM dependencies d LEFT JOIN dependency_users u USING (node, kind, "
       "ns, name) WHERE d.node = ? ORDER BY d.kind, d.ns, d.name, u.pod"},
      // Not INSERT OR REPLACE: that deletes first, and the users with it.
      {&put_,
       "INSERT INTO dependencies (node, kind, ns, name, home_ns, home_name, uid, tokens) VALUES "
       "(?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET home_ns = excluded.home_ns, home_name = "
       "excluded.home_name, uid = excluded.uid, tokens = excluded.tokens"},
      {&add_user_,
       "INSERT INTO dependency_users (node, kind, ns, name, pod) VALUES (?,?,?,?,?) "
       "ON CONFLICT DO NOTHING"},
      {&remove_user_,
       "DELETE FROM dependency_users WHERE node = ? AND kind = ? AND ns = ? AND name = ? AND "
       "pod = ?"},
      {&erase_, "DELETE FROM dependencies WHERE node = ? AND kind = ? AND ns = ? AND name = ?"},
      {&forget_, "DELETE FROM dependencies WHERE node = ?"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = db.prepare(sql);
    if (!prepared) return failure(prepared.error());
    *statement = std::move(*prepared);
  }
  return {};
}

Stmt& DependencyTable::bindKey(Stmt& statement, std::string_view node, const DependencyKey& key) {
  return statement.bind(1, node)
      .bind(2, static_cast<std::int64_t>(key.kind))
      .bind(3, key.ns)
      .bind(4, key.name);
}

Result<std::vector<DependencyRecord>> DependencyTable::load(std::string_view node,
                                                            const std::string& path) {
  std::vector<DependencyRecord> records;
  load_.bind(1, node);
  for (;;) {
    const auto row = load_.step();
    if (!row) return failure(row.error());
    if (!*row) return records;
    const auto kind = static_cast<DependencyKind>(load_.integer(0));
    if (kind != DependencyKind::kConfigMap && kind != DependencyKind::kSecret) {
      load_.reset();
      return failure(damagedDatabase(path));
    }
    // One row a user, those of one dependency after each other.
    const DependencyKey key{kind, load_.text(1), load_.text(2)};
    if (records.empty() || records.back().key != key) {
      records.push_back({.key = key,
                         .home_ns = load_.text(3),
                         .home_name = load_.text(4),
                         .uid = load_.text(5),
                         .tokens = load_.text(6)});
    }
    if (std::string user = load_.text(7); !user.empty()) {
      records.back().users.insert(std::move(user));
    }
  }
}

Result<void> DependencyTable::put(std::string_view node, const DependencyRecord& record) {
  return bindKey(put_, node, record.key)
      .bind(5, record.home_ns)
      .bind(6, record.home_name)
      .bind(7, record.uid)
      .bind(8, record.tokens)
      .run();
}

Result<void> DependencyTable::addUser(std::string_view node, const DependencyKey& key,
                                      std::string_view pod_uid) {
  return bindKey(add_user_, node, key).bind(5, pod_uid).run();
}

Result<void> DependencyTable::removeUser(std::string_view node, const DependencyKey& key,
                                         std::string_view pod_uid) {
  return bindKey(remove_user_, node, key).bind(5, pod_uid).run();
}

Result<void> DependencyTable::erase(std::string_view node, const DependencyKey& key) {
  return bindKey(erase_, node, key).run();
}

Result<void> DependencyTable::forgetNode(std::string_view node) {
  return forget_.bind(1, node).run();
}

}  // namespace vkb::state
