#include "net/body_decoder.h"

#include <algorithm>

#include "net/transport_errors.h"

namespace vkb::net {
namespace {

/// A chunk extension or all trailers together; nobody sends either to us.
constexpr std::size_t kMaxOverheadBytes = 64u << 10;
/// 2^60 bytes are enough for a chunk, and cannot overflow.
constexpr int kMaxSizeDigits = 15;

int hexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<std::size_t> BodyDecoder::feed(std::string_view in, std::string& out) {
  switch (framing_) {
    case Framing::kNone:
      return 0;
    case Framing::kUntilClose:
      out.append(in);
      return in.size();
    case Framing::kLength: {
      const auto used = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), left_));
      out.append(in, 0, used);
      left_ -= used;
      finished_ = left_ == 0;
      return used;
    }
    case Framing::kChunked:
      return feedChunked(in, out);
  }
  return 0;
}

Result<std::size_t> BodyDecoder::feedChunked(std::string_view in, std::string& out) {
  std::size_t at = 0;
  while (at < in.size() && !finished_) {
    if (stage_ != Stage::kData) {
      if (!takeFramingByte(in[at++])) {
        return failure(unanswered("the answer's body is not properly chunked"));
      }
      continue;
    }
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(in.size() - at, left_));
    out.append(in, at, take);
    at += take;
    left_ -= take;
    if (left_ == 0) stage_ = Stage::kDataEnd;
  }
  return at;
}

/// RFC 9112 §7.1, strict but for a bare LF in place of CRLF after a chunk's data. False: malformed.
bool BodyDecoder::takeFramingByte(char c) {
  switch (stage_) {
    case Stage::kSize:
      return takeSizeDigit(c);
    case Stage::kExtension:
      if (c == '\r') stage_ = Stage::kSizeEnd;
      return c != '\n' && ++overhead_ <= kMaxOverheadBytes;
    case Stage::kSizeEnd:
      digits_ = 0;
      overhead_ = 0;
      line_is_empty_ = true;
      stage_ = left_ == 0 ? Stage::kTrailer : Stage::kData;
      return c == '\n';
    case Stage::kDataEnd:
      if (c == '\n') stage_ = Stage::kSize;
      return c == '\n' || c == '\r';
    case Stage::kTrailer:
      return takeTrailerByte(c);
    case Stage::kData:
      break;
  }
  return false;
}

bool BodyDecoder::takeSizeDigit(char c) {
  if (const int value = hexValue(c); value >= 0) {
    left_ = left_ * 16 + static_cast<std::uint64_t>(value);
    return ++digits_ <= kMaxSizeDigits;
  }
  if (digits_ == 0) return false;
  if (c == '\r') {
    stage_ = Stage::kSizeEnd;
    return true;
  }
  stage_ = Stage::kExtension;
  return c == ';' || c == ' ' || c == '\t';
}

/// Trailers are read past; the empty line after them ends the body.
bool BodyDecoder::takeTrailerByte(char c) {
  if (c == '\n') {
    finished_ = line_is_empty_;
    line_is_empty_ = true;
  } else if (c != '\r') {
    line_is_empty_ = false;
  }
  return ++overhead_ <= kMaxOverheadBytes;
}

}  // namespace vkb::net
