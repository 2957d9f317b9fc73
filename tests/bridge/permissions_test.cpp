#include "bridge/permissions.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace vkb::bridge {
namespace {

bool has(const std::vector<kube::Permission>& permissions, const std::string& text) {
  return std::any_of(permissions.begin(), permissions.end(),
                     [&](const auto& permission) { return kube::toString(permission) == text; });
}

TEST(Permissions, WhatDelegatesReferToIsReadAtHomeAndWrittenInTheTarget) {
  for (const char* kind : {"configmaps", "secrets"}) {
    const std::string of = std::string(" ") + kind + " (all namespaces)";
    for (const char* verb : {"get", "list", "watch"}) {
      EXPECT_TRUE(has(homePermissions(), verb + of)) << verb;
    }
    for (const char* verb : {"create", "update", "patch", "delete"}) {
      EXPECT_FALSE(has(homePermissions(), verb + of)) << verb;
    }
    for (const char* verb : {"get", "list", "watch", "create", "update", "delete"}) {
      EXPECT_TRUE(has(targetPermissions("c"), verb + of)) << verb;
    }
  }
}

TEST(Permissions, WhatAnOptionNeedsIsAskedForOnlyWithIt) {
  constexpr const char* kTokens = "create serviceaccounts/token (all namespaces)";
  constexpr const char* kClaims = "get persistentvolumeclaims (all namespaces)";
  EXPECT_FALSE(has(homePermissions(), kTokens));
  EXPECT_FALSE(has(targetPermissions("c"), kClaims));
  state::PodOptions pods;
  pods.service_accounts = state::ServiceAccounts::kHome;
  pods.use_existing = true;
  EXPECT_TRUE(has(homePermissions(pods), kTokens));
  EXPECT_TRUE(has(targetPermissions("c", pods), kClaims));
}

TEST(Permissions, InOneNamespaceNeitherNodesNorOtherNamespacesAreLookedAt) {
  state::PodOptions pods;
  pods.use_existing = true;
  const auto wanted = inNamespace(targetPermissions("claims", pods), "team");
  for (const kube::Permission& permission : wanted) {
    const bool claim = permission.resource == "leases";
    EXPECT_EQ(permission.ns, claim ? "claims" : "team") << kube::toString(permission);
    EXPECT_NE(permission.resource, "nodes");
    EXPECT_TRUE(permission.resource != "namespaces" || permission.verb == "get");
  }
  EXPECT_TRUE(has(wanted, "get namespaces (namespace team)"));
  EXPECT_TRUE(has(wanted, "watch pods (namespace team)"));
  EXPECT_TRUE(has(wanted, "get persistentvolumeclaims (namespace team)"));
  EXPECT_EQ(inNamespace(targetMetricsPermissions(true), "team"), targetMetricsPermissions(true))
      << "nodes/proxy cannot be granted in a namespace";
}

}  // namespace
}  // namespace vkb::bridge
