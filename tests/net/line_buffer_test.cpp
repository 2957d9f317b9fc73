#include "net/line_buffer.h"

#include <gtest/gtest.h>

#include <vector>

namespace vkb::net {
namespace {

std::vector<std::string> linesOf(LineBuffer& buffer) {
  std::vector<std::string> lines;
  while (auto line = buffer.takeLine()) lines.push_back(std::move(*line));
  return lines;
}

TEST(LineBuffer, GivesTheSameLinesHoweverTheyArrive) {
  const std::string text = "a\n\nbc\r\nlast";
  const std::vector<std::string> wanted = {"a", "", "bc\r"};
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    LineBuffer buffer;
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      buffer.bytes() += text.substr(at, piece);
      for (auto& line : linesOf(buffer)) lines.push_back(std::move(line));
    }
    EXPECT_EQ(lines, wanted) << piece;
    EXPECT_EQ(buffer.size(), 4u);
    EXPECT_EQ(buffer.takeRest(), "last");
    EXPECT_EQ(buffer.size(), 0u);
  }
}

TEST(LineBuffer, KeepsManyLinesThatCameAtOnce) {
  LineBuffer buffer;
  std::size_t lines = 0;
  for (int i = 0; i < 50'000; ++i) buffer.bytes() += std::to_string(i) + "\n";
  buffer.bytes() += "rest";
  while (const auto line = buffer.takeLine()) EXPECT_EQ(*line, std::to_string(lines++));
  EXPECT_EQ(lines, 50'000u);
  EXPECT_EQ(buffer.takeRest(), "rest");
}

TEST(LineBuffer, GoesOnAfterTheRestWasTaken) {
  LineBuffer buffer;
  buffer.bytes() = "one\ntw";
  EXPECT_EQ(buffer.takeLine(), "one");
  EXPECT_EQ(buffer.takeRest(), "tw");
  buffer.bytes() += "o\n";
  EXPECT_EQ(buffer.takeLine(), "o");
  EXPECT_EQ(buffer.takeLine(), std::nullopt);
}

}  // namespace
}  // namespace vkb::net
