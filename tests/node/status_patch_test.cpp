#include "node/status_patch.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::node {
namespace {

Json condition(const std::string& type, const std::string& status, const std::string& extra = "") {
  Json result{{"type", type}, {"status", status}};
  if (!extra.empty()) result["reason"] = extra;
  return result;
}

Json pod(Json status = {{"phase", "Pending"}}) {
  return {{"metadata",
           {{"namespace", "default"},
            {"name", "web"},
            {"uid", "home-uid"},
            {"annotations", {{"a", "1"}}}}},
          {"spec",
           {{"containers", Json::array({{{"name", "c1"}, {"image", "app:1"}},
                                        {{"name", "c2"}, {"image", "side:2"}}})},
            {"initContainers", Json::array({{{"name", "i"}, {"image", "init:1"}}})}}},
          {"status", std::move(status)}};
}

Json running() {
  return {{"phase", "Running"},
          {"podIP", "10.1.0.5"},
          {"podIPs", Json::array({{{"ip", "10.1.0.5"}}})},
          {"message", "m"},
          {"reason", "r"},
          {"conditions", Json::array({condition("Ready", "True"), condition("PodScheduled", "True"),
                                      condition("example.com/gate", "True")})},
          {"containerStatuses", Json::array({{{"name", "c1"}, {"restartCount", 0}}})}};
}

Json statusOf(const std::optional<Json>& patch) {
  return patch ? json::at(*patch, "status") : Json();
}

TEST(PodStatusPatch, CarriesTheUidSoThatItCanHitNoOtherPodOfThatName) {
  const auto by_status = podStatusPatch(pod(), running(), nullptr);
  ASSERT_TRUE(by_status);
  EXPECT_EQ(json::str(*by_status, {"metadata", "uid"}), "home-uid");
  const auto by_annotation = podStatusPatch(pod(running()), running(), {{"b", "2"}});
  ASSERT_TRUE(by_annotation);
  EXPECT_EQ(json::str(*by_annotation, {"metadata", "uid"}), "home-uid");
  EXPECT_FALSE(by_annotation->contains("status"));
}

TEST(PodStatusPatch, NothingIsSentWhenHomeShowsItAlready) {
  EXPECT_FALSE(podStatusPatch(pod(running()), running(), nullptr));
  EXPECT_FALSE(podStatusPatch(pod(running()), running(), {{"a", "1"}}));
}

TEST(PodStatusPatch, NullAndAbsentAreTheSame) {
  Json desired = running();
  desired["startTime"] = nullptr;
  desired["conditions"][0]["lastProbeTime"] = nullptr;
  EXPECT_FALSE(podStatusPatch(pod(running()), desired, nullptr));
  Json shown = running();
  shown["conditions"][0]["lastProbeTime"] = nullptr;
  shown["containerStatuses"][0]["lastState"] = nullptr;
  EXPECT_FALSE(podStatusPatch(pod(shown), running(), nullptr));
}

TEST(PodStatusPatch, OnlyWhatChangedIsSent) {
  Json desired = running();
  desired["containerStatuses"][0]["restartCount"] = 1;
  EXPECT_EQ(statusOf(podStatusPatch(pod(running()), desired, nullptr)),
            (Json{{"containerStatuses", desired["containerStatuses"]}}));
}

TEST(PodStatusPatch, OnlyAnnotationsThatDifferAreSent) {
  const auto patch = podStatusPatch(pod(running()), running(), {{"a", "1"}, {"b", "2"}});
  ASSERT_TRUE(patch);
  EXPECT_EQ(json::at(*patch, {"metadata", "annotations"}), (Json{{"b", "2"}}));
}

TEST(PodStatusPatch, ThePhaseNeverGoesBackwards) {
  Json desired = running();
  desired["phase"] = "Pending";
  EXPECT_FALSE(podStatusPatch(pod(running()), desired, nullptr));
  desired["phase"] = "Succeeded";
  EXPECT_EQ(statusOf(podStatusPatch(pod(running()), desired, nullptr)),
            (Json{{"phase", "Succeeded"}}));
  Json without = running();
  without.erase("phase");
  EXPECT_FALSE(podStatusPatch(pod(running()), without, nullptr));
}

TEST(PodStatusPatch, ATerminalPodIsLeftAsItIs) {
  for (const char* phase : {"Succeeded", "Failed"}) {
    EXPECT_FALSE(podStatusPatch(pod({{"phase", phase}}), running(), {{"new", "annotation"}}))
        << phase;
    EXPECT_FALSE(
        podStatusPatch(pod({{"phase", phase}}), {{"phase", "Failed"}, {"reason", "x"}}, nullptr));
  }
}

TEST(PodStatusPatch, ANodesConditionThatVanishedIsDeletedByName) {
  Json shown = running();
  shown["conditions"].push_back(condition("DisruptionTarget", "True"));
  shown["conditions"].push_back(condition("vk-bridge.io/DelegateScheduled", "False"));
  const Json deletions =
      json::at(statusOf(podStatusPatch(pod(shown), running(), nullptr)), "conditions");
  EXPECT_EQ(deletions,
            Json::array({{{"$patch", "delete"}, {"type", "DisruptionTarget"}},
                         {{"$patch", "delete"}, {"type", "vk-bridge.io/DelegateScheduled"}}}));
}

TEST(PodStatusPatch, AConditionsReasonThatIsNoLongerGivenIsTakenAway) {
  const Json home = {{"metadata", {{"uid", "u1"}}},
                     {"status",
                      {{"phase", "Running"},
                       {"conditions", Json::array({{{"type", "Ready"},
                                                    {"status", "False"},
                                                    {"reason", "TargetUnreachable"},
                                                    {"message", "no route"}}})}}}};
  const Json desired = {{"phase", "Running"},
                        {"conditions", Json::array({Json{{"type", "Ready"}, {"status", "True"}}})}};
  const auto patch = podStatusPatch(home, desired, nullptr);
  ASSERT_TRUE(patch);
  const Json& ready = patch->at("status").at("conditions").at(0);
  EXPECT_EQ(ready.at("status"), "True");
  EXPECT_TRUE(ready.contains("reason") && ready.at("reason").is_null());
  EXPECT_TRUE(ready.contains("message") && ready.at("message").is_null());
}

TEST(PodStatusPatch, ConditionsOfOthersStay) {
  Json desired = running();
  desired["conditions"] = Json::array({condition("Ready", "False")});
  const Json sent =
      json::at(statusOf(podStatusPatch(pod(running()), desired, nullptr)), "conditions");
  EXPECT_EQ(sent, Json::array({condition("Ready", "False")}))
      << "the gate and PodScheduled are not ours to delete";
}

TEST(PodStatusPatch, IpListsAreReplacedWhole) {
  Json desired = running();
  desired["podIP"] = "10.9.9.9";
  desired["podIPs"] = Json::array({{{"ip", "10.9.9.9"}}, {{"ip", "fd00::9"}}});
  const Json status = statusOf(podStatusPatch(pod(running()), desired, nullptr));
  EXPECT_EQ(status["podIPs"],
            Json::array({{{"$patch", "replace"}}, {{"ip", "10.9.9.9"}}, {{"ip", "fd00::9"}}}));
}

TEST(PodStatusPatch, TextsAndAddressesThatAreGoneAreTakenBack) {
  Json desired = running();
  for (const char* field : {"message", "reason", "podIP", "podIPs"}) desired.erase(field);
  const Json status = statusOf(podStatusPatch(pod(running()), desired, nullptr));
  EXPECT_EQ(
      status,
      (Json{{"message", nullptr}, {"reason", nullptr}, {"podIP", nullptr}, {"podIPs", nullptr}}));
}

TEST(PodStatusPatch, FieldsThatTheProviderDoesNotSpeakOfStay) {
  Json shown = running();
  shown["qosClass"] = "Burstable";
  shown["nominatedNodeName"] = "n";
  EXPECT_FALSE(podStatusPatch(pod(shown), running(), nullptr));
}

TEST(PodStatusPatch, WronglyTypedFieldsAreNoCrash) {
  EXPECT_TRUE(podStatusPatch(pod({{"phase", 7}, {"conditions", "no"}}), running(), nullptr));
  EXPECT_FALSE(
      podStatusPatch(pod(running()), Json("no"), nullptr).value_or(Json()).contains("$patch"));
  EXPECT_TRUE(podStatusPatch(Json(), running(), nullptr));
}

TEST(WaitingStatus, EveryContainerWaitsWithTheReasonInTheApisOwnWords) {
  const Json status = waitingStatus(
      pod({{"phase", "Pending"}, {"conditions", Json::array({condition("PodScheduled", "True")})}}),
      {.reason = "DelegateRefused", .message = "quota exceeded"});
  EXPECT_EQ(json::str(status, "phase"), "Pending");
  ASSERT_EQ(json::array(status, {"containerStatuses"}).size(), 2u);
  for (const auto& container : json::array(status, {"containerStatuses"})) {
    EXPECT_EQ(json::str(container, {"state", "waiting", "reason"}), "DelegateRefused");
    EXPECT_EQ(json::str(container, {"state", "waiting", "message"}), "quota exceeded");
    EXPECT_FALSE(json::boolean(container, {"ready"}, true));
  }
  EXPECT_EQ(json::array(status, {"conditions"}).size(), 1u) << "what home knows stays";
}

TEST(WaitingStatus, APodThatRunsIsNotSetBack) {
  for (const char* phase : {"Running", "Succeeded", "Failed"}) {
    EXPECT_TRUE(waitingStatus(pod({{"phase", phase}}), {}).is_null()) << phase;
  }
}

TEST(LostStatus, ThePodFailsAndItsContainersEndUnseen) {
  Json shown = running();
  shown["containerStatuses"] = Json::array(
      {{{"name", "c1"},
        {"ready", true},
        {"containerID", "containerd://1"},
        {"state", {{"running", {{"startedAt", "2026-01-01T00:00:00Z"}}}}}},
       {{"name", "c2"}, {"ready", false}, {"state", {{"terminated", {{"exitCode", 3}}}}}}});
  const Json status = lostStatus(pod(shown), "DelegateLost", "It is gone.", "2026-01-01T01:00:00Z");
  EXPECT_EQ(json::str(status, "phase"), "Failed");
  EXPECT_EQ(json::str(status, "reason"), "DelegateLost");
  EXPECT_EQ(json::str(status, "message"), "It is gone.");
  const Json& lost = status["containerStatuses"][0];
  EXPECT_EQ(json::integer(lost, {"state", "terminated", "exitCode"}), 137);
  EXPECT_EQ(json::str(lost, {"state", "terminated", "startedAt"}), "2026-01-01T00:00:00Z");
  EXPECT_EQ(json::str(lost, {"state", "terminated", "containerID"}), "containerd://1");
  EXPECT_TRUE(json::at(lost, {"state", "running"}).is_null());
  EXPECT_FALSE(json::boolean(lost, {"ready"}, true));
  EXPECT_EQ(json::integer(status["containerStatuses"][1], {"state", "terminated", "exitCode"}), 3)
      << "an end that was seen stays";
  for (const char* type : {"Ready", "ContainersReady"}) {
    const Json* entry = json::findBy(status["conditions"], "type", type);
    ASSERT_TRUE(entry) << type;
    EXPECT_EQ(json::str(*entry, "status"), "False");
  }
  EXPECT_TRUE(podStatusPatch(pod(shown), status, nullptr));
}

TEST(LostStatus, APodThatShowsNoContainersYetFailsToo) {
  const Json status = lostStatus(pod({{"phase", "Pending"}}), "DelegateLost", "m", "t");
  EXPECT_EQ(json::str(status, "phase"), "Failed");
  EXPECT_FALSE(status.contains("containerStatuses"));
}

TEST(UnreachableStatus, OnlyReadyBecomesFalseWithTheMomentItDid) {
  const Json status =
      unreachableStatus(pod(running()), "TargetUnreachable", "no route", "2026-01-01T01:00:00Z");
  Json expected = running();
  expected["conditions"][0] = {{"type", "Ready"},
                               {"status", "False"},
                               {"reason", "TargetUnreachable"},
                               {"message", "no route"},
                               {"lastTransitionTime", "2026-01-01T01:00:00Z"}};
  EXPECT_EQ(status, expected);
}

TEST(UnreachableStatus, APodThatIsNotReadyIsLeftAsItIs) {
  Json shown = running();
  shown["conditions"][0] = condition("Ready", "False", "ContainersNotReady");
  EXPECT_EQ(unreachableStatus(pod(shown), "TargetUnreachable", "m", "t"), shown);
  EXPECT_FALSE(podStatusPatch(pod({{"phase", "Pending"}}),
                              unreachableStatus(pod({{"phase", "Pending"}}), "r", "m", "t"),
                              nullptr));
}

TEST(LostReason, IsTheTargetsWordWhereItGaveOne) {
  const auto pod = [](const char* status, const char* reason) -> Json {
    return {{"status",
             {{"conditions",
               {{{"type", "DisruptionTarget"}, {"status", status}, {"reason", reason}}}}}}};
  };
  EXPECT_EQ(lostReason(Json()), "DelegateLost");
  EXPECT_EQ(lostReason(pod("True", "EvictionByEvictionAPI")), "Evicted");
  EXPECT_EQ(lostReason(pod("False", "EvictionByEvictionAPI")), "DelegateLost");
  EXPECT_EQ(lostReason(pod("True", "PreemptionByScheduler")), "PreemptionByScheduler");
  EXPECT_EQ(lostReason(pod("True", "DeletionByTaintManager")), "DeletionByTaintManager");
  EXPECT_EQ(lostReason(pod("True", "DeletedInTarget")), "DelegateLost") << "our own word";
  EXPECT_EQ(lostReason(pod("True", "")), "DelegateLost");
}

}  // namespace
}  // namespace vkb::node
