#pragma once

#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "vkbridge/runtime.h"

namespace vkb::kubelet {

/// Answers by key, each for its own time. Bounded: when it is full of living answers it starts
/// over, which costs questions, never a wrong answer. Thread-safe.
template <typename Value>
class ExpiringCache {
 public:
  ExpiringCache(const Clock& clock, std::size_t max_entries)
      : clock_(clock), max_entries_(max_entries) {}

  std::optional<Value> find(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end() || clock_.now() >= found->second.expires) return std::nullopt;
    return found->second.value;
  }

  void put(const std::string& key, Value value, Duration lifetime) {
    const TimePoint now = clock_.now();
    const std::lock_guard lock(mutex_);
    if (entries_.size() >= max_entries_) {
      std::erase_if(entries_, [&](const auto& entry) { return now >= entry.second.expires; });
      if (entries_.size() >= max_entries_) entries_.clear();
    }
    entries_.insert_or_assign(key, Entry{std::move(value), now + lifetime});
  }

 private:
  struct Entry {
    Value value;
    TimePoint expires;
  };
  const Clock& clock_;
  const std::size_t max_entries_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace vkb::kubelet
