#include <gtest/gtest.h>

#include "reflect_pods.h"

namespace vkb::bridge {
namespace {

TEST(Reflect, AWholeStatus) {
  EXPECT_EQ(reflect(homePod(), delegatePod(), kContext), R"({
    "phase": "Running",
    "conditions": [
      {"type": "PodReadyToStartContainers", "status": "True", "lastProbeTime": null,
        "lastTransitionTime": "2026-11-22T08:29:22Z"},
      {"type": "Initialized", "status": "True", "lastProbeTime": null,
        "lastTransitionTime": "2026-11-22T08:29:23Z"},
      {"type": "ContainersReady", "status": "True", "lastProbeTime": null,
        "lastTransitionTime": "2026-11-22T08:29:25Z"},
      {"type": "Ready", "status": "True", "lastProbeTime": null,
        "lastTransitionTime": "2026-11-22T08:29:25Z"}],
    "hostIP": "192.0.2.1", "hostIPs": [{"ip": "192.0.2.1"}],
    "podIP": "10.88.0.5", "podIPs": [{"ip": "10.88.0.5"}, {"ip": "fd00:88::5"}],
    "startTime": "2026-11-22T08:29:21Z",
    "initContainerStatuses": [{"name": "i", "ready": true, "restartCount": 0,
      "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}],
    "containerStatuses": [
      {"name": "c", "ready": true, "started": true, "restartCount": 2,
        "state": {"running": {"startedAt": "2026-11-22T08:29:23Z"}}, "lastState": {},
        "image": "registry.example/app:1", "imageID": "app@sha256:0", "containerID": "cri://1",
        "allocatedResources": {"cpu": "100m"}, "resources": {"requests": {"cpu": "100m"}},
        "statusOf2030": {"x": 1}}]})"_json);
}

class NeverSent : public testing::TestWithParam<const char*> {};

TEST_P(NeverSent, StaysInTheTarget) {
  Json delegate = delegatePod();
  delegate["status"][GetParam()] = "x";
  EXPECT_FALSE(reflect(homePod(), delegate, kContext).contains(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Fields, NeverSent,
                         testing::Values("qosClass", "nominatedNodeName", "observedGeneration",
                                         "resize", "resources", "allocatedResources",
                                         "resourceClaimStatuses", "extendedResourceClaimStatus"));

TEST(Reflect, FieldsNewerThanThisProgramPass) {
  Json delegate = delegatePod();
  delegate["status"]["fieldOf2030"] = {{"deep", 1}};
  delegate["status"]["message"] = "The node was low on resource: memory.";
  delegate["status"]["reason"] = "Evicted";
  const Json status = reflect(homePod(), delegate, kContext);
  EXPECT_EQ(status["fieldOf2030"], R"({"deep": 1})"_json);
  EXPECT_EQ(status["message"], "The node was low on resource: memory.");
  EXPECT_EQ(status["reason"], "Evicted");
}

TEST(Reflect, WhatCannotBeReadIsNoCrash) {
  for (const Json& odd : {Json(), Json("x"), R"({"status": []})"_json,
                          R"({"metadata": {"deletionTimestamp": "soon"},
                              "spec": {"containers": 5, "readinessGates": {}},
                              "status": {"conditions": [null, 3, {"type": 4}], "podIP": 7,
                                         "containerStatuses": [null, {"name": 1}],
                                         "initContainerStatuses": "x"}})"_json}) {
    EXPECT_EQ(reflect(odd, odd, kContext)["phase"], "Pending");
    EXPECT_TRUE(reflect(homePod(), odd, kContext)["conditions"].is_array());
    EXPECT_TRUE(reflect(odd, delegatePod(), kContext)["conditions"].is_array());
  }
}

struct PhaseCase {
  const char *home, *delegate, *wanted;
};

class Phase : public testing::TestWithParam<PhaseCase> {};

TEST_P(Phase, IsTheTargetsAndNeverGoesBackwards) {
  Json home = homePod(), delegate = delegatePod();
  home["status"]["phase"] = GetParam().home;
  delegate["status"]["phase"] = GetParam().delegate;
  EXPECT_EQ(reflect(home, delegate, kContext)["phase"], GetParam().wanted);
}

INSTANTIATE_TEST_SUITE_P(Phases, Phase,
                         testing::Values(PhaseCase{"Pending", "Pending", "Pending"},
                                         PhaseCase{"Pending", "Running", "Running"},
                                         PhaseCase{"Running", "Failed", "Failed"},
                                         PhaseCase{"Pending", "Succeeded", "Succeeded"},
                                         PhaseCase{"Running", "Pending", "Running"},
                                         PhaseCase{"Running", "Unknown", "Unknown"},
                                         PhaseCase{"Running", "", "Running"},
                                         PhaseCase{"", "", "Pending"}));

TEST(ReflectAddresses, WithoutAPodIpThereIsNoHostIp) {
  Json delegate = delegatePod();
  delegate["status"].erase("podIP");
  delegate["status"].erase("podIPs");
  const Json status = reflect(homePod(), delegate, kContext);
  EXPECT_FALSE(status.contains("hostIP"));
  EXPECT_FALSE(status.contains("hostIPs"));
}

TEST(ReflectAddresses, HostIpsAreOnlySentWhereSomebodyKnowsThem) {
  Json home = homePod(), delegate = delegatePod();
  delegate["status"].erase("hostIPs");
  EXPECT_FALSE(reflect(home, delegate, kContext).contains("hostIPs"));
  EXPECT_EQ(reflect(home, delegate, kContext)["hostIP"], "192.0.2.1");
  home["status"]["hostIPs"] = R"([{"ip": "192.0.2.99"}])"_json;
  EXPECT_EQ(reflect(home, delegate, kContext)["hostIPs"], R"([{"ip": "192.0.2.1"}])"_json);
}

TEST(ReflectAddresses, WithoutANodeAddressTheTargetsIsNotShown) {
  EXPECT_FALSE(reflect(homePod(), delegatePod(), {}).contains("hostIP"));
}

TEST(ReflectConditions, HomesOwnAreLeftOut) {
  Json home = homePod(), delegate = delegatePod();
  home["spec"]["readinessGates"] = R"([{"conditionType": "example.com/lb"}])"_json;
  conditionOf(delegate, "example.com/lb")["status"] = "True";
  conditionOf(delegate, "example.com/of-target")["status"] = "True";
  const Json status = reflect(home, delegate, kContext);
  EXPECT_TRUE(shown(status, "PodScheduled").is_null());
  EXPECT_TRUE(shown(status, "example.com/lb").is_null());
  EXPECT_FALSE(shown(status, "example.com/of-target").is_null());
}

TEST(ReflectConditions, ADelegateThatCannotBeScheduledSaysSo) {
  Json delegate = delegatePod();
  conditionOf(delegate, "PodScheduled") = R"({"type": "PodScheduled", "status": "False",
    "reason": "Unschedulable", "message": "0/3 nodes are available: 3 Insufficient cpu.",
    "lastProbeTime": null, "lastTransitionTime": "2026-11-22T08:29:21Z"})"_json;
  const Json status = reflect(homePod(), delegate, kContext);
  EXPECT_EQ(shown(status, "vk-bridge.io/DelegateScheduled"), R"({
    "type": "vk-bridge.io/DelegateScheduled", "status": "False", "reason": "Unschedulable",
    "message": "0/3 nodes are available: 3 Insufficient cpu.", "lastProbeTime": null,
    "lastTransitionTime": "2026-11-22T08:29:21Z"})"_json);
  conditionOf(delegate, "PodScheduled")["status"] = "True";
  EXPECT_TRUE(
      shown(reflect(homePod(), delegate, kContext), "vk-bridge.io/DelegateScheduled").is_null());
}

struct ReadyCase {
  const char *what, *ready, *containers_ready, *gate, *wanted, *reason;
};

class Ready : public testing::TestWithParam<ReadyCase> {};

TEST_P(Ready, IsTheDelegatesAndHomesGates) {
  const ReadyCase& param = GetParam();
  Json home = homePod(), delegate = delegatePod();
  Json kept = Json::array();
  for (const Json& found : delegate["status"]["conditions"]) {
    if (found["type"] != "Ready" && found["type"] != "ContainersReady") kept.push_back(found);
  }
  delegate["status"]["conditions"] = kept;
  const auto set = [&](const char* type, const char* status) {
    if (*status == '\0') return;
    conditionOf(delegate, type) = {{"type", type},
                                   {"status", status},
                                   {"reason", "FromTarget"},
                                   {"lastTransitionTime", "2026-11-22T08:29:25Z"}};
  };
  set("Ready", param.ready);
  set("ContainersReady", param.containers_ready);
  if (*param.gate != '\0') {
    home["spec"]["readinessGates"] = R"([{"conditionType": "example.com/lb"}])"_json;
    if (std::string(param.gate) != "missing") {
      conditionOf(home, "example.com/lb") = {{"type", "example.com/lb"},
                                             {"status", param.gate},
                                             {"lastTransitionTime", "2026-11-22T08:30:00Z"}};
    }
  }
  const Json status = reflect(home, delegate, kContext);
  const Json& ready = shown(status, "Ready");
  EXPECT_EQ(json::str(ready, "status"), param.wanted) << param.what;
  EXPECT_EQ(json::str(ready, "reason"), param.reason) << param.what;
}

INSTANTIATE_TEST_SUITE_P(
    Conditions, Ready,
    testing::Values(
        ReadyCase{"all well", "True", "True", "", "True", "FromTarget"},
        ReadyCase{"containers not ready", "False", "False", "", "False", "FromTarget"},
        ReadyCase{"the target's node is lost", "False", "True", "", "False", "FromTarget"},
        ReadyCase{"no Ready yet", "", "True", "", "True", "FromTarget"},
        ReadyCase{"no Ready, not ready", "", "False", "", "False", "FromTarget"},
        ReadyCase{"only Ready", "True", "", "", "False", "ContainersNotReady"},
        ReadyCase{"nothing said", "", "", "", "", ""},
        ReadyCase{"gate open", "True", "True", "True", "True", "FromTarget"},
        ReadyCase{"gate shut", "True", "True", "False", "False", "ReadinessGatesNotReady"},
        ReadyCase{"gate not set", "True", "True", "missing", "False", "ReadinessGatesNotReady"},
        ReadyCase{"gate open, not ready", "False", "False", "True", "False", "FromTarget"}));

TEST(ReflectReady, TheMomentOfTheLastThingThatMadeItSoIsShown) {
  Json home = homePod(), delegate = delegatePod();
  home["spec"]["readinessGates"] = R"([{"conditionType": "example.com/lb"}])"_json;
  conditionOf(home, "example.com/lb") =
      R"({"type": "example.com/lb", "status": "True",
          "lastTransitionTime": "2026-11-22T08:30:00Z"})"_json;
  EXPECT_EQ(shown(reflect(home, delegate, kContext), "Ready")["lastTransitionTime"],
            "2026-11-22T08:30:00Z");
  conditionOf(home, "example.com/lb")["lastTransitionTime"] = "2026-11-22T08:00:00Z";
  EXPECT_EQ(shown(reflect(home, delegate, kContext), "Ready")["lastTransitionTime"],
            "2026-11-22T08:29:25Z");
}

TEST(ReflectReady, EveryGateThatHoldsItBackIsNamed) {
  Json home = homePod();
  home["spec"]["readinessGates"] = R"([{"conditionType": "a"}, {"conditionType": "b"}])"_json;
  conditionOf(home, "b")["status"] = "False";
  EXPECT_EQ(shown(reflect(home, delegatePod(), kContext), "Ready")["message"],
            "corresponding condition of pod readiness gate \"a\" does not exist., "
            "corresponding condition of pod readiness gate \"b\" does not have status \"True\".");
}

class Disruption : public testing::Test {
 protected:
  Disruption() {
    delegate_["metadata"]["deletionTimestamp"] = "2026-11-22T08:30:30Z";
    delegate_["metadata"]["deletionGracePeriodSeconds"] = 30;
  }
  Json home_ = homePod(), delegate_ = delegatePod();
};

TEST_F(Disruption, ADelegateDeletedOnTheTargetsSideIsNotReadyAtOnce) {
  const Json status = reflect(home_, delegate_, kContext);
  EXPECT_EQ(status["phase"], "Running");
  for (const auto& [type, wanted] : {std::pair{"Ready", "False"}, {"DisruptionTarget", "True"}}) {
    const Json& found = shown(status, type);
    EXPECT_EQ(found["status"], wanted);
    EXPECT_EQ(found["reason"], "DeletedInTarget");
    EXPECT_EQ(found["lastTransitionTime"], "2026-11-22T08:30:00Z") << "when deletion was asked for";
  }
}

TEST_F(Disruption, TheTargetsOwnWordsForItPass) {
  conditionOf(delegate_, "DisruptionTarget") = R"({"type": "DisruptionTarget", "status": "True",
    "reason": "EvictionByEvictionAPI", "lastTransitionTime": "2026-11-22T08:30:00Z"})"_json;
  const Json status = reflect(home_, delegate_, kContext);
  EXPECT_EQ(shown(status, "DisruptionTarget")["reason"], "EvictionByEvictionAPI");
  EXPECT_EQ(shown(status, "Ready")["status"], "False");
}

TEST_F(Disruption, ADeletionThatHomeAskedForIsNone) {
  home_["metadata"]["deletionTimestamp"] = "2026-11-22T08:30:29Z";
  const Json status = reflect(home_, delegate_, kContext);
  EXPECT_TRUE(shown(status, "DisruptionTarget").is_null());
  EXPECT_EQ(shown(status, "Ready")["status"], "True");
}

TEST_F(Disruption, RemainsThatAreClearedAwayChangeNothing) {
  delegate_["status"]["phase"] = "Failed";
  conditionOf(delegate_, "Ready")["status"] = "False";
  conditionOf(delegate_, "ContainersReady")["status"] = "False";
  const Json status = reflect(home_, delegate_, kContext);
  EXPECT_TRUE(shown(status, "DisruptionTarget").is_null());
  EXPECT_EQ(json::str(shown(status, "Ready"), "reason"), "");
}

TEST_F(Disruption, AFalseOneIsReplacedNotDoubled) {
  conditionOf(delegate_, "DisruptionTarget")["status"] = "False";
  const Json status = reflect(home_, delegate_, kContext);
  int count = 0;
  for (const Json& found : status["conditions"]) count += found["type"] == "DisruptionTarget";
  EXPECT_EQ(count, 1);
  EXPECT_EQ(shown(status, "DisruptionTarget")["status"], "True");
}

}  // namespace
}  // namespace vkb::bridge
