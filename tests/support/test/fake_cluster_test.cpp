#include "support/fake_cluster.h"

#include "cluster_fixture.h"

namespace vkb::test {
namespace {

using FakeClusterTest = ClusterTest;

TEST_F(FakeClusterTest, CreateFillsInWhatAServerFillsIn) {
  const auto made = json::parsed(client_->create(kube::kPods, "t1", fullPod("a", "n1")));
  ASSERT_TRUE(made);
  EXPECT_EQ(json::str(*made, "kind"), "Pod");
  EXPECT_EQ(json::str(*made, {"metadata", "creationTimestamp"}), "2026-01-01T00:00:00Z");
  EXPECT_EQ(json::str(*made, {"metadata", "uid"}).size(), 36U);
  EXPECT_EQ(json::str(*made, {"status", "phase"}), "Pending");
  EXPECT_EQ(json::str(*made, {"spec", "restartPolicy"}), "Always");
  EXPECT_EQ(json::array(*made, {"spec", "tolerations"}).size(), 2U);
}

TEST_F(FakeClusterTest, TheSameSeedGivesTheSameHistory) {
  const auto run = [] {
    FakeRuntime rt;
    FakeCluster cluster(rt, {.seed = 5});
    cluster.addPod(pod("a"));
    return cluster.history().back().after->json().dump();
  };
  EXPECT_EQ(run(), run());
}

TEST_F(FakeClusterTest, GetOfNothingIsNothingAndNotAnError) {
  const auto got = client_->get(kube::kPods, "t1", "nosuch");
  ASSERT_TRUE(got);
  EXPECT_FALSE(got->has_value());
}

TEST_F(FakeClusterTest, GenerateNameGivesDifferentNames) {
  Json object{{"metadata", {{"generateName", "e-"}}}, {"involvedObject", {{"namespace", "t1"}}}};
  const auto first = json::parsed(client_->create(kube::kEvents, "t1", object));
  const auto second = json::parsed(client_->create(kube::kEvents, "t1", object));
  ASSERT_TRUE(first && second);
  EXPECT_NE(json::str(*first, {"metadata", "name"}), json::str(*second, {"metadata", "name"}));
}

TEST_F(FakeClusterTest, ObjectsNeedTheirNamespace) {
  Json object = fullPod("a");
  object["metadata"].erase("namespace");
  const auto made = client_->create(kube::kPods, "nosuch", object);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, 404);
  EXPECT_NE(made.error().message.find("namespaces \"nosuch\" not found"), std::string::npos);
}

TEST_F(FakeClusterTest, ATerminatingNamespaceTakesNothingNewAndEmptiesItself) {
  cluster_.addPod(pod("unbound"));
  cluster_.addPod(pod("bound", "n1"));
  ASSERT_TRUE(client_->remove(kube::kNamespaces, "", "t1", {}));
  const auto refused = client_->create(kube::kPods, "t1", fullPod("late"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 403);
  ASSERT_EQ(refused.error().causes.size(), 1U);
  EXPECT_EQ(refused.error().causes[0].reason, "NamespaceTerminating");
  rt_.settle();
  EXPECT_EQ(cluster_.podsIn("t1").size(), 1U) << "a bound pod needs its kubelet";
  ASSERT_TRUE(client_->remove(kube::kPods, "t1", "bound", {.grace_period_seconds = 0}));
  rt_.settle();
  EXPECT_FALSE(cluster_.find(kube::kNamespaces, "", "t1"));
}

TEST_F(FakeClusterTest, AnUnboundPodGoesAtOnceWithTwoChanges) {
  cluster_.addPod(pod("a"));
  const std::size_t before = cluster_.history().size();
  ASSERT_TRUE(client_->remove(kube::kPods, "t1", "a", {}));
  EXPECT_EQ(cluster_.history().size(), before + 2);
  EXPECT_FALSE(cluster_.findPod("t1", "a"));
}

TEST_F(FakeClusterTest, ASecondDeleteMayShortenTheGraceButNotLengthenIt) {
  cluster_.addPod(pod("a", "n1"));
  const auto grace = [&] {
    return json::integer(cluster_.findPod("t1", "a")->json(),
                         {"metadata", "deletionGracePeriodSeconds"});
  };
  ASSERT_TRUE(client_->remove(kube::kPods, "t1", "a", {}));
  EXPECT_EQ(grace(), 30);
  ASSERT_TRUE(client_->remove(kube::kPods, "t1", "a", {.grace_period_seconds = 60}));
  EXPECT_EQ(grace(), 30);
  ASSERT_TRUE(client_->remove(kube::kPods, "t1", "a", {.grace_period_seconds = 5}));
  EXPECT_EQ(grace(), 5);
  EXPECT_EQ(json::str(cluster_.findPod("t1", "a")->json(), {"metadata", "deletionTimestamp"}),
            "2026-01-01T00:00:05Z");
}

TEST_F(FakeClusterTest, AFinalizerHoldsAPodUntilItIsTakenAway) {
  Json held = pod("a", "n1");
  held["metadata"]["finalizers"] = {"example.com/hold"};
  cluster_.addPod(held);
  ASSERT_TRUE(client_->remove(kube::kPods, "t1", "a", {.grace_period_seconds = 0}));
  ASSERT_TRUE(cluster_.findPod("t1", "a"));
  const std::size_t before = cluster_.history().size();
  cluster_.edit(kube::kPods, "t1", "a", {{"metadata", {{"finalizers", nullptr}}}});
  EXPECT_FALSE(cluster_.findPod("t1", "a"));
  EXPECT_EQ(cluster_.history().size(), before + 1);
}

TEST_F(FakeClusterTest, AnUpdateThatChangesNothingMakesNoVersion) {
  cluster_.addPod(pod("a", "n1"));
  ASSERT_TRUE(patchStatus("a", running()));
  const auto rv = cluster_.resourceVersion();
  ASSERT_TRUE(patchStatus("a", running()));
  EXPECT_EQ(cluster_.resourceVersion(), rv);
}

TEST_F(FakeClusterTest, APodSpecMayOnlyChangeWhereKubernetesLetsIt) {
  cluster_.addPod(pod("a", "n1"));
  const auto patch = [&](const Json& spec) {
    return client_->patch(kube::kPods, "t1", "a", kube::PatchType::kStrategicMerge,
                          {{"spec", spec}});
  };
  EXPECT_TRUE(patch({{"activeDeadlineSeconds", 100}}));
  EXPECT_TRUE(
      patch({{"containers", Json::array({{{"name", "c"}, {"image", "registry.example/b:2"}}})}}));
  Json tolerations = json::array(cluster_.findPod("t1", "a")->json(), {"spec", "tolerations"});
  tolerations.push_back({{"key", "k"}, {"operator", "Exists"}});
  EXPECT_TRUE(patch({{"tolerations", tolerations}}));
  tolerations.erase(0);
  EXPECT_FALSE(patch({{"tolerations", tolerations}})) << "they may only be added to";
  const auto env = patch({{"containers", Json::array({{{"name", "c"}, {"tty", true}}})}});
  ASSERT_FALSE(env);
  EXPECT_EQ(env.error().code, 422);
  EXPECT_EQ(env.error().retry, Retry::kNever);
}

TEST_F(FakeClusterTest, ListsComeInPagesOfOneState) {
  for (const char* name : {"a", "b", "c"}) cluster_.addPod(pod(name));
  const auto first = client_->list(kube::kPods, {.ns = "t1", .limit = 2});
  ASSERT_TRUE(first);
  EXPECT_EQ(first->items.size(), 2U);
  cluster_.addPod(pod("d"));
  const auto second =
      client_->list(kube::kPods, {.ns = "t1", .limit = 2, .continue_token = first->continue_token});
  ASSERT_TRUE(second);
  ASSERT_EQ(second->items.size(), 1U);
  EXPECT_EQ(second->items[0]->name, "c");
  EXPECT_EQ(second->resource_version, first->resource_version);
  EXPECT_TRUE(second->continue_token.empty());
  EXPECT_FALSE(second->items[0]->parse().contains("kind")) << "items of real lists have none";
}

TEST_F(FakeClusterTest, AContinueTokenExpiresWithCompaction) {
  for (const char* name : {"a", "b"}) cluster_.addPod(pod(name));
  const auto first = client_->list(kube::kPods, {.limit = 1});
  ASSERT_TRUE(first);
  cluster_.compact();
  const auto second =
      client_->list(kube::kPods, {.limit = 1, .continue_token = first->continue_token});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, 410);
}

TEST_F(FakeClusterTest, AnEvictionDeletesUnlessTheRuleRefuses) {
  cluster_.addPod(pod("a", "n1"));
  cluster_.evictionRule = [](const Json&) { return disruptionBudget(); };
  const Json body{{"metadata", {{"name", "a"}}}};
  const auto refused = client_->create(kube::kPods, "t1", body, "a", "eviction");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 429);
  EXPECT_FALSE(refused.error().retryAfter);
  cluster_.evictionRule = nullptr;
  ASSERT_TRUE(client_->create(kube::kPods, "t1", body, "a", "eviction"));
  const Json evicted = cluster_.findPod("t1", "a")->json();
  EXPECT_TRUE(
      json::findBy(json::array(evicted, {"status", "conditions"}), "type", "DisruptionTarget"));
  EXPECT_EQ(json::integer(evicted, {"metadata", "deletionGracePeriodSeconds"}), 30);
}

TEST_F(FakeClusterTest, AccessReviewsFollowTheRule) {
  cluster_.accessRule = [](const std::string& actor, const Json& attributes) {
    return actor == "bridge" && json::str(attributes, "verb") == "get";
  };
  const auto allowed = [&](const char* verb) {
    const auto review =
        json::parsed(client_->create(kube::kSelfSubjectAccessReviews, "",
                                     {{"spec", {{"resourceAttributes", {{"verb", verb}}}}}}));
    return review && json::boolean(*review, {"status", "allowed"});
  };
  EXPECT_TRUE(allowed("get"));
  EXPECT_FALSE(allowed("delete"));
}

TEST_F(FakeClusterTest, DependentsGoAfterTheirLastOwner) {
  const auto node = cluster_.addNode("n1");
  cluster_.add(kube::kLeases,
               {{"metadata",
                 {{"name", "n1"},
                  {"namespace", "kube-node-lease"},
                  {"ownerReferences",
                   Json::array({{{"kind", "Node"}, {"name", "n1"}, {"uid", node->uid()}}})}}}});
  ASSERT_TRUE(client_->remove(kube::kNodes, "", "n1", {}));
  rt_.settle();
  EXPECT_FALSE(cluster_.find(kube::kLeases, "kube-node-lease", "n1"));
  EXPECT_EQ(cluster_.history().back().actor, "garbage-collector");
}

TEST_F(FakeClusterTest, TheHistorySaysWhoDidWhat) {
  cluster_.addPod(pod("a", "n1"));
  ASSERT_TRUE(patchStatus("a", running()));
  const Change& last = cluster_.history().back();
  EXPECT_EQ(last.actor, "bridge");
  EXPECT_EQ(last.verb, "patch");
  EXPECT_EQ(last.subresource, "status");
  EXPECT_EQ(json::str(last.before->json(), {"status", "phase"}), "Pending");
  EXPECT_EQ(json::str(last.after->json(), {"status", "phase"}), "Running");
}

TEST_F(FakeClusterTest, ARestoredClusterGoesBackButKeepsItsHistory) {
  const auto uid = cluster_.addPod(pod("a"))->uid();
  const auto backup = cluster_.snapshot();
  const auto rv = cluster_.resourceVersion();
  cluster_.addPod(pod("b"));
  ASSERT_TRUE(client_->remove(kube::kPods, "t1", "a", {}));
  const std::size_t writes = cluster_.history().size();
  cluster_.restore(*backup);
  EXPECT_EQ(cluster_.resourceVersion(), rv);
  EXPECT_FALSE(cluster_.findPod("t1", "b"));
  EXPECT_EQ(cluster_.findPod("t1", "a")->uid(), uid);
  EXPECT_EQ(cluster_.history().size(), writes + 1);
  EXPECT_EQ(cluster_.history().back().verb, "restore");
}

TEST_F(FakeClusterTest, AnotherClusterHasAnotherIdentity) {
  const std::string id = cluster_.clusterId();
  cluster_.setClusterId("00000000-0000-4000-8000-000000000001");
  EXPECT_NE(cluster_.clusterId(), id);
  FakeCluster other(rt_, {.name = "other"});
  EXPECT_NE(other.clusterId(), id);
}

TEST_F(FakeClusterTest, RawPathsAnswerAsTheyAreSet) {
  EXPECT_EQ(*client_->getRaw("/readyz"), "ok");
  EXPECT_NE(client_->getRaw("/version")->find("v1.36.2"), std::string::npos);
  EXPECT_EQ(client_->getRaw("/nosuch").error().code, 404);
}

TEST_F(FakeClusterTest, AServiceAccountCanBeDemanded) {
  FakeCluster strict(rt_, {.name = "strict", .require_service_account = true});
  const auto client = strict.client("bridge");
  Json object = fullPod("a");
  object["metadata"].erase("namespace");
  const auto refused = client->create(kube::kPods, "default", object);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 403);
  strict.add({"", "v1", "serviceaccounts", true}, {{"metadata", {{"name", "default"}}}});
  EXPECT_TRUE(client->create(kube::kPods, "default", object));
}

TEST_F(FakeClusterTest, TheTokenVolumeIsAddedAsAdmissionDoes) {
  FakeCluster real(rt_, {.name = "real", .token_volume = true});
  const auto made = real.addPod(pod("a"));
  const Json& volumes = json::array(made->json(), {"spec", "volumes"});
  ASSERT_EQ(volumes.size(), 1U);
  EXPECT_TRUE(json::str(volumes[0], "name").starts_with("kube-api-access-"));
  EXPECT_EQ(
      json::array(json::array(made->json(), {"spec", "containers"})[0], {"volumeMounts"}).size(),
      1U);
}

}  // namespace
}  // namespace vkb::test
