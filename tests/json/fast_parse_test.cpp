#include "json/fast_parse.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace vkb::json {
namespace {

TEST(FastParse, GivesWhatTheOtherParserGives) {
  for (const char* text :
       {R"({})", R"({"a":[],"b":{},"c":null,"d":true,"e":false})",
        R"({"n":[0,-1,1,9223372036854775807,-9223372036854775808,18446744073709551615]})",
        R"({"s":"a\n\u00e9\ud83d\ude00\\\"","k\u0041":["x",["y",[{"z":1}]]]})",
        R"({"a":1,"a":2,"b":{"c":[{"d":1},{"d":1}]}})"}) {
    const auto fast = fastParse(text);
    ASSERT_TRUE(fast) << text;
    const Json slow = Json::parse(text);
    EXPECT_EQ(*fast, slow) << text;
    EXPECT_EQ(fast->dump(), slow.dump()) << text;
  }
}

TEST(FastParse, NumbersHaveTheTypesOfTheOtherParser) {
  const auto fast = fastParse(R"({"zero":0,"plus":5,"minus":-5})");
  ASSERT_TRUE(fast);
  EXPECT_TRUE((*fast)["zero"].is_number_unsigned());
  EXPECT_TRUE((*fast)["plus"].is_number_unsigned());
  EXPECT_EQ((*fast)["minus"].type(), Json::value_t::number_integer);
}

TEST(FastParse, LeavesWhatItCannotTellAboutToTheOtherParser) {
  EXPECT_FALSE(fastParse(R"({"a":1.5})"));
  EXPECT_FALSE(fastParse(R"({"a":1e3})"));
  EXPECT_FALSE(fastParse(R"({"a":)"));
  EXPECT_FALSE(fastParse(""));
  EXPECT_FALSE(fastParse("\"text\""));
  EXPECT_FALSE(fastParse("{\"a\":\"\xff\"}"));
}

}  // namespace
}  // namespace vkb::json
