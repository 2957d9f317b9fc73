#include "net/line_buffer.h"

namespace vkb::net {

/// Used text is dropped once it is worth the move.
std::optional<std::string> LineBuffer::takeLine() {
  constexpr std::size_t kWorthMoving = 256u << 10;
  const std::size_t end = bytes_.find('\n', scanned_);
  if (end == std::string::npos) {
    bytes_.erase(0, start_);
    start_ = 0;
    scanned_ = bytes_.size();
    return std::nullopt;
  }
  std::string line = bytes_.substr(start_, end - start_);
  start_ = scanned_ = end + 1;
  if (start_ == bytes_.size() || start_ > kWorthMoving) {
    bytes_.erase(0, start_);
    start_ = scanned_ = 0;
  }
  return line;
}

std::string LineBuffer::takeRest() {
  std::string rest = bytes_.substr(start_);
  bytes_.clear();
  start_ = scanned_ = 0;
  return rest;
}

}  // namespace vkb::net
