#include "kube/urls.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kube/server_url.h"

namespace vkb::kube {
namespace {

TEST(Urls, CoreAndGroupedResourcesHaveTheirOwnRoots) {
  EXPECT_EQ(objectPath(kPods, "a", "b", "").value(), "/api/v1/namespaces/a/pods/b");
  EXPECT_EQ(objectPath(kPods, "a", "b", "status").value(), "/api/v1/namespaces/a/pods/b/status");
  EXPECT_EQ(objectPath(kNodes, "", "n", "").value(), "/api/v1/nodes/n");
  EXPECT_EQ(objectPath(kLeases, "a", "b", "").value(),
            "/apis/coordination.k8s.io/v1/namespaces/a/leases/b");
  EXPECT_EQ(collectionPath(kPods, "").value(), "/api/v1/pods");
  EXPECT_EQ(collectionPath(kPods, "a").value(), "/api/v1/namespaces/a/pods");
  EXPECT_EQ(createPath(kPods, "a", "", "").value(), "/api/v1/namespaces/a/pods");
  EXPECT_EQ(createPath(kPods, "a", "b", "eviction").value(),
            "/api/v1/namespaces/a/pods/b/eviction");
}

TEST(Urls, NamesAreEscaped) {
  EXPECT_EQ(objectPath(kPods, "a", "system:x y?#", "").value(),
            "/api/v1/namespaces/a/pods/system%3Ax%20y%3F%23");
  EXPECT_EQ(urlEscape("ü"), "%C3%BC");
}

TEST(Urls, NamesThatWouldReachAnotherUrlAreRefused) {
  for (const char* name : {"", ".", "..", "a/b", "a%2fb"}) {
    EXPECT_FALSE(objectPath(kPods, "ns", name, "")) << name;
    EXPECT_EQ(objectPath(kPods, "ns", name, "").error().retry, Retry::kNever) << name;
  }
  EXPECT_FALSE(objectPath(kPods, "..", "a", ""));
}

TEST(Urls, ANamespacedObjectWithoutNamespaceIsRefused) {
  EXPECT_FALSE(objectPath(kPods, "", "a", ""));
  EXPECT_FALSE(createPath(kPods, "", "", ""));
}

TEST(Urls, ListQueryNeverAsksForAResourceVersion) {
  const ListOptions options{.ns = "a",
                            .label_selector = "a in (b,c)",
                            .field_selector = "spec.nodeName=n",
                            .limit = 10,
                            .continue_token = "x+/="};
  EXPECT_EQ(listQuery(options),
            "?labelSelector=a%20in%20%28b%2Cc%29&fieldSelector=spec.nodeName%3Dn&limit=10"
            "&continue=x%2B%2F%3D");
  EXPECT_EQ(listQuery({.limit = 0}), "");
}

TEST(Urls, WatchQueryAsksForBookmarks) {
  EXPECT_EQ(
      watchQuery(
          {.label_selector = "a=b", .resource_version = "7", .timeout = std::chrono::seconds(300)}),
      "?watch=true&allowWatchBookmarks=true&labelSelector=a%3Db&resourceVersion=7"
      "&timeoutSeconds=300");
}

TEST(Urls, DeleteBodyHoldsWhatIsGiven) {
  EXPECT_EQ(deleteBody({}), (Json{{"apiVersion", "v1"}, {"kind", "DeleteOptions"}}));
  EXPECT_EQ(deleteBody({.grace_period_seconds = 0, .uid = "u", .propagation_policy = "Background"}),
            (Json{{"apiVersion", "v1"},
                  {"kind", "DeleteOptions"},
                  {"gracePeriodSeconds", 0},
                  {"preconditions", {{"uid", "u"}}},
                  {"propagationPolicy", "Background"}}));
}

TEST(ServerUrl, PartsAreTakenApart) {
  const auto plain = parseServerUrl("HTTPS://a.b:6443/k8s/clusters/c/");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->scheme, "https");
  EXPECT_EQ(plain->host, "a.b");
  EXPECT_EQ(plain->port, 6443);
  EXPECT_EQ(plain->path, "/k8s/clusters/c");
  const auto v6 = parseServerUrl("https://[2001:db8::1]:1");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "2001:db8::1");
  EXPECT_EQ(v6->port, 1);
  EXPECT_EQ(parseServerUrl("https://[::1]").value().port, 443);
  EXPECT_EQ(parseServerUrl("http://h").value().port, 80);
  const auto user = parseServerUrl("http://u:p%40w@h:3128");
  ASSERT_TRUE(user);
  EXPECT_EQ(percentDecode(user->user_info), "u:p@w");
  EXPECT_EQ(user->host, "h");
}

TEST(ServerUrl, BrokenOnesAreRefused) {
  for (const char* url : {"", "a.b:6443", "https://", "https://:443", "https://h:0", "https://h:x",
                          "https://h:65536", "https://h:", "https://[::1", "https://[::1]x",
                          "https://h?x", "https://h h", "https://h\n"}) {
    EXPECT_FALSE(parseServerUrl(url)) << url;
  }
}

}  // namespace
}  // namespace vkb::kube
