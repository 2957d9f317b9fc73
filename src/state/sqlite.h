#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "vkbridge/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace vkb::state {

/// A prepared statement; made once and used again and again. Belongs to its Db, which outlives it.
/// Parameters count from 1, columns from 0, as in SQLite. Not thread-safe.
class Stmt {
 public:
  Stmt() = default;
  Stmt(Stmt&& other) noexcept
      : db_(std::exchange(other.db_, nullptr)), stmt_(std::exchange(other.stmt_, nullptr)) {}
  Stmt& operator=(Stmt&& other) noexcept;
  ~Stmt();

  /// `text` is not copied: it must live until the statement has run.
  Stmt& bind(int index, std::string_view text);
  Stmt& bind(int index, std::int64_t value);
  Stmt& bind(int index, std::optional<std::int64_t> value);

  /// True: a row is there to read. False: done, and ready to be run again.
  Result<bool> step();
  /// Steps to the end, for statements without rows.
  Result<void> run();
  /// How many rows the last statement of this connection changed; for use right after run().
  std::int64_t changedRows() const;
  /// Gives up on rows that were not read.
  void reset();

  std::string text(int column) const;
  std::int64_t integer(int column) const;
  std::optional<std::int64_t> optionalInteger(int column) const;

 private:
  friend class Db;
  Stmt(sqlite3* db, sqlite3_stmt* stmt) : db_(db), stmt_(stmt) {}
  sqlite3* db_ = nullptr;
  sqlite3_stmt* stmt_ = nullptr;
};

/// One SQLite connection. Not thread-safe: its owner holds a mutex.
/// Errors are sentences that name the file, and what a person can do.
class Db {
 public:
  enum class Mode { kRead, kWrite };
  /// The file must exist; nothing is read or written yet. busy_timeout is 5 s.
  static Result<Db> open(const std::string& path, Mode mode);
  Db(Db&& other) noexcept : db_(std::exchange(other.db_, nullptr)) {}
  Db& operator=(Db&&) = delete;
  ~Db();

  Result<void> exec(const std::string& sql);
  Result<Stmt> prepare(std::string_view sql);
  /// The first column of the first row; 0 when there is none.
  Result<std::int64_t> queryInteger(std::string_view sql);
  Result<std::string> queryText(std::string_view sql);

 private:
  explicit Db(sqlite3* db) : db_(db) {}
  sqlite3* db_;
};

/// What is said of a file whose content makes no sense.
Status damagedDatabase(const std::string& path);

}  // namespace vkb::state
