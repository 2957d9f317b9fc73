#include "store.h"

#include <unistd.h>

#include <fstream>

#include "base/check.h"

namespace vkb::sim {
namespace {

namespace fs = std::filesystem;

fs::path newFolder() {
  static int count = 0;
  const fs::path memory = fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
  return memory / ("vkb-sim-" + std::to_string(::getpid()) + "-" + std::to_string(++count));
}

}  // namespace

SimStore::SimStore(std::function<void(bool)> step) : step_(std::move(step)), folder_(newFolder()) {}

SimStore::~SimStore() {
  database_.reset();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void SimStore::open() {
  if (database_) return;
  auto folder = state::StateFolder::open(folder_ / std::to_string(generation_));
  VKB_CHECK(folder, "the simulated state folder opens");
  auto database = state::Database::open(*folder);
  VKB_CHECK(database, "a database that a crash left behind opens");
  database_ = std::move(*database);
}

void SimStore::crash(bool copied) {
  if (!database_ || !copied) return;
  const fs::path before = folder_ / std::to_string(generation_);
  const fs::path after = folder_ / std::to_string(++generation_);
  fs::create_directories(after);
  fs::permissions(after, fs::perms::owner_all);
  for (const auto& file : fs::directory_iterator(before)) {
    // The shared memory file is of no use to another file: SQLite makes it anew.
    const std::string name = file.path().filename();
    if (file.is_regular_file() && !name.ends_with("-shm")) fs::copy_file(file.path(), after / name);
  }
  database_.reset();
  fs::remove_all(before);
}

void SimStore::lose() {
  database_.reset();
  fs::remove_all(folder_ / std::to_string(generation_));
  created_.clear();
  delegates_.clear();
}

Result<std::vector<PodRecord>> SimStore::load(std::string_view node) {
  return database_->load(node);
}

Result<void> SimStore::put(const PodRecord& record) {
  step_(false);
  auto done = database_->put(record);
  if (done && !record.provider_uid.empty()) remember(record.uid, record.provider_uid);
  step_(true);
  return done;
}

Result<void> SimStore::erase(std::string_view uid) {
  return write([&] { return database_->erase(uid); });
}

Result<std::vector<state::DependencyRecord>> SimStore::loadDependencies(std::string_view node) {
  return database_->loadDependencies(node);
}

Result<void> SimStore::putDependency(std::string_view node, const state::DependencyRecord& record) {
  return write([&] { return database_->putDependency(node, record); });
}

Result<void> SimStore::addUser(std::string_view node, const state::DependencyKey& key,
                               std::string_view pod_uid) {
  return write([&] { return database_->addUser(node, key, pod_uid); });
}

Result<void> SimStore::removeUser(std::string_view node, const state::DependencyKey& key,
                                  std::string_view pod_uid) {
  return write([&] { return database_->removeUser(node, key, pod_uid); });
}

Result<void> SimStore::eraseDependency(std::string_view node, const state::DependencyKey& key) {
  return write([&] { return database_->eraseDependency(node, key); });
}

bool SimStore::holds(const std::string& text) const {
  for (const auto& file : fs::directory_iterator(folder_ / std::to_string(generation_))) {
    if (!file.is_regular_file()) continue;
    std::string bytes(file.file_size(), '\0');
    std::ifstream stream(file.path(), std::ios::binary);
    stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (bytes.find(text) != std::string::npos) return true;
  }
  return false;
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
