#include "kube/yaml.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace vkb::kube {
namespace {

using ::testing::HasSubstr;

struct ScalarCase {
  const char *yaml, *json;
};

class Scalar : public ::testing::TestWithParam<ScalarCase> {};

TEST_P(Scalar, HasTheTypeThatKubectlReads) {
  const auto read = parseYaml(std::string("a: ") + GetParam().yaml);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ((*read)["a"].dump(), GetParam().json) << GetParam().yaml;
}

INSTANTIATE_TEST_SUITE_P(
    Plain, Scalar,
    ::testing::Values(
        ScalarCase{"text", R"("text")"}, ScalarCase{"", "null"}, ScalarCase{"~", "null"},
        ScalarCase{"null", "null"}, ScalarCase{"true", "true"}, ScalarCase{"Yes", "true"},
        ScalarCase{"off", "false"}, ScalarCase{"y", R"("y")"}, ScalarCase{"8080", "8080"},
        ScalarCase{"-7", "-7"}, ScalarCase{"+7", "7"}, ScalarCase{"0x1F", "31"},
        ScalarCase{"0644", "420"}, ScalarCase{"0o17", "15"}, ScalarCase{"0b101", "5"},
        ScalarCase{"08", "8.0"}, ScalarCase{"0", "0"}, ScalarCase{"1.5", "1.5"},
        ScalarCase{"1e3", "1000.0"}, ScalarCase{"100m", R"("100m")"},
        ScalarCase{"1.2.3", R"("1.2.3")"}, ScalarCase{"10.0.0.1", R"("10.0.0.1")"},
        ScalarCase{".5", "0.5"}, ScalarCase{".", R"(".")"}, ScalarCase{"+-5", R"("+-5")"},
        ScalarCase{"2026-11-22T08:29:24Z", R"("2026-11-22T08:29:24Z")"}, ScalarCase{"e", R"("e")"},
        ScalarCase{"--5", R"("--5")"}, ScalarCase{"0x", R"("0x")"}));

INSTANTIATE_TEST_SUITE_P(Quoted, Scalar,
                         ::testing::Values(ScalarCase{"'8080'", R"("8080")"},
                                           ScalarCase{R"("true")", R"("true")"},
                                           ScalarCase{"!!str 5", R"("5")"},
                                           ScalarCase{"|\n  5", R"("5")"},
                                           ScalarCase{"''", R"("")"}));

TEST(Yaml, JsonIsYamlToo) {
  EXPECT_EQ(*parseYaml(R"({"kind": "Pod", "n": [1, true, null, "2"]})"),
            R"({"kind": "Pod", "n": [1, true, null, "2"]})"_json);
}

TEST(Yaml, AnchorsAreFollowed) {
  EXPECT_EQ(*parseYaml("a: &x {k: 1}\nb: *x\n"), R"({"a": {"k": 1}, "b": {"k": 1}})"_json);
}

TEST(Yaml, EmptyDocumentsAroundTheOneDoNotCount) {
  EXPECT_EQ(*parseYaml("---\na: 1\n---\n"), R"({"a": 1})"_json);
  EXPECT_TRUE(parseYaml("")->is_null());
}

struct BadCase {
  const char *text, *says;
};

class BadYaml : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadYaml, SaysWhatIsWrong) {
  const auto read = parseYaml(GetParam().text);
  ASSERT_FALSE(read) << GetParam().text;
  EXPECT_THAT(read.error().message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(Texts, BadYaml,
                         ::testing::Values(BadCase{"a: [1", "line 1"},
                                           BadCase{"a: 1\n\tb: 2", "line 2"},
                                           BadCase{"a: 1\n---\nb: 2\n", "2 documents"},
                                           BadCase{"a: &x {k: 1}\nb: {<<: *x}\n", "merge keys"}));

TEST(Yaml, WhatExpandsWithoutEndIsRefused) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
    for (int j = 0; j < 9; ++j) bomb += ", " + before;
    bomb += "]\n";
  }
  EXPECT_THAT(parseYaml(bomb).error().message, HasSubstr("too much"));
}

}  // namespace
}  // namespace vkb::kube
