#include "net/body_decoder.h"

#include <gtest/gtest.h>

#include "support/fake_runtime.h"

namespace vkb::net {
namespace {

BodyDecoder chunked() {
  ResponseHead head;
  head.framing = Framing::kChunked;
  return BodyDecoder(head);
}

/// Feeds all of `bytes` in pieces of `step`; the body, or "error".
std::string decoded(BodyDecoder& decoder, std::string_view bytes, std::size_t step) {
  std::string out;
  while (!bytes.empty() && !decoder.finished()) {
    const auto used = decoder.feed(bytes.substr(0, step), out);
    if (!used) return "error";
    bytes.remove_prefix(*used);
  }
  return out;
}

TEST(BodyDecoder, PutsChunksTogetherHoweverTheyArrive) {
  const std::string bytes =
      "5\r\nhello\r\n1;ext=\"v\"\r\n \r\n00A\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\nNEXT";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    BodyDecoder decoder = chunked();
    EXPECT_EQ(decoded(decoder, bytes, step), "hello 0123456789") << step;
    EXPECT_TRUE(decoder.finished()) << step;
  }
}

TEST(BodyDecoder, LeavesWhatFollowsTheBody) {
  BodyDecoder decoder = chunked();
  std::string out;
  EXPECT_EQ(*decoder.feed("1\r\nx\r\n0\r\n\r\nHTTP/1.1", out), 11u);
  EXPECT_TRUE(decoder.finished());
}

TEST(BodyDecoder, IsNotFinishedByTheConnectionInTheMiddleOfChunks) {
  for (const char* part : {"", "5", "5\r\nhel", "5\r\nhello\r\n", "5\r\nhello\r\n0\r\n"}) {
    BodyDecoder decoder = chunked();
    std::string out;
    ASSERT_TRUE(decoder.feed(part, out).has_value());
    EXPECT_FALSE(decoder.endsWithConnection()) << part;
  }
}

TEST(BodyDecoder, RefusesMalformedChunks) {
  for (const char* bytes : {"x\r\n", "\r\n", "5\nhello", "-1\r\n", "1\r\nab", "1\r\na\rb",
                            "fffffffffffffffff\r\n", "5\r5"}) {
    BodyDecoder decoder = chunked();
    std::string out;
    const auto used = decoder.feed(bytes, out);
    EXPECT_FALSE(used.has_value()) << bytes;
  }
}

TEST(BodyDecoder, RefusesEndlessExtensionsAndTrailers) {
  BodyDecoder extension = chunked();
  std::string out;
  EXPECT_FALSE(extension.feed("1;" + std::string(100'000, 'e'), out).has_value());
  BodyDecoder trailer = chunked();
  EXPECT_FALSE(trailer.feed("0\r\nT: " + std::string(100'000, 't'), out).has_value());
}

TEST(BodyDecoder, CountsAKnownLength) {
  ResponseHead head;
  head.framing = Framing::kLength;
  head.length = 4;
  BodyDecoder decoder(head);
  std::string out;
  EXPECT_EQ(*decoder.feed("abc", out), 3u);
  EXPECT_FALSE(decoder.endsWithConnection());
  EXPECT_EQ(*decoder.feed("defg", out), 1u);
  EXPECT_EQ(out, "abcd");
  EXPECT_TRUE(decoder.finished());
}

TEST(BodyDecoder, SurvivesRandomBytes) {
  test::FakeRandom random(7);
  constexpr std::string_view kAlphabet = "0123456789abcdef\r\n; x";
  for (int round = 0; round < 5000; ++round) {
    BodyDecoder decoder = chunked();
    std::string bytes;
    for (std::uint64_t i = random.below(60); i > 0; --i) {
      bytes += kAlphabet[random.below(kAlphabet.size())];
    }
    const std::string whole = decoded(decoder, bytes, bytes.size() + 1);
    BodyDecoder again = chunked();
    EXPECT_EQ(decoded(again, bytes, 1 + random.below(5)), whole) << bytes;
  }
}

}  // namespace
}  // namespace vkb::net
