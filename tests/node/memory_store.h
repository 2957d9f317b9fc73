#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "vkbridge/pod_record.h"

namespace vkb::test {

/// PodRecordStore in memory: what it holds is what a crash would leave. Thread-safe.
class MemoryStore final : public PodRecordStore {
 public:
  Result<std::vector<PodRecord>> load(std::string_view node) override {
    std::lock_guard lock(mutex_);
    if (failing) return failure(status());
    std::vector<PodRecord> result;
    for (const auto& [uid, record] : records_) {
      if (record.node == node) result.push_back(record);
    }
    return result;
  }
  Result<void> put(const PodRecord& record) override {
    std::lock_guard lock(mutex_);
    if (failing) return failure(status());
    ++writes;
    records_[record.uid] = record;
    return {};
  }
  Result<void> erase(std::string_view uid) override {
    std::lock_guard lock(mutex_);
    if (failing) return failure(status());
    ++writes;
    records_.erase(std::string(uid));
    return {};
  }

  std::optional<PodRecord> find(const std::string& uid) const {
    std::lock_guard lock(mutex_);
    const auto found = records_.find(uid);
    return found == records_.end() ? std::nullopt : std::optional(found->second);
  }
  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return records_.size();
  }
  /// The file was lost.
  void lose() {
    std::lock_guard lock(mutex_);
    records_.clear();
  }

  bool failing = false;
  int writes = 0;

 private:
  static Status status() { return {.reason = "StoreFailed", .message = "the disk is full"}; }
  mutable std::mutex mutex_;
  std::map<std::string, PodRecord> records_;
};

}  // namespace vkb::test
