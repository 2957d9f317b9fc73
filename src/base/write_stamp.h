#pragma once

#include <optional>

#include "vkbridge/runtime.h"

namespace vkb::base {

/// When the calling thread's last request was on its way as a whole. The transport notes it, far
/// below whoever asks how long an event waited for the request it led to; each thread sees only its
/// own, and a request is sent by the thread that asked for it.
void noteRequestWritten(TimePoint at);
/// And forgets it: nothing, until the next request of this thread.
std::optional<TimePoint> takeRequestWritten();

}  // namespace vkb::base
