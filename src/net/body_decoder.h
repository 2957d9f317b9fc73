#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/http_head.h"
#include "vkbridge/status.h"

namespace vkb::net {

/// Cuts the body of one answer out of the bytes behind its head. Pure; fuzzed.
class BodyDecoder {
 public:
  BodyDecoder() = default;
  explicit BodyDecoder(const ResponseHead& head)
      : framing_(head.framing),
        left_(head.length),
        finished_(framing_ == Framing::kNone || (framing_ == Framing::kLength && left_ == 0)) {}

  /// Appends body bytes to `out`; returns how much of `in` was used: all of it, unless the body
  /// ended before. An error is a malformed chunk.
  Result<std::size_t> feed(std::string_view in, std::string& out);
  bool finished() const { return finished_; }
  /// The connection ended in order: true when that is how this body ends.
  bool endsWithConnection() {
    finished_ = finished_ || framing_ == Framing::kUntilClose;
    return finished_;
  }

 private:
  enum class Stage { kSize, kExtension, kSizeEnd, kData, kDataEnd, kTrailer };
  Result<std::size_t> feedChunked(std::string_view in, std::string& out);
  bool takeFramingByte(char c);
  bool takeSizeDigit(char c);
  bool takeTrailerByte(char c);

  Framing framing_ = Framing::kNone;
  std::uint64_t left_ = 0;  ///< of the body (kLength) or of the chunk (kChunked)
  bool finished_ = true;
  Stage stage_ = Stage::kSize;
  int digits_ = 0;             ///< of the chunk size so far
  std::size_t overhead_ = 0;   ///< bytes of the present extension or of the trailers
  bool line_is_empty_ = true;  ///< kTrailer
};

}  // namespace vkb::net
