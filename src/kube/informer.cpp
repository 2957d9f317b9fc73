#include "kube/informer.h"

#include <utility>

#include "base/protections.h"
#include "json/packed.h"

namespace vkb::kube {
namespace {

struct Change {
  json::ObjectPtr before, after;  ///< as they are held
};

/// A name that passed to another UID is one object gone and another one new: who keys by UID must
/// hear of both.
void addChange(std::vector<Change>& changes, json::ObjectPtr before, json::ObjectPtr after) {
  if (before && after && before->uid != after->uid) {
    changes.push_back({std::move(before), nullptr});
    changes.push_back({nullptr, std::move(after)});
  } else {
    changes.push_back({std::move(before), std::move(after)});
  }
}

void tell(const std::vector<Informer::Handler>& handlers, const std::vector<Change>& changes) {
  if (handlers.empty()) return;
  for (const Change& change : changes) {
    const json::ObjectPtr before = json::unpacked(change.before);
    const json::ObjectPtr after = json::unpacked(change.after);
    for (const auto& handler : handlers) handler(before, after);
  }
}

}  // namespace

Informer::Informer(Runtime runtime, Client& client, base::Logger& logger,
                   ReflectorOptions options) {
  auto on_sync = [this, next = std::move(options.on_sync)](bool synced, const Status& why) {
    {
      const std::lock_guard lock(mutex_);
      healthy_ = synced;
      behind_ |= !synced;  // a new connection alone tells nothing yet
    }
    if (next) next(synced, why);
  };
  options.on_sync = std::move(on_sync);
  ReflectorSink& sink = *this;  // converted here, where the private base is known
  reflector_ = std::make_unique<Reflector>(runtime, client, sink, logger, std::move(options));
}

Informer::~Informer() { stop(); }

void Informer::addHandler(Handler handler) { handlers_.push_back(std::move(handler)); }
void Informer::start() { reflector_->start(); }
void Informer::stop() { reflector_->stop(); }
void Informer::retryNow() { reflector_->retryNow(); }

bool Informer::hasSynced() const {
  const std::lock_guard lock(mutex_);
  return synced_;
}

bool Informer::isHealthy() const {
  const std::lock_guard lock(mutex_);
  return healthy_;
}

bool Informer::isBehind() const {
  const std::lock_guard lock(mutex_);
  return behind_;
}

json::ObjectPtr Informer::get(const std::string& ns, const std::string& name) const {
  std::unique_lock lock(mutex_);
  const json::ObjectPtr held = by_name_.get({ns, name});
  lock.unlock();
  return json::unpacked(held);
}

json::ObjectPtr Informer::byUid(const std::string& uid) const {
  std::unique_lock lock(mutex_);
  const json::ObjectPtr held = by_uid_.get({{}, uid});
  lock.unlock();
  return json::unpacked(held);
}

std::string Informer::versionOf(const std::string& uid) const {
  const std::lock_guard lock(mutex_);
  const json::ObjectPtr held = by_uid_.get({{}, uid});
  return held ? held->resource_version : "";
}

std::vector<json::ObjectPtr> Informer::list() const {
  std::vector<json::ObjectPtr> all;
  {
    const std::lock_guard lock(mutex_);
    all.assign(by_name_.begin(), by_name_.end());
  }
  for (json::ObjectPtr& object : all) object = json::unpacked(object);
  return all;
}

std::vector<std::string> Informer::uids() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> all;
  all.reserve(by_uid_.size());
  for (const json::ObjectPtr& held : by_uid_) all.push_back(held->uid);
  return all;
}

std::size_t Informer::size() const {
  const std::lock_guard lock(mutex_);
  return by_name_.size();
}

void Informer::whenSynced(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!synced_) {
      when_synced_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

void Informer::replace(std::vector<json::ObjectPtr> items) {
  // The new state's until the swap, the old one's afterwards.
  ObjectIndex<ByName> by_name;
  ObjectIndex<ByUid> by_uid;
  by_name.reserve(items.size());
  by_uid.reserve(items.size());
  for (auto& item : items) {
    by_uid.put(item);
    by_name.put(std::move(item));
  }
  std::vector<Change> changes;
  {
    const std::lock_guard lock(mutex_);
    by_name_.swap(by_name);
    by_uid_.swap(by_uid);
    behind_ = false;
    for (const json::ObjectPtr& before : by_name) {
      if (by_name_.get(ByName::of(*before))) continue;
      if (base::protects(base::Protection::kRelistDiff)) addChange(changes, before, nullptr);
    }
    for (const json::ObjectPtr& after : by_name_) {
      // The very same object where nothing changed: take() saw to that. A server restored from a
      // backup may have given an old version's number to another content.
      const json::ObjectPtr before = by_name.get(ByName::of(*after));
      if (before != after) addChange(changes, before, after);
    }
  }
  tell(handlers_, changes);
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex_);
    synced_ = true;
    callbacks.swap(when_synced_);
  }
  for (const auto& callback : callbacks) callback();
}

json::ObjectPtr Informer::take(json::ObjectPtr item) {
  std::unique_lock lock(mutex_);
  const json::ObjectPtr held = by_uid_.get(ByUid::of(*item));
  lock.unlock();
  return held && json::isSame(held, item) ? held : json::packed(item);
}

/// Where it is still what is held.
void Informer::packLocked(const json::ObjectPtr& held) {
  if (by_uid_.get(ByUid::of(*held)) != held || by_name_.get(ByName::of(*held)) != held) return;
  const json::ObjectPtr small = json::packed(held);
  by_uid_.put(small);
  by_name_.put(small);
}

void Informer::upsert(json::ObjectPtr object) {
  std::vector<Change> changes;
  {
    const std::lock_guard lock(mutex_);
    behind_ = false;
    json::ObjectPtr before = by_name_.put(object);
    if (before && before->uid != object->uid) by_uid_.erase(ByUid::of(*before));
    by_uid_.put(object);
    if (const json::ObjectPtr old = recent_.push(object)) packLocked(old);
    addChange(changes, std::move(before), std::move(object));
  }
  tell(handlers_, changes);
}

void Informer::remove(json::ObjectPtr object) {
  std::vector<Change> changes;
  {
    const std::lock_guard lock(mutex_);
    behind_ = false;
    const json::ObjectPtr there = by_name_.get(ByName::of(*object));
    // Another UID under that name is newer than what this event tells of.
    if (there && there->uid == object->uid) by_name_.erase(ByName::of(*object));
    by_uid_.erase(ByUid::of(*object));
    addChange(changes, std::move(object), nullptr);
  }
  tell(handlers_, changes);
}

}  // namespace vkb::kube
