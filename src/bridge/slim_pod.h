#pragma once

#include "json/object.h"

namespace vkb::bridge {

// What is held of the target's pods (design §9): of thousands of them the whole specs would take
// more memory than all the rest. Both work on the bytes of valid JSON, without a DOM.

/// A delegate: metadata and status whole; of the spec the node and what reflect(), references() and
/// the statistics read of it. Who changes a delegate reads it anew.
json::ObjectPtr slimDelegate(const json::Object& pod);

/// Anybody's pod: what requestsOf() and placement read. No metadata; the identity is the object's.
json::ObjectPtr slimForeign(const json::Object& pod);

}  // namespace vkb::bridge
