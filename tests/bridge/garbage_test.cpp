#include "bridge/garbage.h"

#include "two_clusters.h"

namespace vkb::bridge {
namespace {

class GarbageTest : public TwoClusters {
 protected:
  Json addDelegate(const std::string& name, const std::string& node, const std::string& home_uid,
                   const std::string& home_id) {
    return target_
        .addPod({{"metadata",
                  {{"name", name},
                   {"namespace", "work"},
                   {"labels",
                    {{kLabelHomeCluster, home_id}, {kLabelNode, node}, {kLabelHomeUid, home_uid}}},
                   {"annotations", {{kAnnotationHomePod, "work/" + name}}}}},
                 {"spec", {{"containers", Json::array({{{"name", "c"}, {"image", "i"}}})}}}})
        ->json();
  }
  std::vector<std::string> found(const std::set<std::string>& joined) {
    auto search = findGarbage(*home_client_, *target_client_, {home_.clusterId(), joined});
    EXPECT_TRUE(search);
    std::vector<std::string> names;
    for (const auto& item : search->delegates) names.push_back(item.name);
    in_use_ = search->in_use;
    return names;
  }
  void makeNamespace(const std::string& name, bool ours) {
    Json object{{"metadata", {{"name", name}}}};
    if (ours) object["metadata"]["labels"][kLabelHomeCluster] = home_.clusterId();
    ASSERT_TRUE(target_client_->create(kube::kNamespaces, "", object));
  }

  std::unique_ptr<kube::Client> home_client_ = home_.client("gc");
  std::unique_ptr<kube::Client> target_client_ = target_.client("gc");
  std::size_t in_use_ = 0;
};

TEST_F(GarbageTest, OnlyOursOfNodesThatAreNotJoinedAndWhoseHomePodIsGone) {
  const auto alive = addHomePod("alive");
  addHomePod("reborn");
  addDelegate("orphan", "gone-node", "uid-1", home_.clusterId());
  addDelegate("alive", "gone-node", uidOf(alive->json()), home_.clusterId());
  addDelegate("reborn", "gone-node", "uid-of-its-predecessor", home_.clusterId());
  addDelegate("joined", "t1", "uid-2", home_.clusterId());
  addDelegate("other-home", "gone-node", "uid-3", "another-home");
  target_.addPod({{"metadata", {{"name", "native"}, {"namespace", "work"}}}});
  EXPECT_EQ(found({"t1"}), (std::vector<std::string>{"orphan", "reborn"}));
  EXPECT_EQ(in_use_, 1u);
}

TEST_F(GarbageTest, CopiesOfNodesThatAreGoneGoUnlessADelegateUsesThem) {
  const auto add = [&](const char* name, const char* node, const std::string& home_id) {
    target_.add(kube::kSecrets,
                {{"metadata",
                  {{"name", name},
                   {"namespace", "work"},
                   {"labels", {{kLabelHomeCluster, home_id}, {kLabelNode, node}}},
                   {"annotations", {{kAnnotationHomeObject, std::string("work/") + name}}}}}});
  };
  addDelegate("alive", "gone-node", "uid-1", home_.clusterId());
  target_.addPod(
      {{"metadata",
        {{"name", "user"},
         {"namespace", "work"},
         {"labels", {{kLabelHomeCluster, home_.clusterId()}, {kLabelNode, "gone-node"}}}}},
       {"spec",
        {{"volumes", Json::array({{{"name", "v"}, {"secret", {{"secretName", "used"}}}}})}}}});
  add("unused", "gone-node", home_.clusterId());
  add("used", "gone-node", home_.clusterId());
  add("joined", "t1", home_.clusterId());
  add("other-home", "gone-node", "another-home");
  add("served-elsewhere", "t2", home_.clusterId());
  home_.add(kube::kNodes, {{"metadata", {{"name", "t2"}}}});
  const auto copies = findUnusedCopies(*home_client_, *target_client_, {home_.clusterId(), {"t1"}});
  ASSERT_TRUE(copies);
  ASSERT_EQ(copies->size(), 1U);
  EXPECT_EQ(copies->front().name, "unused");
  ASSERT_TRUE(removeGarbage(*target_client_, copies->front()));
  EXPECT_FALSE(target_.find(kube::kSecrets, "work", "unused"));
  EXPECT_TRUE(target_.find(kube::kSecrets, "work", "used"));
}

TEST_F(GarbageTest, AHomeThatDoesNotAnswerProvesNothing) {
  addDelegate("orphan", "gone-node", "uid-1", home_.clusterId());
  home_.setDown(true);
  EXPECT_FALSE(findGarbage(*home_client_, *target_client_, {home_.clusterId(), {}}));
}

TEST_F(GarbageTest, ADelegateIsDeletedByItsUidAndAnotherOfThatNameStays) {
  const std::string uid = uidOf(addDelegate("orphan", "gone-node", "uid-1", home_.clusterId()));
  EXPECT_TRUE(removeGarbage(*target_client_, {.ns = "work", .name = "orphan", .uid = "other"}));
  EXPECT_NE(delegate("orphan"), Json());
  EXPECT_TRUE(removeGarbage(*target_client_, {.ns = "work", .name = "orphan", .uid = uid}));
  EXPECT_TRUE(removeGarbage(*target_client_, {.ns = "work", .name = "orphan", .uid = uid}));
}

TEST_F(GarbageTest, ANamespaceIsEmptyWhenItHoldsWhatEveryNamespaceHasAndIsOurs) {
  target_.raw_paths["/api/v1"] =
      R"({"resources":[{"name":"pods","namespaced":true,"verbs":["list"]},
                       {"name":"pods/log","namespaced":true,"verbs":["get"]},
                       {"name":"events","namespaced":true,"verbs":["list"]},
                       {"name":"configmaps","namespaced":true,"verbs":["list"]},
                       {"name":"nodes","namespaced":false,"verbs":["list"]}]})";
  target_.raw_paths["/apis"] =
      R"({"groups":[{"name":"example.com","preferredVersion":{"version":"v2"}}]})";
  target_.raw_paths["/apis/example.com/v2"] =
      R"({"resources":[{"name":"widgets","namespaced":true,"verbs":["list","create"]}]})";
  const kube::Resource configmaps{"", "v1", "configmaps", true};
  const kube::Resource widgets{"example.com", "v2", "widgets", true};
  for (const char* name : {"empty", "with-pod", "with-map", "with-widget"}) {
    makeNamespace(name, true);
    ASSERT_TRUE(
        target_client_->create(configmaps, name, {{"metadata", {{"name", "kube-root-ca.crt"}}}}));
  }
  makeNamespace("not-ours", false);
  target_.addPod({{"metadata", {{"name", "p"}, {"namespace", "with-pod"}}}});
  ASSERT_TRUE(target_client_->create(configmaps, "with-map", {{"metadata", {{"name", "mine"}}}}));
  ASSERT_TRUE(target_client_->create(widgets, "with-widget", {{"metadata", {{"name", "w"}}}}));

  auto empty = findEmptyNamespaces(*target_client_, home_.clusterId(), [](const auto&) {});
  ASSERT_TRUE(empty) << empty.error().message;
  ASSERT_EQ(empty->size(), 1u);
  EXPECT_EQ(empty->front().name, "empty");

  // A group that cannot be asked may hold anything.
  target_.raw_paths.erase("/apis/example.com/v2");
  EXPECT_FALSE(findEmptyNamespaces(*target_client_, home_.clusterId(), [](const auto&) {}));
}

}  // namespace
}  // namespace vkb::bridge
