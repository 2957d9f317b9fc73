#pragma once

#include "json/object.h"

namespace vkb::node {

/// Does nothing but status and resourceVersion differ between two versions of a pod? Their bytes
/// are compared: what is the same and written differently is called different.
bool isSameButForStatus(const json::Object& before, const json::Object& after);

/// A number that is the same for two versions of a pod of which isSameButForStatus is true.
std::size_t printButForStatus(const json::Object& pod);

/// Has `after` a higher resourceVersion? Those of one resource are numbers; what is none is the
/// lowest.
bool isNewer(const json::Object& after, const json::Object& before);

}  // namespace vkb::node
