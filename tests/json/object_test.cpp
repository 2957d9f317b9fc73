#include "json/object.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <vector>

namespace vkb::json {
namespace {

const std::string kManagedFields =
    R"([{"manager":"kubelet","fieldsV1":{"f:status":{"k:{\"type\":\"Ready\"}":{}}}},{"x":"]}"}])";

std::string pod(const std::string& name, const std::string& extra = "") {
  return R"({"metadata":{"name":")" + name + R"(","namespace":"shop","uid":"u-)" + name +
         R"(","resourceVersion":"42")" + extra +
         R"(},"spec":{"text":"a \"quoted\" } ] , [ { \\","n":[1,[2,{}]]},"status":{}})";
}

TEST(SplitList, GivesEachItemsBytesAndIndex) {
  const std::string body = R"({"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":)"
                           R"("901","continue":"tok"},"items":[)" +
                           pod("a") + "," + pod("b", R"(,"managedFields":)" + kManagedFields) +
                           "]}\n";
  const auto list = splitList(body);
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->resource_version, "901");
  EXPECT_EQ(list->continue_token, "tok");
  ASSERT_EQ(list->items.size(), 2U);
  EXPECT_EQ(list->items[0]->key(), "shop/a");
  EXPECT_EQ(list->items[0]->raw, pod("a"));
  EXPECT_EQ(list->items[1]->uid, "u-b");
  EXPECT_EQ(list->items[1]->resource_version, "42");
  EXPECT_EQ(list->items[1]->raw, pod("b"));
  EXPECT_EQ(list->items[1]->parse(), Json::parse(pod("b")));
}

TEST(SplitList, MetadataMayComeAfterTheItemsAndSpaceAnywhere) {
  const auto list = splitList(
      " { \"items\" : [ { \"metadata\" : { \"name\" : \"a\" } } ,\n{}\t] , \"metadata\" :"
      " { \"resourceVersion\" : \"7\" } } ");
  ASSERT_TRUE(list) << list.error().message;
  EXPECT_EQ(list->resource_version, "7");
  ASSERT_EQ(list->items.size(), 2U);
  EXPECT_EQ(list->items[0]->name, "a");
  EXPECT_EQ(list->items[1]->name, "");
  EXPECT_EQ(list->items[1]->raw, "{}");
}

TEST(SplitList, EmptyListsInEveryDress) {
  for (const char* body : {R"({"metadata":{"resourceVersion":"1"},"items":[]})",
                           R"({"metadata":{"resourceVersion":"1"},"items":null})",
                           R"({"metadata":{"resourceVersion":"1"},"items":[ ]})"}) {
    const auto list = splitList(body);
    ASSERT_TRUE(list) << body;
    EXPECT_TRUE(list->items.empty());
    EXPECT_EQ(list->resource_version, "1");
  }
}

TEST(SplitList, WhatIsNoListIsAnError) {
  for (const char* body :
       {"", "null", "[]", "{}", R"({"items":{}})", R"({"items":[1]})", R"({"items":[null]})",
        R"({"items":[{}])", R"({"items":[{},]})", R"({"items":[{} {}]})", R"({"items":[{"a":01}]})",
        R"({"items":[{"a":tru}]})", "{\"items\":[{\"a\":\"\xff\"}]}", R"({"ite\u006ds":[{}]})",
        R"({"items":[{}]}x)"}) {
    const auto list = splitList(body);
    EXPECT_FALSE(list) << body;
    if (!list) {
      EXPECT_EQ(list.error().retry, Retry::kFast);
    }
  }
}

TEST(SplitList, DamageAroundTheItemsIsFoundThoughEachItemIsWhole) {
  const std::string good =
      R"({"metadata":{"resourceVersion":"1"},"items":[{"a":1},{"b":2}],"z":[0]})";
  ASSERT_TRUE(splitList(good));
  for (std::size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_FALSE(splitList(good.substr(0, cut))) << cut;
    EXPECT_FALSE(splitList(good.substr(0, cut) + "\x01" + good.substr(cut))) << cut;
  }
  EXPECT_FALSE(splitList(good + good));
  // A key inside a string, or of something below, is not the list's own.
  EXPECT_FALSE(splitList(R"({"a":"\"items\":[{}]"})"));
  EXPECT_FALSE(splitList(R"({"a":{"items":[{}]}})"));
}

TEST(SplitList, TheLastItemMayEndWithTheBuffer) {
  // simdjson reads past what it parses; under AddressSanitizer this fails where it reads too far.
  for (std::size_t padding = 0; padding < 200; ++padding) {
    const std::string body = R"({"items":[{"n":")" + std::string(padding, 'x') + "\"}]}";
    const std::vector<char> exact(body.begin(), body.end());
    const auto list = splitList(std::string_view(exact.data(), exact.size()));
    ASSERT_TRUE(list);
    EXPECT_EQ(list->items[0]->raw.size(), padding + 8);
  }
}

TEST(SplitList, AnItemLargerThanWhatIsKeptOfParsersIsSplitToo) {
  const std::string big =
      std::string(R"({"metadata":{"name":"big"},"x":")") + std::string(600'000, 'y') + "\"}";
  const auto list = splitList("{\"items\":[" + pod("a") + "," + big + "," + pod("b") + "]}");
  ASSERT_TRUE(list);
  ASSERT_EQ(list->items.size(), 3u);
  EXPECT_EQ(list->items[1]->raw, big);
  EXPECT_EQ(list->items[2]->name, "b");
}

TEST(ManagedFields, AreCutWhereverTheyStand) {
  const std::string cut = R"("managedFields":)" + kManagedFields;
  struct Case {
    std::string with, without;
  };
  for (const Case& c : {
           Case{R"({"metadata":{"name":"a",)" + cut + R"(,"uid":"u"},"spec":{}})",
                R"({"metadata":{"name":"a","uid":"u"},"spec":{}})"},
           Case{R"({"metadata":{)" + cut + R"(,"name":"a","uid":"u"}})",
                R"({"metadata":{"name":"a","uid":"u"}})"},
           Case{R"({"metadata":{"name":"a","uid":"u",)" + cut + R"(}})",
                R"({"metadata":{"name":"a","uid":"u"}})"},
           Case{R"({"metadata":{)" + cut + R"(}})", R"({"metadata":{}})"},
           // Elsewhere the name means nothing.
           Case{R"({"spec":{)" + cut + R"(},"metadata":{}})",
                R"({"spec":{)" + cut + R"(},"metadata":{}})"},
       }) {
    const auto object = makeObject(c.with);
    ASSERT_TRUE(object) << c.with;
    EXPECT_EQ((*object)->raw, c.without);
    EXPECT_EQ((*object)->parse(), Json::parse(c.without));
  }
}

TEST(SplitEvent, CarriesTypeAndObject) {
  const auto event = splitEvent(R"({"type":"MODIFIED","object":)" + pod("a") + "}\n");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->type, "MODIFIED");
  EXPECT_EQ(event->object->key(), "shop/a");
  EXPECT_EQ(event->object->raw, pod("a"));
}

TEST(SplitEvent, TheObjectEndsWhereItEndsWhateverStandsAround) {
  const std::string type = R"("type":"ADDED")", object = R"("object":)" + pod("a");
  for (const std::string& line :
       {"{" + type + "," + object + "}", "{" + object + "," + type + "}",
        " { " + type + " , " + object + " } \r\n", "{" + type + "," + object + R"(,"more":{}})",
        R"({"less":{"}":"}"},)" + object + "," + type + "}"}) {
    const auto event = splitEvent(line);
    ASSERT_TRUE(event) << line << ": " << event.error().message;
    EXPECT_EQ(event->object->raw, pod("a")) << line;
  }
}

TEST(SplitEvent, ABookmarkHasOnlyAResourceVersion) {
  const auto event = splitEvent(
      R"({"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{)"
      R"("resourceVersion":"335","creationTimestamp":null},"spec":{"containers":null}}})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, "BOOKMARK");
  EXPECT_EQ(event->object->resource_version, "335");
  EXPECT_EQ(event->object->name, "");
}

TEST(SplitEvent, AnErrorCarriesTheStatus) {
  const auto event =
      splitEvent(R"({"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},)"
                 R"("status":"Failure","message":"too old","reason":"Expired","code":410}})");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, "ERROR");
  EXPECT_EQ(event->object->parse()["code"], 410);
}

TEST(SplitEvent, ALineThatWasCutOffIsAnErrorAtEveryByte) {
  const std::string line = R"({"type":"ADDED","object":)" + pod("a") + "}";
  for (std::size_t size = 0; size < line.size(); ++size) {
    EXPECT_FALSE(splitEvent(line.substr(0, size))) << size;
  }
  for (const char* text :
       {R"({"type":"ADDED"})", R"({"object":{}})", R"({"type":1,"object":{}})",
        R"({"type":"ADDED","object":[]})", R"({"type":"ADDED","object":null})"}) {
    EXPECT_FALSE(splitEvent(text)) << text;
  }
}

TEST(SplitEvent, DamagedLinesNeverCrashAndNeverGiveUnreadableObjects) {
  const std::string line =
      R"({"type":"ADDED","object":)" + pod("a", R"(,"managedFields":)" + kManagedFields) + "}";
  std::mt19937 random(20261122);
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = line;
    for (unsigned i = 0; i <= round % 3U; ++i) {
      damaged[random() % damaged.size()] =
          "{}[]\",:\\ \x01\xff"
          "0a"[random() % 13];
    }
    const auto event = splitEvent(damaged);
    if (event) {
      EXPECT_TRUE(event->object->parse().is_object()) << damaged;
    }
  }
}

TEST(SplitEvent, BottomlessNestingIsAnError) {
  const std::string deep = R"({"type":"ADDED","object":{"a":)" + std::string(100'000, '[') +
                           std::string(100'000, ']') + "}}";
  EXPECT_FALSE(splitEvent(deep));
}

TEST(MakeObject, ABodyWithSpaceAroundIsTrimmed) {
  const auto object = makeObject("\n " + pod("a") + " \n");
  ASSERT_TRUE(object);
  EXPECT_EQ((*object)->raw, pod("a"));
  EXPECT_FALSE(makeObject("{"));
  EXPECT_FALSE(makeObject("[]"));
}

TEST(MakeObject, ClusterScopedObjectsAreKeyedByNameAlone) {
  EXPECT_EQ((*makeObject(R"({"metadata":{"name":"node-1"}})"))->key(), "node-1");
}

TEST(MakeObject, FromADocumentItIsTheSameAsFromBytes) {
  Json document = Json::parse(pod("a"));
  document["metadata"]["managedFields"] = Json::parse(kManagedFields);
  const ObjectPtr object = makeObject(document);
  EXPECT_EQ(object->key(), "shop/a");
  EXPECT_EQ(object->uid, "u-a");
  EXPECT_EQ(object->parse(), Json::parse(pod("a")));
  EXPECT_TRUE(document["metadata"].contains("managedFields"));
  EXPECT_EQ(makeObject(Json(nullptr))->key(), "");
  EXPECT_FALSE(makeObject(Json{{"bad", "\xff"}})->raw.empty());
}

TEST(Parse, AnObjectWhoseBytesAreNoJsonIsNull) {
  Object object;
  object.raw = "{";
  EXPECT_TRUE(object.parse().is_null());
}

}  // namespace
}  // namespace vkb::json
