#pragma once

#include <functional>
#include <string>
#include <vector>

#include "json/object.h"

namespace vkb::kube {

/// What a controller needs of a cache of one kind of object, whoever fills it: an Informer of its
/// own, or its share of a watch that many controllers have in common. Thread-safe.
/// Handlers run after the cache holds the change, one at a time, and must not block.
class ObjectCache {
 public:
  /// before == nullptr: new. after == nullptr: gone (a hint; absence needs proof).
  using Handler = std::function<void(const json::ObjectPtr& before, const json::ObjectPtr& after)>;

  virtual ~ObjectCache() = default;
  /// Before the cache is filled.
  virtual void addHandler(Handler handler) = 0;
  virtual json::ObjectPtr get(const std::string& ns, const std::string& name) const = 0;
  virtual json::ObjectPtr byUid(const std::string& uid) const = 0;
  /// Of the object with that UID, without its contents; "" where there is none.
  virtual std::string versionOf(const std::string& uid) const {
    const json::ObjectPtr held = byUid(uid);
    return held ? held->resource_version : "";
  }
  virtual std::vector<json::ObjectPtr> list() const = 0;
  /// Of all that list() would give; takes a fraction of the memory.
  virtual std::vector<std::string> uids() const = 0;
  /// List or watch broke and has told nothing since: what is held may be old. Told something, it is
  /// as new as a cache can be.
  virtual bool isBehind() const = 0;
};

}  // namespace vkb::kube
