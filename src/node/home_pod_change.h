#pragma once

#include <string_view>

#include "json/object.h"

namespace vkb::node {

/// Does nothing but what we write ourselves differ between two versions of a pod: status, this
/// annotation, resourceVersion? Their bytes are compared: what is the same and written differently
/// is called different.
bool isSameQuestion(const json::Object& before, const json::Object& after,
                    std::string_view annotation);

/// A number that is the same for two versions of a pod of which isSameQuestion() is true, and for
/// one before and after its deletion was asked for.
std::size_t printOfInputs(const json::Object& pod, std::string_view annotation);

/// Has `after` a higher resourceVersion? Those of one resource are numbers; what is none is the
/// lowest.
bool isNewer(const json::Object& after, const json::Object& before);

}  // namespace vkb::node
