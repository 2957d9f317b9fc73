#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kube/coming_to_rest.h"
#include "kube/object_cache.h"
#include "kube/object_index.h"
#include "kube/reflector.h"

namespace vkb::kube {

/// A cache of one selection of objects, fed by a reflector, looked up by ns/name or UID. Holds
/// objects that nothing new came of packed; what it hands out is whole. Thread-safe.
class Informer final : public ObjectCache, private ReflectorSink {
 public:
  Informer(Runtime runtime, Client& client, base::Logger& logger, ReflectorOptions options);
  ~Informer() override;

  /// Before start().
  void addHandler(Handler handler) override;
  void start();
  void stop();
  /// As Reflector::retryNow().
  void retryNow();

  /// The first list has been taken in (stays true over broken watches).
  bool hasSynced() const;
  /// List or watch works at present.
  bool isHealthy() const;
  bool isBehind() const override;
  json::ObjectPtr get(const std::string& ns, const std::string& name) const override;
  json::ObjectPtr byUid(const std::string& uid) const override;
  std::string versionOf(const std::string& uid) const override;
  std::vector<json::ObjectPtr> list() const override;
  std::vector<std::string> uids() const override;
  std::size_t size() const;
  /// `callback` once the first list is in (at once if it is already).
  void whenSynced(std::function<void()> callback);

 private:
  void replace(std::vector<json::ObjectPtr> items) override;
  json::ObjectPtr take(json::ObjectPtr item) override;
  void upsert(json::ObjectPtr object) override;
  void remove(json::ObjectPtr object) override;
  void packLocked(const json::ObjectPtr& held);

  mutable std::mutex mutex_;
  ObjectIndex<ByName> by_name_;  ///< whole or packed, as in by_uid_
  ObjectIndex<ByUid> by_uid_;
  ComingToRest recent_;
  bool synced_ = false, healthy_ = false, behind_ = false;
  std::vector<std::function<void()>> when_synced_;
  std::vector<Handler> handlers_;
  std::unique_ptr<Reflector> reflector_;
};

}  // namespace vkb::kube
