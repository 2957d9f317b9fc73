#include "json/merge_patch.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace vkb::json {
namespace {

struct Case {
  const char *target, *patch, *result;
};

class Rfc7386 : public testing::TestWithParam<Case> {};

TEST_P(Rfc7386, AppendixExamplesHold) {
  Json target = Json::parse(GetParam().target);
  applyMergePatch(target, Json::parse(GetParam().patch));
  EXPECT_EQ(target, Json::parse(GetParam().result));
}

INSTANTIATE_TEST_SUITE_P(
    Appendix, Rfc7386,
    testing::Values(Case{R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
                    Case{R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
                    Case{R"({"a":"b"})", R"({"a":null})", R"({})"},
                    Case{R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
                    Case{R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
                    Case{R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
                    Case{R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
                    Case{R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
                    Case{R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
                    Case{R"({"a":"b"})", R"(["c"])", R"(["c"])"},
                    Case{R"({"a":"foo"})", R"(null)", R"(null)"},
                    Case{R"({"a":"foo"})", R"("bar")", R"("bar")"},
                    Case{R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
                    Case{R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
                    Case{R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"}));

TEST(DiffMergePatch, IsTheSmallestPatchThatGetsThere) {
  const Json from = R"({"a":{"x":1,"y":2,"z":{"k":[1]}},"b":"c","same":{"q":1},"gone":null})"_json;
  const Json to = R"({"a":{"x":1,"y":3,"z":{"k":[2]}},"new":{"n":1},"same":{"q":1}})"_json;
  const Json patch = diffMergePatch(from, to);
  EXPECT_EQ(patch, R"({"a":{"y":3,"z":{"k":[2]}},"b":null,"gone":null,"new":{"n":1}})"_json);
  Json applied = from;
  applyMergePatch(applied, patch);
  EXPECT_EQ(applied, to);
}

TEST(DiffMergePatch, OfEqualObjectsIsEmpty) {
  const Json value = R"({"a":{"b":[1,{"c":2}]}})"_json;
  EXPECT_TRUE(diffMergePatch(value, value).empty());
  EXPECT_TRUE(diffMergePatch(value, value).is_object());
}

TEST(DiffMergePatch, ANullWhereAValueWasCountsAsRemoved) {
  EXPECT_EQ(diffMergePatch(R"({"a":1})"_json, R"({"a":null})"_json), R"({"a":null})"_json);
}

}  // namespace
}  // namespace vkb::json
