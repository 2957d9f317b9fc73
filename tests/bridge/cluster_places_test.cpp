// Namespace strategies and updates in place, between two whole clusters.

#include <gmock/gmock.h>

#include "bridge/forge_parts.h"
#include "cluster_fixture.h"

namespace vkb::bridge {
namespace {

using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

state::ClusterOptions strategy(state::NamespaceStrategy which, const std::string& text) {
  state::ClusterOptions options;
  options.pods.namespace_strategy = which;
  options.pods.namespace_text = text;
  return options;
}

const auto kPrefixed = strategy(state::NamespaceStrategy::kPrefix, "berlin");
const auto kSingle = strategy(state::NamespaceStrategy::kSingle, "batch");

class Places : public ClusterTest {
 protected:
  static std::string singleName(const std::string& ns, const std::string& name) {
    return name + "-" + hex(fnv1a(ns + "/" + name), 8);
  }
};

TEST_F(Places, UnderStrategyPrefixAPodRunsAndEnds) {
  start(kPrefixed);
  addHomePod("a");
  runtime_.advance(seconds(10));
  const auto delegate = foundPod(target_, "a", "berlin-work");
  ASSERT_TRUE(delegate);
  EXPECT_EQ(json::str(target_.find(kube::kNamespaces, "", "berlin-work")->json(),
                      {"metadata", "labels", kLabelHomeCluster}),
            home_.clusterId());
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a"));
  runtime_.advance(seconds(20));
  EXPECT_TRUE(homePod("a").is_null());
  EXPECT_FALSE(foundPod(target_, "a", "berlin-work"));
}

TEST_F(Places, UnderStrategySinglePodsOfOneNameInTwoNamespacesRunSideBySide) {
  start(kSingle);
  addHomePod("a");
  addHomePod("a", "t1", {{"metadata", {{"namespace", "other"}}}});
  runtime_.advance(seconds(10));
  EXPECT_THAT(target_.podsIn("batch"), SizeIs(2));
  const auto delegate = foundPod(target_, singleName("work", "a"), "batch");
  ASSERT_TRUE(delegate);
  EXPECT_EQ(json::str(delegate->json(), {"spec", "hostname"}), "a");
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  EXPECT_EQ(phaseOf(foundPod(home_, "a", "other")->json()), "Running");
}

TEST_F(Places, TheSingleNamespaceNeedsNoOtherWordFromTheOperator) {
  target_.addNamespace("batch");
  start(kSingle);
  addHomePod("a");
  runtime_.advance(seconds(10));
  const auto delegate = foundPod(target_, singleName("work", "a"), "batch");
  ASSERT_TRUE(delegate);
  EXPECT_TRUE(
      json::at(delegate->json(), {"metadata", "labels", "home.vk-bridge.io/app"}).is_string())
      << "others use it too";
}

TEST_F(Places, ThatAnotherHomePodHoldsByChanceIsEvaded) {
  // What a collision of hashes looks like: another home pod's delegate has the name.
  const auto other = addHomePod("a", "t1", {{"metadata", {{"namespace", "elsewhere"}}}});
  target_.addNamespace("batch", {{kLabelHomeCluster, home_.clusterId()}});
  target_.addPod({{"metadata",
                   {{"name", singleName("work", "a")},
                    {"namespace", "batch"},
                    {"labels",
                     {{kLabelHomeCluster, home_.clusterId()},
                      {kLabelNode, "t1"},
                      {kLabelHomeUid, other->uid()}}},
                    {"annotations", {{kAnnotationHomePod, "elsewhere/a"}}}}}});
  start(kSingle);
  runtime_.advance(seconds(10));
  addHomePod("a");
  runtime_.advance(seconds(10));
  EXPECT_TRUE(foundPod(target_, "a-" + hex(fnv1a("work/a#1"), 8), "batch"));
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  EXPECT_EQ(phaseOf(foundPod(home_, "a", "elsewhere")->json()), "Running");
  EXPECT_THAT(target_.podsIn("batch"), SizeIs(2));
}

TEST_F(Places, AnotherStrategyMovesNoRunningPodNotEvenAfterTheRecordsAreLost) {
  start();
  addHomePod("a");
  runtime_.advance(seconds(10));
  const std::string uid = uidOf(delegate("a"));
  for (const bool lose_records : {false, true}) {
    const auto since = mark(target_);
    cluster_.reset();
    if (lose_records) {
      for (const PodRecord& record : records()) ASSERT_TRUE(database_->erase(record.uid));
    }
    restart(kSingle);
    runtime_.advance(seconds(30));
    EXPECT_EQ(uidOf(delegate("a")), uid);
    EXPECT_THAT(writes(target_, since, "pods"), IsEmpty());
    ASSERT_THAT(records(), SizeIs(1));
    EXPECT_EQ(records()[0].place_ns, "work");
  }
  // The next one goes where pods go now.
  addHomePod("b");
  runtime_.advance(seconds(10));
  EXPECT_TRUE(foundPod(target_, singleName("work", "b"), "batch"));
}

class InPlace : public ClusterTest {
 protected:
  InPlace() {
    start();
    addHomePod(
        "a", "t1",
        {{"spec",
          {{"containers", Json::array({{{"name", "c"},
                                        {"image", "i"},
                                        {"resources", {{"requests", {{"cpu", "100m"}}}}}}})}}}});
    runtime_.advance(seconds(10));
  }
  void resizeHome(const char* cpu) {
    ASSERT_TRUE(home_.patch(
        "user", kube::kPods, "work", "a", kube::PatchType::kStrategicMerge,
        {{"spec",
          {{"containers",
            Json::array({{{"name", "c"}, {"resources", {{"requests", {{"cpu", cpu}}}}}}})}}}},
        "resize"));
    runtime_.advance(seconds(5));
  }
  void debugHome(const char* name) {
    ASSERT_TRUE(home_.patch(
        "user", kube::kPods, "work", "a", kube::PatchType::kStrategicMerge,
        {{"spec",
          {{"ephemeralContainers", Json::array({{{"name", name}, {"image", "busybox"}}})}}}},
        "ephemeralcontainers"));
    runtime_.advance(seconds(5));
  }
  std::string cpuThere() const {
    return json::str(delegate("a")["spec"]["containers"][0], {"resources", "requests", "cpu"});
  }
  void withoutSubresources() {
    target_.raw_paths["/version"] = R"({"major": "1", "minor": "20", "gitVersion": "v1.20.2"})";
    target_.raw_paths["/api/v1"] = R"({"kind": "APIResourceList", "resources": []})";
  }
};

TEST_F(InPlace, AResizeReachesTheDelegate) {
  const auto since = mark(target_);
  resizeHome("200m");
  EXPECT_EQ(cpuThere(), "200m");
  EXPECT_THAT(writes(target_, since, "pods"),
              ElementsAre("patch pods/resize work/a", "patch pods work/a"));
  runtime_.advance(seconds(60));
  EXPECT_THAT(writes(target_, since, "pods"), SizeIs(2)) << "once";
}

TEST_F(InPlace, EphemeralContainersReachTheDelegateOneByOne) {
  debugHome("first");
  debugHome("second");
  const Json there = json::array(delegate("a"), {"spec", "ephemeralContainers"});
  ASSERT_THAT(there, SizeIs(2));
  EXPECT_NE(json::findBy(there, "name", "first"), nullptr);
  EXPECT_NE(json::findBy(there, "name", "second"), nullptr);
}

TEST_F(InPlace, ThoseThatAPodHadBeforeItsDelegateAreAddedRightAfterIt) {
  target_.setDown(true);
  addHomePod("b");
  ASSERT_TRUE(home_.patch(
      "user", kube::kPods, "work", "b", kube::PatchType::kStrategicMerge,
      {{"spec", {{"ephemeralContainers", Json::array({{{"name", "d"}, {"image", "busybox"}}})}}}},
      "ephemeralcontainers"));
  comeBack();
  EXPECT_THAT(json::array(delegate("b"), {"spec", "ephemeralContainers"}), SizeIs(1));
}

TEST_F(InPlace, WhatTheTargetCannotDoIsSaidAndTheRestIsDone) {
  withoutSubresources();
  resizeHome("200m");
  EXPECT_EQ(cpuThere(), "100m");
  ASSERT_THAT(events(kReasonDelegateRefused), SizeIs(1));
  EXPECT_THAT(events(kReasonDelegateRefused)[0], HasSubstr("does not support"));
  EXPECT_EQ(phaseOf(homePod("a")), "Running");
  home_.edit(kube::kPods, "work", "a", {{"metadata", {{"labels", {{"new", "1"}}}}}});
  runtime_.advance(seconds(5));
  EXPECT_EQ(json::str(delegate("a"), {"metadata", "labels", "new"}), "1");
}

TEST_F(InPlace, ARefusedResizeIsTriedAgainByTheNextBridge) {
  withoutSubresources();
  resizeHome("200m");
  target_.raw_paths["/api/v1"] =
      R"({"kind": "APIResourceList", "resources": [{"name": "pods/resize", "kind": "Pod"}]})";
  restart();
  runtime_.advance(seconds(10));
  EXPECT_EQ(cpuThere(), "200m");
}

TEST_F(InPlace, WhyADelegateDoesNotGetOnIsToldAtHome) {
  addHomePod("slow");
  runtime_.advance(seconds(5));
  target_.setPodStatus(
      "work", "slow",
      {{"conditions", Json::array({{{"type", "Ready"}, {"status", "False"}},
                                   {{"type", "ContainersReady"}, {"status", "False"}}})}});
  target_.add(kube::kEvents,
              {{"metadata", {{"name", "e1"}, {"namespace", "work"}}},
               {"involvedObject",
                {{"kind", "Pod"}, {"namespace", "work"}, {"uid", uidOf(delegate("slow"))}}},
               {"type", "Warning"},
               {"reason", "FailedMount"},
               {"message", "no such volume"},
               {"lastTimestamp", "2026-11-22T08:30:00Z"}});
  runtime_.advance(seconds(15));
  EXPECT_THAT(events("FailedMount"), Contains("t1: no such volume"));
}

}  // namespace
}  // namespace vkb::bridge
