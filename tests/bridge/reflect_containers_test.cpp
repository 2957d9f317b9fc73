#include <gtest/gtest.h>

#include "bridge/forge.h"
#include "bridge/names.h"
#include "json/json.h"
#include "reflect_pods.h"

namespace vkb::bridge {
namespace {

class ReflectContainers : public testing::Test {
 protected:
  Json status() const { return reflect(home_, delegate_, context_); }
  /// The delegate is not ready, as its kubelet says it.
  void notReady(const std::string& names) {
    for (const char* type : {"Ready", "ContainersReady"}) {
      Json& found = conditionOf(delegate_, type);
      found["status"] = "False";
      found["reason"] = "ContainersNotReady";
      found["message"] = "containers with unready status: [" + names + "]";
    }
  }
  Json& statusOf(const char* list, std::size_t index) { return delegate_["status"][list][index]; }

  Json home_ = homePod(), delegate_ = delegatePod();
  ReflectContext context_ = kContext;
};

TEST_F(ReflectContainers, AllKindsAreFilteredByHomesContainers) {
  home_["spec"]["ephemeralContainers"] = R"([{"name": "debug"}])"_json;
  delegate_["status"]["ephemeralContainerStatuses"] =
      R"([{"name": "other"}, {"name": "debug", "state": {"running": {}}}])"_json;
  delegate_["status"]["initContainerStatuses"] = R"([{"name": "mesh-init"}])"_json;
  const Json shown_status = status();
  EXPECT_EQ(shown_status["ephemeralContainerStatuses"],
            R"([{"name": "debug", "state": {"running": {}}}])"_json);
  EXPECT_FALSE(shown_status.contains("initContainerStatuses"));
}

TEST_F(ReflectContainers, ARestartCountNeverGoesDown) {
  home_["status"]["containerStatuses"] = R"([{"name": "c", "restartCount": 7}])"_json;
  home_["status"]["initContainerStatuses"] = R"([{"name": "i", "restartCount": 1}])"_json;
  EXPECT_EQ(status()["containerStatuses"][0]["restartCount"], 7) << "the delegate was made anew";
  EXPECT_EQ(status()["initContainerStatuses"][0]["restartCount"], 1);
  statusOf("containerStatuses", 0)["restartCount"] = 8;
  EXPECT_EQ(status()["containerStatuses"][0]["restartCount"], 8);
  home_["status"]["containerStatuses"][0]["restartCount"] = "many";
  EXPECT_EQ(status()["containerStatuses"][0]["restartCount"], 8);
}

TEST_F(ReflectContainers, RestartsGoOnFromWhereTheLostDelegateWas) {
  delegate_["metadata"]["annotations"][kAnnotationRestartsBefore] = R"({"c": 5, "gone": 3})";
  const auto there = json::integer(statusOf("containerStatuses", 0), {"restartCount"}).value_or(0);
  EXPECT_EQ(status()["containerStatuses"][0]["restartCount"], there + 5);
  home_["status"]["containerStatuses"] = R"([{"name": "c", "restartCount": 6}])"_json;
  statusOf("containerStatuses", 0)["restartCount"] = 2;
  EXPECT_EQ(status()["containerStatuses"][0]["restartCount"], 7);
}

TEST_F(ReflectContainers, ANoteOfRestartsThatCannotBeBelievedIsNot) {
  const Json as_it_is = status();
  for (const char* odd : {R"({"c": -4})", R"({"c": 99999999999})", R"({"c": "x"})", "[1]", "{"}) {
    delegate_["metadata"]["annotations"][kAnnotationRestartsBefore] = odd;
    EXPECT_EQ(status(), as_it_is) << odd;
  }
}

TEST(RestartsAtHome, CountTheLostRunOfContainersThatRan) {
  using Counts = std::map<std::string, std::int64_t>;
  EXPECT_EQ(restartsAtHome(R"({"spec": {}})"_json), Counts{});
  EXPECT_EQ(restartsAtHome(R"({"status": {"containerStatuses": [
      {"name": "a", "restartCount": 4, "state": {"running": {}}},
      {"name": "b", "restartCount": 0, "state": {"waiting": {"reason": "DependencyMissing"}}},
      {"name": "c", "restartCount": 0, "containerID": "x", "state": {"waiting": {}}}],
    "initContainerStatuses": [{"name": "i", "restartCount": 1, "state": {"terminated": {}}}],
    "ephemeralContainerStatuses": [{"name": "e", "restartCount": 0, "state": {"running": {}}}]}})"_json),
            (Counts{{"a", 5}, {"c", 1}, {"i", 2}}));
}

TEST_F(ReflectContainers, OneInjectedInTheTargetDoesNotMakeHomesPodUnready) {
  notReady("mesh");
  statusOf("containerStatuses", 1)["ready"] = false;
  for (const char* type : {"Ready", "ContainersReady"}) {
    EXPECT_EQ(shown(status(), type)["status"], "True") << type;
    EXPECT_FALSE(shown(status(), type).contains("message")) << type;
  }
}

TEST_F(ReflectContainers, AnInjectedSidecarIsNoneOfHomesEither) {
  delegate_["spec"]["containers"] = R"([{"name": "c"}])"_json;
  delegate_["spec"]["initContainers"] =
      R"([{"name": "i"}, {"name": "proxy", "restartPolicy": "Always"}])"_json;
  notReady("proxy");
  EXPECT_EQ(shown(status(), "Ready")["status"], "True");
  // An ordinary init container does not decide about readiness.
  delegate_["spec"]["initContainers"][1].erase("restartPolicy");
  EXPECT_EQ(shown(status(), "Ready")["status"], "False");
}

TEST_F(ReflectContainers, HomesOwnThatIsNotReadyIsNamedAlone) {
  notReady("mesh c");
  statusOf("containerStatuses", 0)["ready"] = false;
  for (const char* type : {"Ready", "ContainersReady"}) {
    EXPECT_EQ(shown(status(), type)["status"], "False") << type;
    EXPECT_EQ(shown(status(), type)["message"], "containers with unready status: [c]") << type;
  }
}

TEST_F(ReflectContainers, HomesSidecarCountsAsTheKubeletCountsIt) {
  home_["spec"]["initContainers"].push_back({{"name", "side"}, {"restartPolicy", "Always"}});
  delegate_["spec"]["initContainers"] = home_["spec"]["initContainers"];
  notReady("mesh side");
  statusOf("initContainerStatuses", 1) = R"({"name": "side", "ready": false})"_json;
  EXPECT_EQ(shown(status(), "Ready")["message"], "containers with unready status: [side]");
  statusOf("initContainerStatuses", 1)["ready"] = true;
  EXPECT_EQ(shown(status(), "Ready")["status"], "True");
}

TEST_F(ReflectContainers, WithNothingInjectedTheKubeletsWordsStand) {
  delegate_["spec"]["containers"] = R"([{"name": "c"}])"_json;
  notReady("anything");
  EXPECT_EQ(shown(status(), "Ready")["message"], "containers with unready status: [anything]");
}

TEST_F(ReflectContainers, ALostNodeIsNotTalkedAwayByAnInjectedContainer) {
  conditionOf(delegate_, "Ready")["status"] = "False";
  conditionOf(delegate_, "Ready")["reason"] = "NodeLost";
  EXPECT_EQ(shown(status(), "Ready")["reason"], "NodeLost");
}

TEST_F(ReflectContainers, AReadinessGateOfTheTargetsIsNotHomes) {
  Json& ready = conditionOf(delegate_, "Ready");
  ready["status"] = "False";
  ready["reason"] = "ReadinessGatesNotReady";
  EXPECT_EQ(shown(status(), "Ready")["status"], "True");
}

TEST_F(ReflectContainers, AResizeIsShownWhenItIsHomes) {
  const Json asked = R"({"requests": {"cpu": "150m"}})"_json;
  home_["spec"]["containers"][0]["resources"] = asked;
  conditionOf(delegate_, "PodResizePending") =
      R"({"type": "PodResizePending", "status": "True", "reason": "Deferred",
          "observedGeneration": 2, "lastTransitionTime": "2026-11-22T08:31:00Z"})"_json;
  delegate_["spec"]["containers"][1]["resources"] = R"({"requests": {"cpu": "900m"}})"_json;
  EXPECT_TRUE(shown(status(), "PodResizePending").is_null()) << "somebody else's";
  delegate_["spec"]["containers"][1]["resources"] =
      R"({"requests": {"cpu": "150m", "memory": "1Gi"}})"_json;
  EXPECT_EQ(shown(status(), "PodResizePending")["reason"], "Deferred");
  EXPECT_FALSE(shown(status(), "PodResizePending").contains("observedGeneration"));
}

TEST_F(ReflectContainers, PodIpsAreHiddenWhereTheOperatorSaysSo) {
  context_.hide_pod_ips = true;
  EXPECT_FALSE(status().contains("podIP"));
  EXPECT_FALSE(status().contains("podIPs"));
  EXPECT_EQ(status()["hostIP"], "192.0.2.1");
}

class ObservedGeneration : public ReflectContainers {
 protected:
  ObservedGeneration() {
    home_["metadata"]["generation"] = 3;
    home_["status"]["conditions"][0]["observedGeneration"] = 1;  // the scheduler's
    delegate_["metadata"]["annotations"][kAnnotationInputsHash] = "1:now";
    context_.inputs_hash = "1:now";
  }
  Json shownGeneration() const { return status().value("observedGeneration", Json()); }
};

TEST_F(ObservedGeneration, IsHomesOnceTheDelegateIsUpToDate) {
  EXPECT_EQ(shownGeneration(), 3);
  context_.inputs_hash = "1:newer";
  EXPECT_TRUE(shownGeneration().is_null());
}

TEST_F(ObservedGeneration, WaitsForTheKubeletThere) {
  delegate_["metadata"]["generation"] = 2;
  EXPECT_TRUE(shownGeneration().is_null());
  delegate_["status"]["observedGeneration"] = 2;
  EXPECT_EQ(shownGeneration(), 3);
  delegate_["status"].erase("observedGeneration");  // an older target: it has started the pod
  delegate_["metadata"].erase("generation");
  EXPECT_EQ(shownGeneration(), 3);
  delegate_["status"].erase("startTime");
  EXPECT_TRUE(shownGeneration().is_null());
}

TEST_F(ObservedGeneration, IsNotSentToAHomeThatWouldDropIt) {
  home_["status"]["conditions"][0].erase("observedGeneration");
  EXPECT_TRUE(shownGeneration().is_null());
  home_["status"]["observedGeneration"] = 2;
  EXPECT_EQ(shownGeneration(), 3);
  home_["metadata"].erase("generation");
  EXPECT_TRUE(shownGeneration().is_null());
}

}  // namespace
}  // namespace vkb::bridge
