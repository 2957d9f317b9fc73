#include "mock/shared_cache.h"

#include <utility>

namespace vkb::mock {

/// The objects of one key, by name; few enough that a UID is searched for.
class SharedCache::View final : public kube::ObjectCache {
 public:
  explicit View(const std::atomic<bool>& behind) : behind_(behind) {}
  void addHandler(Handler handler) override { handlers_.push_back(std::move(handler)); }

  json::ObjectPtr get(const std::string& ns, const std::string& name) const override {
    const std::lock_guard lock(mutex_);
    const auto found = by_name_.find(ns.empty() ? name : ns + "/" + name);
    return found == by_name_.end() ? nullptr : found->second;
  }
  json::ObjectPtr byUid(const std::string& uid) const override {
    const std::lock_guard lock(mutex_);
    const auto found = by_uid_.find(uid);
    return found == by_uid_.end() ? nullptr : found->second;
  }
  std::vector<std::string> uids() const override {
    std::vector<std::string> all;
    for (const auto& object : list()) all.push_back(object->uid);
    return all;
  }
  std::vector<json::ObjectPtr> list() const override {
    const std::lock_guard lock(mutex_);
    std::vector<json::ObjectPtr> result;
    result.reserve(by_uid_.size());
    for (const auto& [uid, object] : by_uid_) result.push_back(object);
    return result;
  }
  bool isBehind() const override { return behind_; }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return by_uid_.size();
  }

  void upsert(const json::ObjectPtr& object) {
    json::ObjectPtr former, namesake;
    {
      const std::lock_guard lock(mutex_);
      json::ObjectPtr& named = by_name_[object->key()];
      if (named && named->uid != object->uid) {
        namesake = named;
        by_uid_.erase(named->uid);
      }
      named = object;
      former = std::exchange(by_uid_[object->uid], object);
    }
    if (namesake) tell(namesake, nullptr);
    tell(former, object);
  }
  void remove(const json::ObjectPtr& object) {
    {
      const std::lock_guard lock(mutex_);
      const auto named = by_name_.find(object->key());
      if (named != by_name_.end() && named->second->uid == object->uid) by_name_.erase(named);
      by_uid_.erase(object->uid);
    }
    tell(object, nullptr);
  }

 private:
  void tell(const json::ObjectPtr& before, const json::ObjectPtr& after) {
    for (const auto& handler : handlers_) handler(before, after);
  }

  const std::atomic<bool>& behind_;
  std::vector<Handler> handlers_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, json::ObjectPtr> by_name_, by_uid_;
};

SharedCache::SharedCache(Runtime runtime, kube::Client& client, base::Logger& logger,
                         kube::ReflectorOptions options, KeyOf key_of)
    : key_of_(std::move(key_of)) {
  options.on_sync = [this, next = std::move(options.on_sync)](bool synced, const Status& why) {
    if (!synced) behind_ = true;
    if (next) next(synced, why);
  };
  kube::ReflectorSink& sink = *this;  // converted here, where the private base is known
  reflector_ = std::make_unique<kube::Reflector>(runtime, client, sink, logger, std::move(options));
}

SharedCache::~SharedCache() { stop(); }

kube::ObjectCache& SharedCache::view(const std::string& key) {
  auto& slot = views_[key];
  if (!slot) slot = std::make_unique<View>(behind_);
  return *slot;
}

void SharedCache::start(std::function<void()> synced) {
  synced_ = std::move(synced);
  reflector_->start();
}

void SharedCache::stop() { reflector_->stop(); }

std::size_t SharedCache::size() const {
  std::size_t result = 0;
  for (const auto& [key, view] : views_) result += view->size();
  return result;
}

SharedCache::View* SharedCache::viewOf(const json::Object& object) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = by_uid_.find(object.uid);
    if (known != by_uid_.end()) return known->second;
  }
  const auto found = views_.find(key_of_(object));
  if (found == views_.end()) return nullptr;
  const std::lock_guard lock(mutex_);
  by_uid_[object.uid] = found->second.get();
  return found->second.get();
}

void SharedCache::replace(std::vector<json::ObjectPtr> items) {
  std::unordered_map<std::string, json::ObjectPtr> present;
  for (auto& item : items) present[item->uid] = item;
  for (const auto& [key, view] : views_) {
    for (const auto& held : view->list()) {
      if (!present.contains(held->uid)) remove(held);
    }
  }
  for (auto& item : items) {
    View* view = viewOf(*item);
    const auto held = view ? view->byUid(item->uid) : nullptr;
    if (held && held->resource_version == item->resource_version) continue;
    if (view) view->upsert(item);
  }
  behind_ = false;
  std::function<void()> synced;
  {
    const std::lock_guard lock(mutex_);
    synced = std::exchange(synced_, nullptr);
  }
  if (synced) synced();
}

void SharedCache::upsert(json::ObjectPtr object) {
  behind_ = false;
  if (View* view = viewOf(*object)) view->upsert(object);
}

void SharedCache::remove(json::ObjectPtr object) {
  behind_ = false;
  View* view = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const auto known = by_uid_.find(object->uid);
    if (known == by_uid_.end()) return;
    view = known->second;
    by_uid_.erase(known);
  }
  view->remove(object);
}

}  // namespace vkb::mock
