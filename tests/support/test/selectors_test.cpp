#include "support/selectors.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace vkb::test {
namespace {

bool labelsMatch(const std::string& selector, const Json& labels) {
  const auto parsed = LabelSelector::parse(selector);
  EXPECT_TRUE(parsed) << selector;
  return parsed && parsed->matches(labels);
}

TEST(LabelSelector, KnowsEveryFormThatKubectlWrites) {
  const Json labels{{"app", "web"}, {"tier", "front"}};
  EXPECT_TRUE(labelsMatch("", labels));
  EXPECT_TRUE(labelsMatch("app=web", labels));
  EXPECT_TRUE(labelsMatch("app==web,tier=front", labels));
  EXPECT_FALSE(labelsMatch("app=web,tier=back", labels));
  EXPECT_TRUE(labelsMatch("app in (web, db)", labels));
  EXPECT_FALSE(labelsMatch("app notin (web,db)", labels));
  EXPECT_TRUE(labelsMatch("zone notin (a)", labels));
  EXPECT_TRUE(labelsMatch("app", labels));
  EXPECT_FALSE(labelsMatch("!app", labels));
  EXPECT_TRUE(labelsMatch("!zone, app!=db", labels));
  EXPECT_TRUE(labelsMatch("zone!=a", Json()));
}

TEST(LabelSelector, RefusesWhatARealServerCannotParse) {
  const auto parsed = LabelSelector::parse("a b");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, 400);
}

TEST(FieldSelector, ComparesTheFieldsThatPodsOffer) {
  const Json pod{{"metadata", {{"name", "a"}}}, {"spec", {{"nodeName", "n"}}}};
  EXPECT_TRUE(FieldSelector::parse(kube::kPods, "spec.nodeName=n")->matches(pod));
  EXPECT_FALSE(FieldSelector::parse(kube::kPods, "spec.nodeName!=n")->matches(pod));
  EXPECT_TRUE(
      FieldSelector::parse(kube::kPods, "metadata.name=a,status.phase!=Failed")->matches(pod));
  EXPECT_TRUE(FieldSelector::parse(kube::kPods, "status.phase=")->matches(pod));
}

TEST(FieldSelector, RefusesFieldsThatAreNotSelectable) {
  const auto parsed = FieldSelector::parse(kube::kPods, "spec.nosuch=x");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, 400);
  EXPECT_TRUE(FieldSelector::parse(kube::kEvents, "involvedObject.uid=x"));
}

}  // namespace
}  // namespace vkb::test
