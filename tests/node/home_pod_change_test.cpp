#include "node/home_pod_change.h"

#include <gtest/gtest.h>

namespace vkb::node {
namespace {

json::Object pod(const std::string& version, const std::string& metadata, const std::string& spec,
                 const std::string& status) {
  json::Object object;
  object.resource_version = version;
  object.raw = R"({"kind":"Pod","metadata":{"name":"a","resourceVersion":")" + version + "\"" +
               metadata + R"(},"spec":{)" + spec + R"(},"status":{)" + status + "}}";
  return object;
}

const json::Object kBefore = pod("5", R"(,"labels":{"a":"b"})", R"("x":1)", R"("phase":"Pending")");

bool same(const json::Object& before, const json::Object& after) {
  const bool same = isSameQuestion(before, after, "ours");
  if (same) {
    EXPECT_EQ(printOfInputs(before, "ours"), printOfInputs(after, "ours"));
  }
  return same;
}

TEST(HomePodChange, AnotherStatusAndVersionAreTheSameQuestion) {
  const auto after = pod("6", R"(,"labels":{"a":"b"})", R"("x":1)", R"("phase":"Running")");
  EXPECT_TRUE(same(kBefore, after));
}

TEST(HomePodChange, ASpecALabelOrADeletionIsAnother) {
  EXPECT_FALSE(same(kBefore, pod("6", R"(,"labels":{"a":"b"})", R"("x":2)", "")));
  EXPECT_FALSE(same(kBefore, pod("6", R"(,"labels":{"a":"c"})", R"("x":1)", "")));
  EXPECT_FALSE(
      same(kBefore, pod("6", R"(,"labels":{"a":"b"},"deletionTimestamp":"t")", R"("x":1)", "")));
}

TEST(HomePodChange, OurOwnAnnotationIsTheSameQuestion) {
  const auto ours = pod("6", R"(,"labels":{"a":"b"},"annotations":{"ours":"x"})", R"("x":1)", "");
  EXPECT_TRUE(same(kBefore, ours));
  EXPECT_FALSE(
      same(kBefore, pod("6", R"(,"labels":{"a":"b"},"annotations":{"b":"x"})", R"("x":1)", "")));
  EXPECT_TRUE(
      same(ours, pod("7", R"(,"labels":{"a":"b"},"annotations":{"ours":"y"})", R"("x":1)", "")));
  EXPECT_FALSE(same(
      ours, pod("7", R"(,"labels":{"a":"b"},"annotations":{"ours":"x","z":"1"})", R"("x":1)", "")));
}

TEST(HomePodChange, WhatItIsMadeOfHasOnePrint) {
  const auto print = [](const char* metadata, const char* spec) {
    return printOfInputs(pod("6", metadata, spec, ""), "ours");
  };
  const auto before = print(R"(,"labels":{"a":"b"})", R"("x":1)");
  EXPECT_NE(before, print(R"(,"labels":{"a":"b"})", R"("x":2)"));
  EXPECT_NE(before, print(R"(,"labels":{"a":"c"})", R"("x":1)"));
  EXPECT_EQ(before, print(R"(,"generation":2,"labels":{"a":"b"},"deletionTimestamp":"t")"
                          R"(,"deletionGracePeriodSeconds":30)",
                          R"("x":1)"))
      << "its end is asked for";
}

TEST(HomePodChange, NewerIsTheHigherNumber) {
  EXPECT_TRUE(isNewer(pod("10", "", "", ""), pod("9", "", "", "")));
  EXPECT_FALSE(isNewer(pod("9", "", "", ""), pod("9", "", "", "")));
  EXPECT_FALSE(isNewer(pod("x", "", "", ""), pod("9", "", "", "")));
}

}  // namespace
}  // namespace vkb::node
