#include "base/write_stamp.h"

#include <utility>

namespace vkb::base {
namespace {
thread_local std::optional<TimePoint> last_written;
}  // namespace

void noteRequestWritten(TimePoint at) { last_written = at; }

std::optional<TimePoint> takeRequestWritten() { return std::exchange(last_written, std::nullopt); }

}  // namespace vkb::base
