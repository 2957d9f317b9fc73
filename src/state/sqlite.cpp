#include "state/sqlite.h"

#include <sqlite3.h>

#include "base/check.h"

namespace vkb::state {
namespace {

Status sqliteError(sqlite3* db, int code) {
  const char* name = db != nullptr ? sqlite3_db_filename(db, "main") : nullptr;
  const std::string path = name != nullptr && *name != '\0' ? name : "the state database";
  Status status{.code = 0, .reason = reasons::kInternal, .message = "", .retry = Retry::kSlow};
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return damagedDatabase(path);
    case SQLITE_FULL:
      status.message = "cannot write " + path + ": the disk is full; free some space";
      break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      status.message = "cannot write " + path +
                       ": permission denied; run as the user that owns it, or choose another "
                       "folder with --state-dir";
      break;
    case SQLITE_CANTOPEN:
      status.message =
          "cannot open " + path + "; check that its folder can be written by this user";
      break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      status.message =
          "another process has kept " + path +
          " locked for 5 seconds; end it (only vk-bridge may write there) and try again";
      status.retry = Retry::kFast;
      break;
    default:
      status.message = "cannot use " + path + ": " +
                       (db != nullptr ? sqlite3_errmsg(db) : sqlite3_errstr(code)) +
                       "; check the disk";
  }
  return status;
}

}  // namespace

Status damagedDatabase(const std::string& path) {
  return {.code = 0,
          .reason = reasons::kInternal,
          .message = path +
                     " is damaged or not a database, and was left as it is; move it away and start "
                     "again: what it held is rebuilt from the clusters",
          .retry = Retry::kSlow};
}

Stmt& Stmt::operator=(Stmt&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(stmt_, other.stmt_);
  return *this;
}

Stmt::~Stmt() { sqlite3_finalize(stmt_); }

Stmt& Stmt::bind(int index, std::string_view text) {
  // A null pointer would bind NULL, which is not the empty string.
  const char* data = text.data() != nullptr ? text.data() : "";
  const int code =
      sqlite3_bind_text(stmt_, index, data, static_cast<int>(text.size()), SQLITE_STATIC);
  VKB_CHECK(code == SQLITE_OK, "a statement is bound by number and while it does not run");
  return *this;
}

Stmt& Stmt::bind(int index, std::int64_t value) {
  const int code = sqlite3_bind_int64(stmt_, index, value);
  VKB_CHECK(code == SQLITE_OK, "a statement is bound by number and while it does not run");
  return *this;
}

Stmt& Stmt::bind(int index, std::optional<std::int64_t> value) {
  if (value) return bind(index, *value);
  VKB_CHECK(sqlite3_bind_null(stmt_, index) == SQLITE_OK, "a statement is bound by number");
  return *this;
}

Result<bool> Stmt::step() {
  const int code = sqlite3_step(stmt_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    (void)sqlite3_reset(stmt_);
    return false;
  }
  Status status = sqliteError(db_, code);
  (void)sqlite3_reset(stmt_);
  return failure(std::move(status));
}

Result<void> Stmt::run() {
  for (;;) {
    const auto row = step();
    if (!row) return failure(row.error());
    if (!*row) return {};
  }
}

std::int64_t Stmt::changedRows() const { return sqlite3_changes64(db_); }

void Stmt::reset() { (void)sqlite3_reset(stmt_); }

std::string Stmt::text(int column) const {
  const auto* data = sqlite3_column_text(stmt_, column);
  if (data == nullptr) return "";
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(stmt_, column));
  return {reinterpret_cast<const char*>(data), size};
}

std::int64_t Stmt::integer(int column) const { return sqlite3_column_int64(stmt_, column); }

std::optional<std::int64_t> Stmt::optionalInteger(int column) const {
  if (sqlite3_column_type(stmt_, column) == SQLITE_NULL) return std::nullopt;
  return sqlite3_column_int64(stmt_, column);
}

Result<Db> Db::open(const std::string& path, Mode mode) {
  sqlite3* raw = nullptr;
  const int flags = (mode == Mode::kRead ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  Db db(raw);
  if (code != SQLITE_OK) return failure(sqliteError(raw, code));
  (void)sqlite3_busy_timeout(raw, 5000);
  return db;
}

Db::~Db() {
  // Fails only while statements live, which is a defect of the owner.
  VKB_CHECK(sqlite3_close(db_) == SQLITE_OK, "a database is closed after its statements");
}

Result<void> Db::exec(const std::string& sql) {
  const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(sqliteError(db_, code));
  return {};
}

Result<Stmt> Db::prepare(std::string_view sql) {
  sqlite3_stmt* stmt = nullptr;
  const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &stmt, nullptr);
  if (code != SQLITE_OK) return failure(sqliteError(db_, code));
  return Stmt(db_, stmt);
}

Result<std::int64_t> Db::queryInteger(std::string_view sql) {
  auto stmt = prepare(sql);
  if (!stmt) return failure(stmt.error());
  const auto row = stmt->step();
  if (!row) return failure(row.error());
  return *row ? stmt->integer(0) : 0;
}

Result<std::string> Db::queryText(std::string_view sql) {
  auto stmt = prepare(sql);
  if (!stmt) return failure(stmt.error());
  const auto row = stmt->step();
  if (!row) return failure(row.error());
  return *row ? stmt->text(0) : std::string();
}

}  // namespace vkb::state
