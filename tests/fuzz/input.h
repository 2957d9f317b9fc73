#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vkb::fuzz {

/// One input, read from its front: a few bytes steer the target, the rest is the text under test.
/// Seeds are easy to write by hand this way; past the end every byte is 0.
class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  unsigned byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<unsigned char>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

/// Hands `text` to `take` in pieces of 1 to 64 bytes, whose sizes follow from `seed` alone, until
/// it returns false.
template <typename Take>
void inPieces(std::string_view text, unsigned seed, const Take& take) {
  unsigned state = seed * 2654435761u + 1;
  while (!text.empty()) {
    state = state * 1664525u + 1013904223u;
    const std::string_view piece = text.substr(0, 1 + (state >> 24) % 64);
    text.remove_prefix(piece.size());
    if (!take(piece)) return;
  }
}

}  // namespace vkb::fuzz
