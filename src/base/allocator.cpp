#include "base/allocator.h"

#include <malloc.h>

namespace vkb::base {

void returnLargeBuffers() {
  // Setting either ends the learning. Buffers of 256 KiB cost a system call each from here on.
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  mallopt(M_TRIM_THRESHOLD, 256 * 1024);
}

}  // namespace vkb::base
