#include "store.h"

#include <unistd.h>

#include <vector>

#include "base/check.h"

namespace vkb::sim {
namespace {

namespace fs = std::filesystem;

fs::path newFolder() {
  static int count = 0;
  const fs::path memory = fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
  return memory / ("vkb-sim-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
}

/// An open database and its folder, which goes with it.
struct Disk {
  Disk() = default;
  Disk(Disk&&) = default;
  Disk& operator=(Disk&&) = default;
  ~Disk() {
    if (!database) return;
    database.reset();
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }
  fs::path folder{};
  std::unique_ptr<state::Database> database{};
};

/// Empty ones that wait for their next world.
std::vector<Disk>& idleDisks() {
  static std::vector<Disk> idle;
  return idle;
}

}  // namespace

SimStore::SimStore(std::string secret, std::function<void(bool)> step)
    : secret_(std::move(secret)), step_(std::move(step)) {}

SimStore::~SimStore() {
  bool emptied = database_ != nullptr;
  for (const std::string& node : nodes_) emptied = emptied && database_->forgetCluster(node);
  Disk disk;
  disk.folder = folder_;
  disk.database = std::move(database_);
  if (emptied) {
    idleDisks().push_back(std::move(disk));
  } else {
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
  }
}

void SimStore::open() {
  if (database_) return;
  if (folder_.empty() && !idleDisks().empty()) {
    Disk disk = std::move(idleDisks().back());
    idleDisks().pop_back();
    folder_ = disk.folder;
    database_ = std::move(disk.database);
    return;
  }
  if (folder_.empty()) folder_ = newFolder();
  auto folder = state::StateFolder::open(folder_);
  VKB_CHECK(folder, "the simulated state folder opens");
  auto database = state::Database::open(*folder);
  VKB_CHECK(database, "a database that a crash left behind opens");
  database_ = std::move(*database);
}

void SimStore::crash(bool copied) {
  if (!database_ || !copied) return;
  const fs::path after = newFolder();
  fs::create_directories(after);
  fs::permissions(after, fs::perms::owner_all);
  for (const auto& file : fs::directory_iterator(folder_)) {
    // The shared memory file is of no use to another file: SQLite makes it anew.
    const std::string name = file.path().filename();
    if (file.is_regular_file() && !name.ends_with("-shm")) fs::copy_file(file.path(), after / name);
  }
  database_.reset();
  fs::remove_all(folder_);
  folder_ = after;
}

void SimStore::lose() {
  database_.reset();
  if (!folder_.empty()) fs::remove_all(folder_);
  folder_.clear();
  created_.clear();
  delegates_.clear();
}

Result<std::vector<PodRecord>> SimStore::load(std::string_view node) {
  return database_->load(node);
}

Result<void> SimStore::put(const PodRecord& record) {
  // Every member, so that a new one is not forgotten here.
  const auto& [uid, ns, name, node, state, place_ns, place_name, provider_uid, attempt_expires,
               inputs_hash, phase, ready, restarts, provider_node, home_created, lag, last_error,
               last_error_at] = record;
  nodes_.insert(node);
  return write({uid, ns, name, node, place_ns, place_name, provider_uid, inputs_hash, phase,
                provider_node, last_error},
               [&] {
                 auto done = database_->put(record);
                 if (done && !provider_uid.empty()) remember(uid, provider_uid);
                 return done;
               });
}

Result<void> SimStore::erase(std::string_view uid) {
  return write({uid}, [&] { return database_->erase(uid); });
}

Result<std::vector<state::DependencyRecord>> SimStore::loadDependencies(std::string_view node) {
  return database_->loadDependencies(node);
}

Result<void> SimStore::putDependency(std::string_view node, const state::DependencyRecord& record) {
  const auto& [key, home_ns, home_name, uid, tokens, users] = record;
  nodes_.emplace(node);
  return write({node, key.ns, key.name, home_ns, home_name, uid, tokens},
               [&] { return database_->putDependency(node, record); });
}

Result<void> SimStore::addUser(std::string_view node, const state::DependencyKey& key,
                               std::string_view pod_uid) {
  return write({node, key.ns, key.name, pod_uid},
               [&] { return database_->addUser(node, key, pod_uid); });
}

Result<void> SimStore::removeUser(std::string_view node, const state::DependencyKey& key,
                                  std::string_view pod_uid) {
  return write({}, [&] { return database_->removeUser(node, key, pod_uid); });
}

Result<void> SimStore::eraseDependency(std::string_view node, const state::DependencyKey& key) {
  return write({}, [&] { return database_->eraseDependency(node, key); });
}

std::string SimStore::lastError(const std::string& uid) {
  const auto all = database_->loadAll();
  if (!all) return "";
  for (const PodRecord& record : *all) {
    if (record.uid == uid) return record.last_error;
  }
  return "";
}

}  // namespace vkb::sim
