#include "state/schema.h"

#include <array>

namespace vkb::state {
namespace {

/// Entry i leads from version i to i + 1. Entries that were released are never changed.
/// Times are microseconds since 1970; 0 means none.
constexpr std::array<const char*, kSchemaVersion> kMigrations = {
    R"(
      CREATE TABLE pods (
        uid             TEXT PRIMARY KEY,
        ns              TEXT NOT NULL,
        name            TEXT NOT NULL,
        node            TEXT NOT NULL,
        state           INTEGER NOT NULL,
        place_ns        TEXT NOT NULL,
        place_name      TEXT NOT NULL,
        provider_uid    TEXT NOT NULL,
        attempt_expires INTEGER NOT NULL,
        inputs_hash     TEXT NOT NULL,
        phase           TEXT NOT NULL,
        ready           INTEGER NOT NULL,
        restarts        INTEGER NOT NULL,
        provider_node   TEXT NOT NULL,
        home_created    INTEGER NOT NULL,
        lag_ms          INTEGER,
        last_error      TEXT NOT NULL,
        last_error_at   INTEGER NOT NULL
      ) STRICT;
      CREATE INDEX pods_by_node ON pods (node, ns, name);
      CREATE TABLE health (
        name        TEXT PRIMARY KEY,
        state       TEXT NOT NULL,
        message     TEXT NOT NULL,
        since       INTEGER NOT NULL,
        updated_at  INTEGER NOT NULL,
        version     TEXT NOT NULL,
        nodes_ready INTEGER NOT NULL,
        nodes_total INTEGER NOT NULL,
        cpu         TEXT NOT NULL,
        memory      TEXT NOT NULL,
        pods        TEXT NOT NULL
      ) STRICT;
    )",
    R"(
      CREATE TABLE dependencies (
        node      TEXT NOT NULL,
        kind      INTEGER NOT NULL,
        ns        TEXT NOT NULL,
        name      TEXT NOT NULL,
        home_ns   TEXT NOT NULL,
        home_name TEXT NOT NULL,
        uid       TEXT NOT NULL,
        tokens    TEXT NOT NULL,
        PRIMARY KEY (node, kind, ns, name)
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE dependency_users (
        node TEXT NOT NULL,
        kind INTEGER NOT NULL,
        ns   TEXT NOT NULL,
        name TEXT NOT NULL,
        pod  TEXT NOT NULL,
        PRIMARY KEY (node, kind, ns, name, pod),
        FOREIGN KEY (node, kind, ns, name) REFERENCES dependencies ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
    )",
};

Status foreign(const std::string& path) {
  return {.code = 0,
          .reason = reasons::kInvalidInput,
          .message = path +
                     " is a database of another program, and was left as it is; choose another "
                     "folder with --state-dir",
          .retry = Retry::kNever};
}

}  // namespace

Result<SchemaState> inspectSchema(Db& db, const std::string& path) {
  const auto application = db.queryInteger("PRAGMA application_id");
  if (!application) return failure(application.error());
  const auto version = db.queryInteger("PRAGMA user_version");
  if (!version) return failure(version.error());
  const auto tables = db.queryInteger("SELECT count(*) FROM sqlite_schema");
  if (!tables) return failure(tables.error());

  if (*application == 0 && *version == 0 && *tables == 0) return SchemaState::kEmpty;
  if (*application != kApplicationId) return failure(foreign(path));
  if (*version > kSchemaVersion) {
    return invalid(path + " was written by a newer vk-bridge (format " + std::to_string(*version) +
                   ", this one knows " + std::to_string(kSchemaVersion) +
                   "), and was left as it is; use that version");
  }
  if (*version < 0) return failure(damagedDatabase(path));
  if (*version < kSchemaVersion) return SchemaState::kOlder;
  const auto known = db.queryInteger(
      "SELECT count(*) FROM sqlite_schema WHERE name IN ('pods', 'health', "
      "'dependencies', 'dependency_users')");
  if (!known) return failure(known.error());
  if (*known != 4) return failure(damagedDatabase(path));
  return SchemaState::kCurrent;
}

Result<void> migrateSchema(Db& db) {
  const auto version = db.queryInteger("PRAGMA user_version");
  if (!version) return failure(version.error());
  for (auto step = static_cast<std::size_t>(*version); step < kMigrations.size(); ++step) {
    const auto done = db.exec("BEGIN IMMEDIATE;" + std::string(kMigrations[step]) +
                              "PRAGMA application_id = " + std::to_string(kApplicationId) +
                              "; PRAGMA user_version = " + std::to_string(step + 1) + "; COMMIT;");
    if (!done) {
      (void)db.exec("ROLLBACK");
      return done;
    }
  }
  return {};
}

}  // namespace vkb::state
