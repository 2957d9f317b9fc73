#include "json/quantity.h"

#include <gtest/gtest.h>

namespace vkb::json {
namespace {

struct Case {
  const char* text;
  const char* canonical;
};

class CanonicalForm : public testing::TestWithParam<Case> {};

TEST_P(CanonicalForm, IsWhatApimachineryPrints) {
  const auto quantity = Quantity::parse(GetParam().text);
  ASSERT_TRUE(quantity) << GetParam().text;
  EXPECT_EQ(quantity->toString(), GetParam().canonical) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Quantities, CanonicalForm,
    testing::Values(
        // Zero in any dress is "0".
        Case{"0", "0"}, Case{"0n", "0"}, Case{"0Ki", "0"}, Case{"0.0", "0"}, Case{"-0", "0"},
        Case{"0e12", "0"},
        // Decimal family: the largest suffix that keeps a whole number.
        Case{"1", "1"}, Case{"+1", "1"}, Case{"1000m", "1"}, Case{"1500m", "1500m"},
        Case{"1.5", "1500m"}, Case{"0.1", "100m"}, Case{".5", "500m"}, Case{"1.", "1"},
        Case{"100000u", "100m"}, Case{"5n", "5n"}, Case{"1000n", "1u"}, Case{"1000", "1k"},
        Case{"1000k", "1M"}, Case{"1000M", "1G"}, Case{"1000G", "1T"}, Case{"1000T", "1P"},
        Case{"1000P", "1E"}, Case{"1E", "1E"}, Case{"-1500m", "-1500m"}, Case{"-3", "-3"},
        Case{"123456789", "123456789"}, Case{"007", "7"},
        // Below 1n rounds away from zero.
        Case{"0.5n", "1n"}, Case{"1.0000000001", "1000000001n"}, Case{"-0.1n", "-1n"},
        Case{"1e-20", "1e-9"}, Case{"0.00000000000000000000000001Ki", "1n"},
        // Exponents print as exponents, in steps of three.
        Case{"1e3", "1e3"}, Case{"1E3", "1e3"}, Case{"1e+3", "1e3"}, Case{"12e2", "1200"},
        Case{"1e-3", "1e-3"}, Case{"5e0", "5"}, Case{"1E6", "1e6"}, Case{"1.5e3", "1500"},
        // Binary family; small or fractional amounts fall back to decimal.
        Case{"1Ki", "1Ki"}, Case{"1024Ki", "1Mi"}, Case{"64Mi", "64Mi"}, Case{"1536Mi", "1536Mi"},
        Case{"12Gi", "12Gi"}, Case{"1.5Gi", "1536Mi"}, Case{"0.5Ki", "512"}, Case{"1Ti", "1Ti"},
        Case{"1Pi", "1Pi"}, Case{"1Ei", "1Ei"}, Case{"-2Mi", "-2Mi"},
        Case{"1.0001Ki", "1024102400u"},
        // The cap: 2^63-1.
        Case{"9223372036854775807", "9223372036854775807"},
        Case{"9223372036854775808", "9223372036854775807"},
        Case{"1e999999999999", "9223372036854775807"}, Case{"100E", "9223372036854775807"},
        Case{"100Ei", "9223372036854775807"}));

TEST(Quantity, TextThatIsNoQuantityIsRefused) {
  for (const char* text : {"",     " ",   "1 ", " 1",    "-",    "+",     ".",    "m",   "1K",
                           "1ki",  "1mi", "1e", "1E+",   "1ee3", "1.2.3", "0x10", "1,5", "--1",
                           "1e3m", "1Zi", "e3", "1e-+3", "Inf",  "NaN",   "\xff"}) {
    EXPECT_FALSE(Quantity::parse(text)) << '"' << text << '"';
  }
  EXPECT_FALSE(Quantity::parse(std::string(10'000, '1')));
  EXPECT_FALSE(Quantity::parse(std::string_view("1\0", 2)));
}

TEST(Quantity, AddingTakesTheFamilyOfTheFirstAmountThatIsNotZero) {
  Quantity sum;
  sum += *Quantity::parse("512Mi");
  sum += *Quantity::parse("512Mi");
  EXPECT_EQ(sum.toString(), "1Gi");
  sum -= *Quantity::parse("2Gi");
  EXPECT_EQ(sum.toString(), "-1Gi");
  EXPECT_TRUE(sum.isNegative());
  sum += *Quantity::parse("1073741824");
  EXPECT_TRUE(sum.isZero());
}

TEST(Quantity, SumsOfManyMillicoresStayExact) {
  Quantity sum;
  for (int i = 0; i < 1000; ++i) sum += *Quantity::parse("1m");
  EXPECT_EQ(sum, Quantity::fromUnits(1));
  EXPECT_EQ(sum.toString(), "1");
}

TEST(Quantity, AddingSaturatesInsteadOfWrapping) {
  Quantity up = *Quantity::parse("9223372036854775807"), down;
  for (int i = 0; i < 64; ++i) {
    const Quantity before = up;
    up += before;
    EXPECT_GE(up, before);
    down -= up;
    EXPECT_TRUE(down.isNegative());
  }
  EXPECT_FALSE(up.toString().empty());
  EXPECT_LE(down.floorUnits(), down);
}

TEST(Quantity, FloorIsTheWholeNumberBelow) {
  EXPECT_EQ(Quantity::parse("1999m")->floorUnits().toString(), "1");
  EXPECT_EQ(Quantity::parse("-1500m")->floorUnits().toString(), "-2");
  EXPECT_EQ(Quantity::parse("3")->floorUnits().toString(), "3");
  EXPECT_EQ(Quantity::parse("-3")->floorUnits().toString(), "-3");
}

TEST(Quantity, ComparesByAmountAcrossFamilies) {
  EXPECT_EQ(*Quantity::parse("1Ki"), *Quantity::parse("1024"));
  EXPECT_LT(*Quantity::parse("1M"), *Quantity::parse("1Mi"));
  EXPECT_EQ(Quantity::fromUnits(2048, Quantity::Format::kBinarySI).toString(), "2Ki");
}

}  // namespace
}  // namespace vkb::json
