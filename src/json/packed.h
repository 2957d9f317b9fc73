#pragma once

#include "json/object.h"

namespace vkb::json {

// For caches that hold many objects of which few are looked at: 10,000 pods of 6 KB take 60 MB as
// they were sent, 20 MB packed, and 6 MB where they are alike.

/// The same object, its bytes compressed (LZ4) where that makes them fewer. Nobody but unpacked()
/// may look at them, in this process; the rest is as it was. Thread-safe.
ObjectPtr packed(const ObjectPtr& object);

/// The object that packed() was given; any other one as it is. Null stays null.
ObjectPtr unpacked(const ObjectPtr& object);

/// Are they the same bytes, packed or not? Unpacks nothing where the versions differ already.
bool isSame(const ObjectPtr& held, const ObjectPtr& other);

}  // namespace vkb::json
