#include "bridge/dependency_book.h"

#include <utility>

namespace vkb::bridge {

Result<void> DependencyBook::load(const std::set<std::string>& pods) {
  auto loaded = store_.loadDependencies(node_);
  if (!loaded) return failure(loaded.error());
  const std::lock_guard lock(mutex_);
  for (const DependencyRecord& record : *loaded) {
    insertLocked(record);
    for (const std::string& user : record.users) {
      if (!pods.contains(user)) dropUserLocked(record.key, user);
    }
  }
  return {};
}

void DependencyBook::insertLocked(const DependencyRecord& record) {
  entries_[record.key].record = record;
  by_home_[homeNameOf(record)].insert(record.key);
  for (const std::string& user : record.users) by_pod_[user].insert(record.key);
}

std::optional<DependencyBook::Entry> DependencyBook::find(const DependencyKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  return found == entries_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<DependencyKey> DependencyBook::keys() const {
  const std::lock_guard lock(mutex_);
  std::vector<DependencyKey> result;
  for (const auto& [key, entry] : entries_) result.push_back(key);
  return result;
}

std::optional<DependencyBook::Entry> DependencyBook::usedBy(const std::string& pod_uid,
                                                            state::DependencyKind kind,
                                                            const std::string& home_ns,
                                                            const std::string& home_name) const {
  const std::lock_guard lock(mutex_);
  const auto used = by_pod_.find(pod_uid);
  if (used == by_pod_.end()) return std::nullopt;
  const auto copies = by_home_.find(HomeName{kind, home_ns, home_name});
  if (copies == by_home_.end()) return std::nullopt;
  for (const DependencyKey& key : copies->second) {
    const Entry& entry = entries_.at(key);
    if (used->second.contains(key) && entry.record.tokens.empty()) return entry;
  }
  return std::nullopt;
}

bool DependencyBook::isUser(const std::string& pod_uid) const {
  const std::lock_guard lock(mutex_);
  return by_pod_.contains(pod_uid);
}

std::vector<DependencyKey> DependencyBook::copiesOf(state::DependencyKind kind,
                                                    const std::string& home_ns,
                                                    const std::string& home_name) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_home_.find(HomeName{kind, home_ns, home_name});
  if (found == by_home_.end()) return {};
  return {found->second.begin(), found->second.end()};
}

std::size_t DependencyBook::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::vector<DependencyKey> DependencyBook::unused() const {
  const std::lock_guard lock(mutex_);
  std::vector<DependencyKey> result;
  for (const auto& [key, entry] : entries_) {
    if (entry.record.users.empty()) result.push_back(key);
  }
  return result;
}

Result<DependencyBook::Entry> DependencyBook::use(const DependencyRecord& wanted,
                                                  const std::string& pod_uid) {
  const std::lock_guard lock(mutex_);
  auto found = entries_.find(wanted.key);
  if (found == entries_.end()) {
    DependencyRecord record = wanted;
    record.uid.clear();
    record.users.clear();
    if (auto written = store_.putDependency(node_, record); !written) {
      return failure(written.error());
    }
    insertLocked(record);
    found = entries_.find(wanted.key);
  }
  Entry& entry = found->second;
  if (entry.record.users.contains(pod_uid)) return entry;
  if (auto written = store_.addUser(node_, wanted.key, pod_uid); !written) {
    return failure(written.error());
  }
  // It may just be going, as nobody's.
  if (entry.record.users.empty()) entry.state = State::kUnknown;
  entry.record.users.insert(pod_uid);
  by_pod_[pod_uid].insert(wanted.key);
  return entry;
}

Result<void> DependencyBook::rebuild(const DependencyRecord& found) {
  const std::lock_guard lock(mutex_);
  if (entries_.contains(found.key)) return {};
  DependencyRecord record = found;
  record.users.clear();
  if (auto written = store_.putDependency(node_, record); !written) return written;
  insertLocked(record);
  entries_[record.key].rebuilt = true;
  return {};
}

std::vector<DependencyKey> DependencyBook::release(const std::string& pod_uid) {
  const std::lock_guard lock(mutex_);
  const auto used = by_pod_.find(pod_uid);
  if (used == by_pod_.end()) return {};
  const std::vector<DependencyKey> keys(used->second.begin(), used->second.end());
  for (const DependencyKey& key : keys) dropUserLocked(key, pod_uid);
  return keys;
}

void DependencyBook::release(const DependencyKey& key, const std::string& pod_uid) {
  const std::lock_guard lock(mutex_);
  if (entries_.contains(key)) dropUserLocked(key, pod_uid);
}

/// A user that the store could not forget has no pod record any more, and goes at the next start.
void DependencyBook::dropUserLocked(const DependencyKey& key, const std::string& pod_uid) {
  (void)store_.removeUser(node_, key, pod_uid);
  entries_.at(key).record.users.erase(pod_uid);
  const auto used = by_pod_.find(pod_uid);
  if (used == by_pod_.end()) return;
  used->second.erase(key);
  if (used->second.empty()) by_pod_.erase(used);
}

std::set<std::string> DependencyBook::settle(const DependencyKey& key, State state,
                                             const Status& why, const std::string& version) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return {};
  Entry& entry = found->second;
  const bool news = entry.state != state || entry.why.message != why.message;
  entry.state = state;
  entry.why = why;
  if (!version.empty()) entry.version = version;
  return news ? entry.record.users : std::set<std::string>{};
}

Result<void> DependencyBook::setUid(const DependencyKey& key, const std::string& uid) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end() || found->second.record.uid == uid) return {};
  found->second.record.uid = uid;
  return store_.putDependency(node_, found->second.record);
}

void DependencyBook::setAttempt(const DependencyKey& key, WallTime expires) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found != entries_.end()) found->second.attempt_expires = expires;
}

Result<bool> DependencyBook::forget(const DependencyKey& key) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return true;
  if (!found->second.record.users.empty()) return false;
  if (auto erased = store_.eraseDependency(node_, key); !erased) return failure(erased.error());
  const auto copies = by_home_.find(homeNameOf(found->second.record));
  copies->second.erase(key);
  if (copies->second.empty()) by_home_.erase(copies);
  entries_.erase(found);
  return true;
}

}  // namespace vkb::bridge
