#include "json/object_parts.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace vkb::json {
namespace {

ObjectPtr object(const char* text) { return *makeObject(text); }

TEST(ObjectParts, AMemberIsReadAsTheWholeWouldBe) {
  const auto pod =
      object(R"({"metadata":{"name":"a","labels":{"b":"c"}},"spec":{"n":1.5},"x":[2]})");
  for (const char* member : {"metadata", "spec", "x"}) {
    EXPECT_EQ(parsePart(*pod, member), pod->parse()[member]) << member;
  }
  EXPECT_TRUE(parsePart(*pod, "status").is_null());
}

TEST(ObjectParts, AValueInsideIsReadAsTheWholeWouldBe) {
  const auto pod =
      object(R"({"metadata":{"name":"a"},"spec":{"t":[{"k":"v"}],"n":1},"t":"other"})");
  EXPECT_EQ(parseAt(*pod, {"spec", "t"}), Json::parse(R"([{"k":"v"}])"));
  EXPECT_EQ(parseAt(*pod, {"spec", "n"}), 1);
  EXPECT_TRUE(parseAt(*pod, {"spec", "missing"}).is_null());
  EXPECT_TRUE(parseAt(*pod, {"spec", "n", "deeper"}).is_null());
}

TEST(ObjectParts, WhatIsNotWantedIsLeftOutOfItsMemberAlone) {
  const Without without{.member = "spec", .names = {"env", "volumes"}};
  for (const char* number : {"1", "1.5"}) {  // the second is for the slower parser
    const auto object = makeObject(
        std::string(R"({"metadata":{"labels":{"env":"test"}},"env":"kept","spec":{"volumes":[1],)"
                    R"("containers":[{"env":[{"name":"A"}],"name":"c","z":{"env":2,"y":)") +
        number + R"(}}],"a":[]}})");
    ASSERT_TRUE(object);
    Json expected = (*object)->parse();
    expected["spec"].erase("volumes");
    expected["spec"]["containers"][0].erase("env");
    expected["spec"]["containers"][0]["z"].erase("env");
    EXPECT_EQ(parseWithout(**object, without), expected);
    EXPECT_EQ(parseWithout(**object, {}), (*object)->parse());
  }
}

TEST(ObjectParts, ADoubledKeysLastValueCountsWithoutPartsToo) {
  const auto object = makeObject(R"({"spec":{"b":1,"a":2,"b":{"c":3}},"spec":{"b":4,"b":5}})");
  ASSERT_TRUE(object);
  EXPECT_EQ(parseWithout(**object, {.member = "spec", .names = {"a"}}),
            (Json{{"spec", {{"b", 5}}}}));
}

TEST(ObjectParts, AStringIsFoundByItsPath) {
  const auto pod = object(R"({"metadata":{"name":"a"},"spec":{"name":"b","x":{"name":"c\n\"d"}}})");
  EXPECT_EQ(str(*pod, {"spec", "name"}), "b");
  EXPECT_EQ(str(*pod, {"spec", "x", "name"}), "c\n\"d");
}

TEST(ObjectParts, WhatIsNoStringOrNotThereIsEmpty) {
  const auto pod = object(R"({"metadata":{"name":"a"},"spec":{"n":1,"z":null,"e":"","l":["v"]}})");
  for (const char* key : {"n", "z", "e", "l", "missing"}) {
    EXPECT_EQ(str(*pod, {"spec", key}), "") << key;
  }
  EXPECT_EQ(str(*pod, {"spec", "n", "deeper"}), "");
  EXPECT_EQ(str(*pod, {"status", "phase"}), "");
}

TEST(ObjectParts, AnIntegerIsFoundByItsPath) {
  const auto pod = object(R"({"metadata":{"name":"a","g":0,"h":-30},"n":1.5,"s":"7"})");
  EXPECT_EQ(integer(*pod, {"metadata", "g"}), 0);
  EXPECT_EQ(integer(*pod, {"metadata", "h"}), -30);
  for (const char* none : {"n", "s", "metadata", "missing"}) EXPECT_FALSE(integer(*pod, {none}));
}

}  // namespace
}  // namespace vkb::json
