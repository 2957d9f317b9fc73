#include "node/record_book.h"

namespace vkb::node {

Result<void> RecordBook::load(const std::string& node) {
  auto loaded = store_.load(node);
  if (!loaded) return failure(loaded.error());
  std::lock_guard lock(mutex_);
  records_.clear();
  for (auto& record : *loaded) {
    const std::string uid = record.uid;
    records_.emplace(uid, std::move(record));
  }
  return {};
}

std::optional<PodRecord> RecordBook::find(const std::string& uid) const {
  std::lock_guard lock(mutex_);
  const auto found = records_.find(uid);
  if (found == records_.end()) return std::nullopt;
  return found->second;
}

Result<void> RecordBook::put(const PodRecord& record) {
  {
    std::lock_guard lock(mutex_);
    const auto found = records_.find(record.uid);
    if (found != records_.end() && found->second == record) return {};
  }
  if (auto stored = store_.put(record); !stored) return stored;
  std::lock_guard lock(mutex_);
  records_.insert_or_assign(record.uid, record);
  return {};
}

Result<void> RecordBook::erase(const std::string& uid) {
  if (auto erased = store_.erase(uid); !erased) return erased;
  std::lock_guard lock(mutex_);
  records_.erase(uid);
  return {};
}

std::vector<PodRecord> RecordBook::all() const {
  std::lock_guard lock(mutex_);
  std::vector<PodRecord> result;
  result.reserve(records_.size());
  for (const auto& [uid, record] : records_) result.push_back(record);
  return result;
}

std::size_t RecordBook::size() const {
  std::lock_guard lock(mutex_);
  return records_.size();
}

}  // namespace vkb::node
