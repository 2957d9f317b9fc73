#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "kube/access.h"
#include "kube/resource_version.h"
#include "kube/version.h"
#include "support/fake_cluster.h"

namespace vkb::kube {
namespace {

using ::testing::ElementsAre;

TEST(Access, PermissionsPrintAsPeopleSayThem) {
  EXPECT_EQ(toString(permission("create", kPods, "", "eviction")),
            "create pods/eviction (all namespaces)");
  EXPECT_EQ(toString(permission("update", kLeases, "a")),
            "update leases.coordination.k8s.io (namespace a)");
  EXPECT_EQ(toString(permission("list", kNodes)), "list nodes");
}

TEST(Access, OnlyWhatIsNotAllowedIsMissing) {
  test::FakeRuntime runtime;
  test::FakeCluster cluster(runtime);
  std::vector<Json> asked;
  cluster.accessRule = [&](const std::string&, const Json& attributes) {
    asked.push_back(attributes);
    return json::str(attributes, "verb") != "delete";
  };
  const auto client = cluster.client("bridge");
  const auto missing = missingPermissions(
      *client, {permission("get", kPods, "a"), permission("delete", kPods, "a", "x"),
                permission("list", kNodes)});
  ASSERT_TRUE(missing) << missing.error().message;
  EXPECT_THAT(*missing, ElementsAre(permission("delete", kPods, "a", "x")));
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(json::str(asked[1], "subresource"), "x");
  EXPECT_EQ(json::str(asked[1], "namespace"), "a");
  EXPECT_EQ(json::str(asked[2], "namespace"), "");
}

TEST(Access, AServerThatCannotBeAskedIsAnError) {
  test::FakeRuntime runtime;
  test::FakeCluster cluster(runtime);
  cluster.setDown(true);
  const auto client = cluster.client("bridge");
  EXPECT_FALSE(missingPermissions(*client, {permission("get", kPods)}));
}

TEST(Version, FormsThatServersUse) {
  struct Case {
    const char* body;
    int major, minor;
  };
  for (const Case& one :
       {Case{R"({"major":"1","minor":"36","gitVersion":"v1.36.2"})", 1, 36},
        Case{R"({"major":"1","minor":"20+","gitVersion":"v1.20.15-eks-0d102a7"})", 1, 20},
        Case{R"({"major":"","minor":"","gitVersion":"v1.24.3-rc.0+abc"})", 1, 24},
        Case{R"({"gitVersion":"v0.0.0-master+faecb196815e2"})", 0, 0}}) {
    const auto version = parseServerVersion(one.body);
    ASSERT_TRUE(version) << one.body;
    EXPECT_EQ(version->major, one.major) << one.body;
    EXPECT_EQ(version->minor, one.minor) << one.body;
    EXPECT_EQ(version->known(), one.major > 0);
  }
  EXPECT_TRUE(parseServerVersion(R"({"major":"1","minor":"36","gitVersion":"v"})")->atLeast(1, 22));
  EXPECT_FALSE(
      parseServerVersion(R"({"major":"1","minor":"20","gitVersion":"v"})")->atLeast(1, 22));
}

TEST(Version, WhatIsNoVersionIsRefused) {
  for (const char* body : {"", "ok", "{}", "[]", R"({"gitVersion":7})"}) {
    EXPECT_FALSE(parseServerVersion(body)) << body;
  }
}

TEST(ResourceVersion, NumbersOfAnyLengthAreCompared) {
  EXPECT_EQ(compareResourceVersions("9", "10"), std::strong_ordering::less);
  EXPECT_EQ(compareResourceVersions("10", "10"), std::strong_ordering::equal);
  EXPECT_EQ(compareResourceVersions("11", "10"), std::strong_ordering::greater);
  EXPECT_EQ(compareResourceVersions("99999999999999999999", "100000000000000000000"),
            std::strong_ordering::less);
}

TEST(ResourceVersion, AnythingElseCannotBeCompared) {
  for (const char* text : {"", "0", "01", "abc", "1a", "-1", " 1"}) {
    EXPECT_FALSE(compareResourceVersions(text, "5")) << text;
    EXPECT_FALSE(compareResourceVersions("5", text)) << text;
  }
}

}  // namespace
}  // namespace vkb::kube
