#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "json/object.h"

namespace vkb::kube {

/// Tells a cache which of its objects it may pack (json/packed.h): those after which many newer
/// ones came. What changes all the time is thus not packed and unpacked each time, and the last
/// few of all are whole for ever. Not thread-safe.
class ComingToRest {
 public:
  /// So many are left whole: what a burst of pods makes in some seconds, until most have a newer
  /// version, and some 6 MB where nothing follows.
  static constexpr std::size_t kWhole = 1024;

  /// `object` came just now. Returns one that came long ago, if anybody holds it still, or null.
  json::ObjectPtr push(const json::ObjectPtr& object) {
    if (recent_.size() < kWhole) {
      recent_.push_back(object);
      return nullptr;
    }
    std::weak_ptr<const json::Object>& place = recent_[next_++ % kWhole];
    json::ObjectPtr old = place.lock();
    place = object;
    return old;
  }

 private:
  std::vector<std::weak_ptr<const json::Object>> recent_;  ///< grows to kWhole
  std::size_t next_ = 0;                                   ///< the oldest, once it has
};

}  // namespace vkb::kube
