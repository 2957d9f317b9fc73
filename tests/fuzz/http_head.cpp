// Heads of HTTP answers and the bodies behind them. First byte: bit 0 answers HEAD, the rest cuts
// the body into pieces.
#include "net/http_head.h"
#include "base/check.h"
#include "fuzz/input.h"
#include "net/body_decoder.h"

namespace {

using namespace vkb;

struct Decoded {
  std::string body;
  std::size_t used = 0;
  bool failed = false, finished = false, finished_by_end = false;
};

Decoded decode(const net::ResponseHead& head, std::string_view text, unsigned seed) {
  Decoded result;
  net::BodyDecoder decoder(head);
  const auto take = [&](std::string_view piece) {
    const auto used = decoder.feed(piece, result.body);
    result.failed = !used;
    if (used) {
      VKB_CHECK(*used <= piece.size(), "more was used than there is");
      VKB_CHECK(*used == piece.size() || decoder.finished(), "a body in progress left bytes");
      result.used += *used;
    }
    return !result.failed && !decoder.finished();
  };
  if (seed == 0) {
    take(text);
  } else {
    fuzz::inPieces(text, seed, take);
  }
  result.finished = decoder.finished();
  if (!result.failed) result.finished_by_end = decoder.endsWithConnection();
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const unsigned steer = input.byte();
  const std::string_view text = input.rest();
  const bool for_head = (steer & 1) != 0;
  const auto parsed = net::parseResponseHead(text, for_head);
  if (!parsed || !*parsed) return 0;
  const net::ResponseHead& head = **parsed;
  VKB_CHECK(head.size <= text.size(), "the head is longer than the input");
  VKB_CHECK(head.response.code >= 100 && head.response.code <= 999, "no HTTP code");

  const auto alone = net::parseResponseHead(text.substr(0, head.size), for_head);
  VKB_CHECK(alone && *alone && (*alone)->response.headers == head.response.headers,
            "what follows changes the head");
  const auto shorter = net::parseResponseHead(text.substr(0, head.size - 1), for_head);
  VKB_CHECK(!shorter || !*shorter, "a head without its last byte is whole");

  const std::string_view body = text.substr(head.size);
  const Decoded whole = decode(head, body, 0), pieces = decode(head, body, steer | 1);
  VKB_CHECK(whole.failed == pieces.failed && whole.finished == pieces.finished &&
                whole.finished_by_end == pieces.finished_by_end && whole.body == pieces.body,
            "a body depends on how it arrives");
  VKB_CHECK(whole.failed || whole.used == pieces.used, "a body's end depends on how it arrives");
  return 0;
}
