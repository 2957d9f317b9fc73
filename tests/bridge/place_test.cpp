#include "bridge/place.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "bridge/forge_parts.h"

namespace vkb::bridge {
namespace {

using state::NamespaceStrategy;
using state::PodOptions;

Json pod(const std::string& ns, const std::string& name) {
  return {{"metadata", {{"namespace", ns}, {"name", name}}}};
}

PodOptions options(NamespaceStrategy strategy, const std::string& text) {
  return {.namespace_strategy = strategy, .namespace_text = text};
}

std::string placeOf(const PodOptions& pods, const std::string& ns, const std::string& name) {
  const PodPlace place = choosePlace(pod(ns, name), pods);
  return place.ns + "/" + place.name;
}

const PodOptions kPrefixed = options(NamespaceStrategy::kPrefix, "berlin");
const PodOptions kSingled = options(NamespaceStrategy::kSingle, "batch");

TEST(Place, UnderStrategySameIsHomesOwn) { EXPECT_EQ(placeOf({}, "shop", "web-0"), "shop/web-0"); }

TEST(Place, UnderStrategyPrefixKeepsTheName) {
  EXPECT_EQ(placeOf(kPrefixed, "shop", "web-0"), "berlin-shop/web-0");
}

TEST(Place, UnderStrategySingleEveryNameIsHashedWithItsNamespace) {
  EXPECT_EQ(placeOf(kSingled, "shop", "web-0"), "batch/web-0-" + hex(fnv1a("shop/web-0"), 8));
  // Put together plainly these would be one.
  EXPECT_NE(placeOf(kSingled, "a-b", "c"), placeOf(kSingled, "a", "b-c"));
}

TEST(Place, IsTheSameEachTime) {
  for (const PodOptions& pods : {PodOptions{}, kPrefixed, kSingled}) {
    EXPECT_EQ(placeOf(pods, "shop", "web-0"), placeOf(pods, "shop", "web-0"));
  }
}

TEST(Place, WhatGetsTooLongIsCutAndHashed) {
  const std::string long_ns(60, 'n'), long_name(253, 'x');
  const PodPlace prefixed = choosePlace(pod(long_ns, "a"), kPrefixed);
  EXPECT_EQ(prefixed.ns.size(), kMaxNamespaceName);
  EXPECT_EQ(prefixed.ns.substr(54), "-" + hex(fnv1a("berlin-" + long_ns), 8));
  const PodPlace single = choosePlace(pod("shop", long_name), kSingled);
  EXPECT_EQ(single.name.size(), kMaxPodName);
  EXPECT_EQ(placeOf({}, "shop", long_name), "shop/" + long_name);
  EXPECT_EQ(choosePlace(pod("shop", std::string(254, 'x'))).name.size(), kMaxPodName);
}

TEST(Place, ACutNameHasNoDashOrDotBeforeItsHash) {
  EXPECT_EQ(hashedName("abc-.-def", "h", 15), "abc-" + hex(fnv1a("h"), 8));
  EXPECT_EQ(hashedName("abcdef", "h", 15), "abcdef-" + hex(fnv1a("h"), 8));
}

TEST(Place, NamesThatDifferBehindTheCutStayDifferent) {
  std::set<std::string> seen;
  for (int i = 0; i < 500; ++i) {
    seen.insert(choosePlace(pod("shop", std::string(250, 'x') + std::to_string(i)), kSingled).name);
    seen.insert(choosePlace(pod(std::string(50, 'n') + std::to_string(i), "a"), kPrefixed).ns);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(Place, ThatAnotherHomePodHoldsIsEvadedTheSameWayEachTime) {
  for (const PodOptions& pods : {PodOptions{}, kPrefixed, kSingled}) {
    const Json home = pod("shop", "web-0");
    const std::string first = choosePlace(home, pods).name;
    const auto evade = [&](int times) {
      int asked = 0;
      return choosePlace(home, pods, [&](const PodPlace&) { return ++asked <= times; }).name;
    };
    EXPECT_EQ(evade(0), first);
    EXPECT_EQ(evade(1), "web-0-" + hex(fnv1a("shop/web-0#1"), 8));
    EXPECT_EQ(evade(2), "web-0-" + hex(fnv1a("shop/web-0#2"), 8));
    EXPECT_EQ(evade(1), evade(1));
    EXPECT_FALSE(evade(1000).empty()) << "no endless search";
  }
}

TEST(Globs, MatchWholeTexts) {
  EXPECT_TRUE(matchesAny({"default", "team-*"}, "team-a"));
  EXPECT_FALSE(matchesAny({"default", "team-*"}, "my-team-a"));
  EXPECT_TRUE(matchesAny({"*"}, "example.com/x"));
  EXPECT_FALSE(matchesAny({}, ""));
}

}  // namespace
}  // namespace vkb::bridge
