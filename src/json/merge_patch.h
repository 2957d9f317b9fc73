#pragma once

#include "vkbridge/json.h"

namespace vkb::json {

/// RFC 7386. Null in a patch deletes; arrays are replaced whole.
void applyMergePatch(Json& target, const Json& patch);

/// The smallest patch that makes `from` into `to`; an empty object when they are equal. Both must
/// be objects. Nulls inside `to` cannot be said in a merge patch and come out as absent.
Json diffMergePatch(const Json& from, const Json& to);

}  // namespace vkb::json
