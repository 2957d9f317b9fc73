#include "state/database.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>

#include "state/dependency_table.h"
#include "state/files.h"
#include "state/schema.h"
#include "state/sqlite.h"

namespace vkb::state {
namespace {

constexpr const char* kPodColumns =
    "uid, ns, name, node, state, place_ns, place_name, provider_uid, attempt_expires, inputs_hash, "
    "phase, ready, restarts, provider_node, home_created, lag_ms, last_error, last_error_at";
/// A record in its place, by the numbers of kPodColumns. Most of what is written of a pod is news
/// of one that is known: the row and no index is touched, where a replaced row would be taken out
/// of both and put back.
constexpr const char* kChangePod =
    "UPDATE pods SET state = ?5, place_ns = ?6, place_name = ?7, provider_uid = ?8, "
    "attempt_expires = ?9, inputs_hash = ?10, phase = ?11, ready = ?12, restarts = ?13, "
    "provider_node = ?14, home_created = ?15, lag_ms = ?16, last_error = ?17, last_error_at = ?18 "
    "WHERE uid = ?1 AND ns = ?2 AND name = ?3 AND node = ?4";
constexpr const char* kHealthColumns =
    "name, state, message, since, updated_at, version, nodes_ready, nodes_total, cpu, memory, pods";

std::int64_t micros(WallTime time) { return time.time_since_epoch().count(); }
WallTime fromMicros(std::int64_t value) { return WallTime(std::chrono::microseconds(value)); }

// Numbers in the file, so that the enum may be reordered.
std::int64_t stateNumber(PodRecord::State state) {
  switch (state) {
    case PodRecord::State::kCreating:
      return 1;
    case PodRecord::State::kCreated:
      return 2;
    case PodRecord::State::kTerminal:
      return 3;
    case PodRecord::State::kDeleting:
      return 4;
    case PodRecord::State::kWaiting:
      return 5;
  }
  return 0;
}

std::optional<PodRecord::State> stateFromNumber(std::int64_t number) {
  switch (number) {
    case 1:
      return PodRecord::State::kCreating;
    case 2:
      return PodRecord::State::kCreated;
    case 3:
      return PodRecord::State::kTerminal;
    case 4:
      return PodRecord::State::kDeleting;
    case 5:
      return PodRecord::State::kWaiting;
    default:
      return std::nullopt;
  }
}

/// By the numbers of kPodColumns. Refers to the record's texts.
void bindPod(Stmt& put, const PodRecord& record) {
  std::optional<std::int64_t> lag;
  if (record.lag) lag = record.lag->count();
  int index = 0;
  for (const std::string* text : {&record.uid, &record.ns, &record.name, &record.node}) {
    put.bind(++index, *text);
  }
  put.bind(++index, stateNumber(record.state));
  for (const std::string* text : {&record.place_ns, &record.place_name, &record.provider_uid}) {
    put.bind(++index, *text);
  }
  put.bind(++index, micros(record.attempt_expires));
  put.bind(++index, record.inputs_hash);
  put.bind(++index, record.phase);
  put.bind(++index, std::int64_t{record.ready});
  put.bind(++index, std::int64_t{record.restarts});
  put.bind(++index, record.provider_node);
  put.bind(++index, micros(record.home_created));
  put.bind(++index, lag);
  put.bind(++index, record.last_error);
  put.bind(++index, micros(record.last_error_at));
}

std::optional<PodRecord> readPod(const Stmt& row) {
  PodRecord record;
  int column = 0;
  record.uid = row.text(column++);
  record.ns = row.text(column++);
  record.name = row.text(column++);
  record.node = row.text(column++);
  const auto state = stateFromNumber(row.integer(column++));
  if (!state) return std::nullopt;
  record.state = *state;
  record.place_ns = row.text(column++);
  record.place_name = row.text(column++);
  record.provider_uid = row.text(column++);
  record.attempt_expires = fromMicros(row.integer(column++));
  record.inputs_hash = row.text(column++);
  record.phase = row.text(column++);
  record.ready = row.integer(column++) != 0;
  record.restarts = static_cast<int>(row.integer(column++));
  record.provider_node = row.text(column++);
  record.home_created = fromMicros(row.integer(column++));
  if (const auto lag = row.optionalInteger(column++)) record.lag = std::chrono::milliseconds(*lag);
  record.last_error = row.text(column++);
  record.last_error_at = fromMicros(row.integer(column++));
  return record;
}

ClusterHealth readHealth(const Stmt& row) {
  ClusterHealth health;
  int column = 0;
  health.name = row.text(column++);
  health.state = row.text(column++);
  health.message = row.text(column++);
  health.since = fromMicros(row.integer(column++));
  health.updated_at = fromMicros(row.integer(column++));
  health.version = row.text(column++);
  health.nodes_ready = static_cast<int>(row.integer(column++));
  health.nodes_total = static_cast<int>(row.integer(column++));
  health.cpu = row.text(column++);
  health.memory = row.text(column++);
  health.pods = row.text(column++);
  return health;
}

/// True when the file is there and holds something. Makes nothing.
Result<bool> hasContent(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) {
    if (!S_ISREG(info.st_mode)) {
      return invalid(path.string() + " is not a file; choose another folder with --state-dir");
    }
    return info.st_size > 0;
  }
  if (errno == ENOENT) return false;
  return failure(fileError("open", path, errno));
}

/// What there is must be ours before a connection that can write is opened: even closing such a
/// connection may write (a checkpoint), and a file of somebody else is to stay as it is.
Result<SchemaState> inspectFile(const std::string& path, bool thorough) {
  auto db = Db::open(path, Db::Mode::kRead);
  if (!db) return failure(db.error());
  auto found = inspectSchema(*db, path);
  if (!found || !thorough) return found;
  const auto check = db->queryText("PRAGMA quick_check(1)");
  if (!check) return failure(check.error());
  if (*check != "ok") return failure(damagedDatabase(path));
  return found;
}

/// The file with our permissions; SQLite gives those of the file to its -wal and -shm too.
Result<void> makeFile(const std::filesystem::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd || ::fchmod(fd.get(), 0600) != 0) return failure(fileError("write", path, errno));
  return {};
}

}  // namespace

struct Database::Impl {
  Impl(Db connection, std::string file) : db(std::move(connection)), path(std::move(file)) {}

  Db db;
  const std::string path;
  std::mutex mutex;  // guards all below and the connection
  Stmt load_node, load_all, load_health;
  // Of a read-only connection these fail when they are run, with a sentence that says so.
  Stmt change_pod, put_pod, erase_pod, put_health, forget_pods, forget_health;
  DependencyTable dependencies;

  Result<void> prepare() {
    const std::string pods = std::string("SELECT ") + kPodColumns + " FROM pods ";
    const std::string health = std::string("SELECT ") + kHealthColumns + " FROM health ";
    const std::string put = "INSERT OR REPLACE INTO ";
    const std::pair<Stmt*, std::string> statements[] = {
        {&load_node, pods + "WHERE node = ? ORDER BY ns, name, uid"},
        {&load_all, pods + "ORDER BY node, ns, name, uid"},
        {&load_health, health + "ORDER BY name"},
        {&change_pod, kChangePod},
        {&put_pod, put + "pods (" + kPodColumns + ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
        {&put_health, put + "health (" + kHealthColumns + ") VALUES (?,?,?,?,?,?,?,?,?,?,?)"},
        {&erase_pod, "DELETE FROM pods WHERE uid = ?"},
        {&forget_pods, "DELETE FROM pods WHERE node = ?"},
        {&forget_health, "DELETE FROM health WHERE name = ?"},
    };
    for (const auto& [statement, sql] : statements) {
      auto prepared = db.prepare(sql);
      if (!prepared) return failure(prepared.error());
      *statement = std::move(*prepared);
    }
    return dependencies.prepare(db);
  }

  Result<std::vector<PodRecord>> rows(Stmt& query) {
    std::vector<PodRecord> records;
    for (;;) {
      const auto row = query.step();
      if (!row) return failure(row.error());
      if (!*row) return records;
      auto record = readPod(query);
      if (!record) {
        query.reset();
        return failure(damagedDatabase(path));
      }
      records.push_back(std::move(*record));
    }
  }
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const StateFolder& folder) {
  const std::string path = folder.database().string();
  const auto content = hasContent(path);
  if (!content) return failure(content.error());
  if (*content) {
    const auto found = inspectFile(path, true);
    if (!found) return failure(found.error());
  }
  if (auto made = makeFile(path); !made) return failure(made.error());

  auto db = Db::open(path, Db::Mode::kWrite);
  if (!db) return failure(db.error());
  for (const char* pragma :
       {"PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", "PRAGMA foreign_keys = ON"}) {
    if (auto set = db->exec(pragma); !set) return failure(set.error());
  }
  if (auto migrated = migrateSchema(*db); !migrated) return failure(migrated.error());

  auto impl = std::make_unique<Impl>(std::move(*db), path);
  if (auto ready = impl->prepare(); !ready) return failure(ready.error());
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

Result<std::unique_ptr<Database>> Database::openReadOnly(const StateFolder& folder) {
  const std::string path = folder.database().string();
  const auto content = hasContent(path);
  if (!content) return failure(content.error());
  if (!*content) return std::unique_ptr<Database>();

  auto db = Db::open(path, Db::Mode::kRead);
  if (!db) return failure(db.error());
  const auto found = inspectSchema(*db, path);
  if (!found) return failure(found.error());
  if (*found == SchemaState::kEmpty) return std::unique_ptr<Database>();
  if (*found == SchemaState::kOlder) {
    return invalid(path + " was written by an older vk-bridge; start vk-bridge run to bring it up");
  }
  auto impl = std::make_unique<Impl>(std::move(*db), path);
  if (auto ready = impl->prepare(); !ready) return failure(ready.error());
  return std::unique_ptr<Database>(new Database(std::move(impl)));
}

Result<std::vector<PodRecord>> Database::load(std::string_view node) {
  const std::lock_guard lock(impl_->mutex);
  impl_->load_node.bind(1, node);
  return impl_->rows(impl_->load_node);
}

Result<std::vector<PodRecord>> Database::loadAll() {
  const std::lock_guard lock(impl_->mutex);
  return impl_->rows(impl_->load_all);
}

Result<void> Database::put(const PodRecord& record) {
  const std::lock_guard lock(impl_->mutex);
  bindPod(impl_->change_pod, record);
  if (auto changed = impl_->change_pod.run(); !changed) return changed;
  if (impl_->change_pod.changedRows() > 0) return {};
  bindPod(impl_->put_pod, record);
  return impl_->put_pod.run();
}

Result<void> Database::erase(std::string_view uid) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->erase_pod.bind(1, uid).run();
}

Result<std::vector<DependencyRecord>> Database::loadDependencies(std::string_view node) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->dependencies.load(node, impl_->path);
}

Result<void> Database::putDependency(std::string_view node, const DependencyRecord& record) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->dependencies.put(node, record);
}

Result<void> Database::addUser(std::string_view node, const DependencyKey& key,
                               std::string_view pod_uid) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->dependencies.addUser(node, key, pod_uid);
}

Result<void> Database::removeUser(std::string_view node, const DependencyKey& key,
                                  std::string_view pod_uid) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->dependencies.removeUser(node, key, pod_uid);
}

Result<void> Database::eraseDependency(std::string_view node, const DependencyKey& key) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->dependencies.erase(node, key);
}

Result<void> Database::putHealth(const ClusterHealth& health) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->put_health.bind(1, health.name)
      .bind(2, health.state)
      .bind(3, health.message)
      .bind(4, micros(health.since))
      .bind(5, micros(health.updated_at))
      .bind(6, health.version)
      .bind(7, std::int64_t{health.nodes_ready})
      .bind(8, std::int64_t{health.nodes_total})
      .bind(9, health.cpu)
      .bind(10, health.memory)
      .bind(11, health.pods)
      .run();
}

Result<std::vector<ClusterHealth>> Database::loadHealth() {
  const std::lock_guard lock(impl_->mutex);
  std::vector<ClusterHealth> all;
  for (;;) {
    const auto row = impl_->load_health.step();
    if (!row) return failure(row.error());
    if (!*row) return all;
    all.push_back(readHealth(impl_->load_health));
  }
}

Result<void> Database::forgetCluster(const std::string& name) {
  const std::lock_guard lock(impl_->mutex);
  // One transaction: a crash leaves all of the cluster or nothing.
  if (auto begun = impl_->db.exec("BEGIN IMMEDIATE"); !begun) return begun;
  auto done = impl_->forget_pods.bind(1, name).run();
  if (done) done = impl_->dependencies.forgetNode(name);
  if (done) done = impl_->forget_health.bind(1, name).run();
  if (done) done = impl_->db.exec("COMMIT");
  if (!done) (void)impl_->db.exec("ROLLBACK");
  return done;
}

}  // namespace vkb::state
