#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "vkbridge/pod_record.h"

namespace vkb::node {

/// The records of one virtual node: the store's content in memory. A change is in the store before
/// it is seen here, and one that changes nothing is not written. Thread-safe.
class RecordBook {
 public:
  explicit RecordBook(PodRecordStore& store) : store_(store) {}

  Result<void> load(const std::string& node);
  std::optional<PodRecord> find(const std::string& uid) const;
  Result<void> put(const PodRecord& record);
  Result<void> erase(const std::string& uid);
  std::vector<PodRecord> all() const;
  std::size_t size() const;

 private:
  PodRecordStore& store_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, PodRecord> records_;
};

}  // namespace vkb::node
