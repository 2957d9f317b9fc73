#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "kube/reflector.h"

namespace vkb::bridge {

/// Which ConfigMaps or Secrets home has, by "<ns>/<name>": names and versions, from a watch of
/// metadata. No more is kept of it: an annotation may hold a Secret's data (kubectl apply's).
/// Thread-safe; `changed` is called without a lock held.
class HomeVersions final : public kube::ReflectorSink {
 public:
  explicit HomeVersions(std::function<void(const std::string& key)> changed)
      : changed_(std::move(changed)) {}

  bool has(const std::string& key) const {
    const std::lock_guard lock(mutex_);
    return versions_.contains(key);
  }

  void replace(std::vector<json::ObjectPtr> items) override {
    std::vector<std::string> changes;
    {
      const std::lock_guard lock(mutex_);
      std::unordered_map<std::string, std::string> now;
      for (const auto& item : items) now[item->key()] = item->resource_version;
      for (const auto& [key, version] : now) {
        const auto before = versions_.find(key);
        if (before == versions_.end() || before->second != version) changes.push_back(key);
      }
      for (const auto& [key, version] : versions_) {
        if (!now.contains(key)) changes.push_back(key);
      }
      versions_ = std::move(now);
    }
    for (const auto& key : changes) changed_(key);
  }
  void upsert(json::ObjectPtr object) override {
    {
      const std::lock_guard lock(mutex_);
      versions_[object->key()] = object->resource_version;
    }
    changed_(object->key());
  }
  void remove(json::ObjectPtr object) override {
    {
      const std::lock_guard lock(mutex_);
      versions_.erase(object->key());
    }
    changed_(object->key());
  }

 private:
  const std::function<void(const std::string&)> changed_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::string> versions_;
};

}  // namespace vkb::bridge
