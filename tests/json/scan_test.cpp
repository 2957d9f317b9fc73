#include "json/scan.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "vkbridge/json.h"

namespace vkb::json {
namespace {

/// Values whose strings hold what could be taken for the end of a string or of an object, at every
/// place within the blocks that the scanner works on.
std::vector<Json> awkwardValues() {
  std::vector<Json> values;
  for (std::size_t length = 0; length < 140; ++length) {
    const std::string filler(length, 'x');
    for (const char* text :
         {"", "\"", "\\", "\\\"", "\\\\", "\\\\\"", "}", "]", "{[", "\n}", "\"}]"}) {
      const std::string marked = filler + text;
      values.push_back(Json{{marked, filler.size()}});
      values.push_back(
          Json{{"a", {text, filler, text}}, {"b", Json::array()}, {"c", {{"d", text}}}});
      values.push_back(Json::array({marked + filler, {{text, Json::object()}}, {{1, 2}, {}}}));
      values.push_back(marked);
    }
    values.push_back(std::string(length, '\\'));
    values.push_back(Json{{std::string(length, '"'), std::string(length, '\\')}});
  }
  return values;
}

TEST(Scan, AValueEndsWhereItWasWrittenToEnd) {
  for (const Json& value : awkwardValues()) {
    for (const int indent : {-1, 2}) {
      const std::string text = value.dump(indent);
      const std::string_view before = "[1, ";
      for (const char* behind : {"", ",\"}\"", "}]", " ]"}) {
        ASSERT_EQ(skipValue(std::string(before) + text + behind, before.size()),
                  before.size() + text.size())
            << text << behind;
      }
    }
  }
}

TEST(Scan, AValueThatIsCutOffEndsWithTheText) {
  const std::string text =
      R"({"a":[{"b":"\\\"}"},[1,{}]],"c":{"d":"]"},"e":")" + std::string(100, '{') + R"(\\"})";
  for (std::size_t length = 1; length < text.size(); ++length) {
    ASSERT_EQ(skipValue(std::string_view(text).substr(0, length), 0), length);
  }
  EXPECT_EQ(skipValue(text + text, 0), text.size());
}

TEST(Scan, MembersAreFoundBehindAwkwardValues) {
  for (const Json& value : awkwardValues()) {
    const Json object{{"a", value}, {"b", "found"}};
    const std::string text = object.dump();
    const std::size_t found = findValue(text, 0, "b");
    ASSERT_LT(found, text.size()) << text;
    EXPECT_EQ(text.substr(found), R"("found"})");
  }
}

}  // namespace
}  // namespace vkb::json
