#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "kube/object_cache.h"
#include "kube/reflector.h"

namespace vkb::mock {

/// One watch for many controllers: objects are dealt out to views, one a key (a pod's node, say).
/// What belongs to no view is not kept. An object's key never changes while it has its UID.
/// Thread-safe; handlers of one view run one at a time.
class SharedCache final : private kube::ReflectorSink {
 public:
  /// The key of an object; called once for each UID.
  using KeyOf = std::function<std::string(const json::Object&)>;

  SharedCache(Runtime runtime, kube::Client& client, base::Logger& logger,
              kube::ReflectorOptions options, KeyOf key_of);
  ~SharedCache() override;

  /// The view of one key; before start(). Lives as long as this.
  kube::ObjectCache& view(const std::string& key);
  /// `synced` is called once, when every view holds the first list.
  void start(std::function<void()> synced);
  void stop();
  std::size_t size() const;

 private:
  class View;

  void replace(std::vector<json::ObjectPtr> items) override;
  void upsert(json::ObjectPtr object) override;
  void remove(json::ObjectPtr object) override;
  View* viewOf(const json::Object& object);

  const KeyOf key_of_;
  std::atomic<bool> behind_ = false;                    ///< ObjectCache::isBehind(), of all views
  std::map<std::string, std::unique_ptr<View>> views_;  ///< fixed from start() on
  mutable std::mutex mutex_;                            ///< guards the next two
  std::unordered_map<std::string, View*> by_uid_;
  std::function<void()> synced_;
  std::unique_ptr<kube::Reflector> reflector_;
};

}  // namespace vkb::mock
