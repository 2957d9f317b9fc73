// Objects that a cache holds in less memory.
#include "json/packed.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace vkb::json {
namespace {

ObjectPtr podWithVariables(int count, std::size_t kind = 0) {
  Json variables = Json::array();
  for (int i = 0; i < count; ++i) {
    variables.push_back(
        {{"name", "SETTING_" + std::to_string(i)},
         {"value", std::to_string((static_cast<std::size_t>(i) + kind) * 2654435761u)}});
  }
  return makeObject(Json{
      {"metadata", {{"namespace", "n"}, {"name", "a"}, {"uid", "u-1"}, {"resourceVersion", "17"}}},
      {"spec", {{"containers", Json::array({{{"name", "c"}, {"env", std::move(variables)}}})}}}});
}

TEST(Packed, TakesLessAndComesBackAsItWas) {
  const ObjectPtr pod = podWithVariables(100);
  const ObjectPtr small = packed(pod);
  EXPECT_LT(small->raw.size(), pod->raw.size() / 2);
  EXPECT_EQ(unpacked(small)->raw, pod->raw);
  EXPECT_EQ(unpacked(small)->parse(), pod->parse());
}

TEST(Packed, OfObjectsThatAreAlikeTheLaterOnesTakeMuchLess) {
  packed(podWithVariables(200, 1'000'000));
  const ObjectPtr like_it = podWithVariables(201, 1'000'000);
  EXPECT_LT(packed(like_it)->raw.size(), like_it->raw.size() / 15);
  EXPECT_EQ(unpacked(packed(like_it))->raw, like_it->raw);
}

TEST(Packed, ObjectsOfManyKindsComeBackToo) {
  std::mt19937 random(7);
  std::vector<ObjectPtr> objects, small;
  for (int kind = 0; kind < 40; ++kind) {
    std::string text(3000, ' ');
    for (char& c : text) c = static_cast<char>('a' + random() % 26);
    for (int i = 0; i < 3; ++i) {
      objects.push_back(makeObject(
          Json{{"metadata", {{"name", std::to_string(i)}}}, {"text", text}, {"again", text}}));
      small.push_back(packed(objects.back()));
    }
  }
  for (std::size_t i = 0; i < objects.size(); ++i) {
    EXPECT_LT(small[i]->raw.size(), objects[i]->raw.size()) << i;
    EXPECT_EQ(unpacked(small[i])->raw, objects[i]->raw) << i;
  }
}

TEST(Packed, FromManyThreadsAtOnce) {
  std::vector<std::jthread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 1; i < 60; ++i) {
        const ObjectPtr pod = podWithVariables(t * 60 + i);
        EXPECT_EQ(unpacked(packed(pod))->raw, pod->raw);
      }
    });
  }
}

TEST(Packed, WhoItIsCanBeSeenWithoutUnpacking) {
  const ObjectPtr small = packed(podWithVariables(100));
  EXPECT_EQ(small->key(), "n/a");
  EXPECT_EQ(small->uid, "u-1");
  EXPECT_EQ(small->resource_version, "17");
  EXPECT_EQ(unpacked(small)->uid, "u-1");
}

TEST(Packed, WhatIsSmallStaysAsItIs) {
  const ObjectPtr tiny = makeObject(Json{{"metadata", {{"name", "a"}}}});
  EXPECT_EQ(packed(tiny), tiny);
  EXPECT_EQ(unpacked(tiny), tiny);
  const ObjectPtr empty = std::make_shared<Object>();
  EXPECT_EQ(packed(empty), empty);
}

TEST(Packed, TwiceIsAsOnce) {
  const ObjectPtr small = packed(podWithVariables(100));
  EXPECT_EQ(packed(small), small);
}

TEST(Packed, WhatIsSameIsSeenThroughThePacking) {
  const ObjectPtr pod = podWithVariables(100), equal = podWithVariables(100);
  EXPECT_TRUE(isSame(packed(pod), equal));
  EXPECT_TRUE(isSame(pod, packed(equal)));
  EXPECT_FALSE(isSame(packed(pod), podWithVariables(99))) << "of the same version";
  Json newer = pod->parse();
  newer["metadata"]["resourceVersion"] = "18";
  EXPECT_FALSE(isSame(packed(pod), makeObject(newer)));
}

TEST(Packed, NothingStaysNothing) { EXPECT_EQ(unpacked(nullptr), nullptr); }

TEST(Packed, LargeObjectsComeBackToo) {
  const ObjectPtr large = podWithVariables(50'000);
  EXPECT_EQ(unpacked(packed(large))->raw, large->raw);
}

}  // namespace
}  // namespace vkb::json
