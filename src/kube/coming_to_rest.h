#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "json/object.h"

namespace vkb::kube {

/// Tells a cache which of its objects it may pack (json/packed.h): those after which many newer
/// ones came. What changes all the time is thus not packed and unpacked each time, and the last
/// few of all are whole for ever. Not thread-safe.
class ComingToRest {
 public:
  /// `object` came just now. Returns one that came long ago, if anybody holds it still, or null.
  json::ObjectPtr push(const json::ObjectPtr& object) {
    std::weak_ptr<const json::Object>& place = recent_[next_++ % recent_.size()];
    json::ObjectPtr old = place.lock();
    place = object;
    return old;
  }

 private:
  std::array<std::weak_ptr<const json::Object>, 256> recent_;
  std::size_t next_ = 0;
};

}  // namespace vkb::kube
