#pragma once

namespace vkb::base {

/// Has malloc give the memory of large buffers (pages of lists, bodies) back to the system at once.
/// By default glibc learns from the first one freed to keep the next ones, in every thread's arena,
/// where a long life leaves some megabytes each unused. At the start of main, before other threads.
void returnLargeBuffers();

}  // namespace vkb::base
