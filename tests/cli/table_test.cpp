#include "cli/table.h"

#include <gtest/gtest.h>

namespace vkb::cli {
namespace {

TEST(DisplayWidth, CountsTerminalColumnsAndNotBytes) {
  EXPECT_EQ(displayWidth(""), 0U);
  EXPECT_EQ(displayWidth("abc"), 3U);
  EXPECT_EQ(displayWidth("größe"), 5U);
  EXPECT_EQ(displayWidth("gro\u0308ße"), 5U) << "a combining mark takes none";
  EXPECT_EQ(displayWidth("集群"), 4U);
  EXPECT_EQ(displayWidth("🚀"), 2U);
}

TEST(DisplayWidth, CountsBytesThatAreNotUtf8One) {
  EXPECT_EQ(displayWidth("\xff\x80"), 2U);
  EXPECT_EQ(displayWidth("a\xe4"), 2U) << "cut in the middle of a character";
  EXPECT_EQ(displayWidth("\xc3("), 2U);
}

TEST(OneLine, MakesMessagesOfOtherProgramsSafeToPrint) {
  EXPECT_EQ(oneLine("a\nb\r\n\tc"), "a b c");
  EXPECT_EQ(oneLine("  a   b  "), "a b");
  EXPECT_EQ(oneLine("\x1b[31mred"), "[31mred");
  EXPECT_EQ(oneLine("a\u009bb"), "a b") << "the one-character form of the same escape";
  EXPECT_EQ(oneLine("größe"), "größe");
}

TEST(Ellipsize, CutsBetweenCharacters) {
  EXPECT_EQ(ellipsize("abcdef", 6), "abcdef");
  EXPECT_EQ(ellipsize("abcdefg", 6), "abcde…");
  EXPECT_EQ(ellipsize("äöüäöü", 4), "äöü…");
  EXPECT_EQ(ellipsize("集群集群", 6), "集群…") << "no half of a wide character";
}

TEST(Table, AlignsColumnsThreeSpacesApart) {
  Table table({"NAME", "STATE", "MESSAGE"});
  table.add({"a", "Ready", ""});
  table.add({"long-name", "Unreachable", "no route"});
  EXPECT_EQ(table.text(),
            "NAME        STATE         MESSAGE\n"
            "a           Ready         -\n"
            "long-name   Unreachable   no route\n");
}

TEST(Table, AlignsByWidthAndKeepsEveryRowOneLine) {
  Table table({"A", "B"});
  table.add({"集群", "x"});
  table.add({"größe", "two\nlines"});
  EXPECT_EQ(table.text(),
            "A       B\n"
            "集群    x\n"
            "größe   two lines\n");
}

}  // namespace
}  // namespace vkb::cli
