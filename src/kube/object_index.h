#pragma once

#include <functional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "json/object.h"

namespace vkb::kube {

/// What an index looks objects up by; views into the object, no copies: of 10,000 pods the copies
/// would take as much as a tenth of what matters.
using IndexKey = std::pair<std::string_view, std::string_view>;
struct ByName {
  static IndexKey of(const json::Object& object) { return {object.ns, object.name}; }
};
struct ByUid {
  static IndexKey of(const json::Object& object) { return {{}, object.uid}; }
};

/// Objects by one of their keys. Not thread-safe.
template <typename By>
class ObjectIndex {
 public:
  /// The object there, or null.
  json::ObjectPtr get(IndexKey key) const {
    const auto found = set_.find(key);
    return found == set_.end() ? nullptr : *found;
  }
  /// Puts `object` in its place; returns what was there.
  json::ObjectPtr put(json::ObjectPtr object) {
    const auto found = set_.find(By::of(*object));
    if (found == set_.end()) {
      set_.insert(std::move(object));
      return nullptr;
    }
    auto node = set_.extract(found);
    json::ObjectPtr before = std::exchange(node.value(), std::move(object));
    set_.insert(std::move(node));
    return before;
  }
  void erase(IndexKey key) {
    const auto found = set_.find(key);
    if (found != set_.end()) set_.erase(found);
  }
  std::size_t size() const { return set_.size(); }
  void reserve(std::size_t count) { set_.reserve(count); }
  void swap(ObjectIndex& other) { set_.swap(other.set_); }
  auto begin() const { return set_.begin(); }
  auto end() const { return set_.end(); }

 private:
  static IndexKey keyOf(const json::ObjectPtr& object) { return By::of(*object); }
  static IndexKey keyOf(IndexKey key) { return key; }
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(const auto& item) const {
      const IndexKey key = keyOf(item);
      const std::hash<std::string_view> hash;
      return hash(key.first) * 31 + hash(key.second);
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const { return keyOf(a) == keyOf(b); }
  };

  std::unordered_set<json::ObjectPtr, Hash, Equal> set_;
};

}  // namespace vkb::kube
