#pragma once

#include <string>

#include "state/sqlite.h"
#include "vkbridge/status.h"

namespace vkb::state {

/// Marks a SQLite file as ours ("vkbr" in its header).
inline constexpr std::int64_t kApplicationId = 0x766b6272;
/// The version of the tables that this program reads and writes (`user_version`).
inline constexpr std::int64_t kSchemaVersion = 2;

/// What a database file is. Only reads, so that a file of somebody else stays as it is.
enum class SchemaState {
  kEmpty,  ///< made, but no table was ever committed
  kCurrent,
  kOlder,  ///< ours; migrate() brings it up
};

/// A damaged or foreign file, or one of a newer version, is an error that says what to do.
Result<SchemaState> inspectSchema(Db& db, const std::string& path);

/// Step by step, each in one transaction: after a crash the file is at one version or the next.
Result<void> migrateSchema(Db& db);

}  // namespace vkb::state
