// The body of a watch as the REST client reads it: chunks, lines, events, ERROR lines. First byte:
// bit 0 takes the text as chunked, the rest cuts it into pieces.
#include <nlohmann/json.hpp>
#include <vector>

#include "base/check.h"
#include "fuzz/input.h"
#include "json/json.h"
#include "json/object.h"
#include "kube/rest_client.h"
#include "net/body_decoder.h"
#include "net/line_buffer.h"

namespace {

using namespace vkb;

std::vector<std::string> linesOf(std::string_view text, bool chunked, unsigned seed) {
  net::ResponseHead head;
  head.framing = chunked ? net::Framing::kChunked : net::Framing::kUntilClose;
  net::BodyDecoder decoder(head);
  net::LineBuffer buffer;
  std::vector<std::string> lines;
  const auto take = [&](std::string_view piece) {
    const bool fine = decoder.feed(piece, buffer.bytes()).has_value();
    while (auto line = buffer.takeLine()) lines.push_back(std::move(*line));
    return fine && !decoder.finished();
  };
  if (seed == 0) {
    take(text);
  } else {
    fuzz::inPieces(text, seed, take);
  }
  VKB_CHECK(buffer.takeRest().find('\n') == std::string::npos, "a line was left behind");
  return lines;
}

void readEvent(const std::string& line) {
  const auto event = json::splitEvent(line);
  if (!event) return;
  VKB_CHECK(!event->type.empty() && event->object, "an event without type or object");
  const Json object = event->object->parse();
  VKB_CHECK(object.is_object(), "an event's object cannot be parsed");
  if (event->type != "ERROR") return;
  const auto code = json::integer(object, {"code"}).value_or(500);
  kube::statusFromAnswer(static_cast<int>(code), event->object->raw, std::nullopt);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input(data, size);
  const unsigned steer = input.byte();
  const bool chunked = (steer & 1) != 0;
  const auto whole = linesOf(input.rest(), chunked, 0);
  const auto pieces = linesOf(input.rest(), chunked, steer | 1);
  // Of a body that is malformed further on, lines before the fault may come or not.
  const std::size_t both = std::min(whole.size(), pieces.size());
  VKB_CHECK(std::equal(whole.begin(), whole.begin() + static_cast<long>(both), pieces.begin()),
            "lines depend on how they arrive");
  VKB_CHECK(chunked || whole.size() == pieces.size(), "a line depends on how it arrives");
  for (const std::string& line : pieces) {
    if (!line.empty()) readEvent(line);
  }
  return 0;
}
