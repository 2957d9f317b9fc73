// What turns of a pod are not taken because nothing is new, and what is never overlooked by it.
#include "base/write_stamp.h"
#include "pod_controller_fixture.h"

namespace vkb::node {
namespace {

class PodControllerRestTest : public PodControllerTest {
 protected:
  PodControllerRestTest() {
    provider_.tells_versions = true;
    begin();
  }
  int turnsAsked() const {
    const std::string text = metrics_.text();
    const std::string name = R"(workqueue_adds_total{name="pods-gpu"} )";
    return std::stoi(text.substr(text.find(name) + name.size()));
  }
};

TEST_F(PodControllerRestTest, OurOwnStatusIsNotLookedAtAgain) {
  const std::string uid = addRunning("a");
  EXPECT_EQ(phase("a"), "Running");
  EXPECT_EQ(provider_.status_asked, 1);
}

TEST_F(PodControllerRestTest, OurOwnWriteThatComesBackMakesNoTurn) {
  const std::string uid = addPod("a");
  const int before = turnsAsked();
  provider_.run(uid);
  rt_.settle();
  EXPECT_EQ(phase("a"), "Running");
  EXPECT_EQ(turnsAsked(), before + 1);
}

TEST_F(PodControllerRestTest, ThatAPodWeLetGoOfIsGoneMakesNoTurn) {
  const std::string uid = addRunning("a", {{"metadata", {{"finalizers", {"example.com/f"}}}}});
  removePod("a", 60);
  provider_.finish(uid);
  rt_.settle();
  ASSERT_EQ(store_.size(), 0u);
  const int before = turnsAsked();
  home_.edit(kube::kPods, "default", "a", {{"metadata", {{"finalizers", nullptr}}}});
  rt_.settle();
  EXPECT_TRUE(pod("a").is_null());
  EXPECT_EQ(turnsAsked(), before);
}

TEST_F(PodControllerRestTest, ThatAPodIsGoneWhoseDelegateIsThereMakesATurnWithoutARecord) {
  addRunning("a", {{"metadata", {{"finalizers", {"example.com/f"}}}}});
  removePod("a", 0);
  shutDown();
  store_.lose();
  boot();
  informer_->start();
  rt_.settle();  // the provider's state is not known yet: nothing is written down
  const int before = turnsAsked();
  home_.edit(kube::kPods, "default", "a", {{"metadata", {{"finalizers", nullptr}}}});
  rt_.settle();
  EXPECT_TRUE(pod("a").is_null());
  EXPECT_EQ(turnsAsked(), before + 1);
}

TEST_F(PodControllerRestTest, ThatAPodIsGoneThatWasNeverMadeMakesATurnForItsRecord) {
  provider_.place_error = {.reason = "NotOffloaded", .message = "m", .retry = Retry::kNever};
  const auto before = home_.snapshot();
  addPod("a");
  ASSERT_EQ(store_.size(), 1u);
  home_.restore(*before);
  rt_.advance(std::chrono::seconds(5));
  EXPECT_EQ(store_.size(), 0u);
}

TEST_F(PodControllerRestTest, LastWordsOfAPodThatGoesAreNotWrittenDown) {
  const std::string uid = addRunning("a");
  removePod("a", 60);
  const int before = store_.writes;
  provider_.pods.at(uid).status["phase"] = "Succeeded";
  provider_.finish(uid);
  rt_.settle();
  EXPECT_TRUE(pod("a").is_null());
  EXPECT_EQ(store_.writes, before + 1) << "the record is erased";
}

TEST_F(PodControllerRestTest, WhatIsToldTwiceIsLookedAtOnce) {
  const std::string uid = addRunning("a");
  --provider_.versions[uid];  // notify() counts it up again: no change
  provider_.notify(uid);
  rt_.settle();
  EXPECT_EQ(provider_.status_asked, 1);
}

TEST_F(PodControllerRestTest, AnEditOfHomesStatusIsUndone) {
  addRunning("a");
  home_.setPodStatus("default", "a", {{"podIP", "6.6.6.6"}}, "vandal");
  rt_.settle();
  EXPECT_EQ(json::str(pod("a"), {"status", "podIP"}), "10.1.0.1");
}

TEST_F(PodControllerRestTest, ADeletionThatCameWithTheAnswerToOurPatchIsSeen) {
  const std::string uid = addPod("a");
  bool deleted = false;
  home_.beforeRequest = [&](const test::Request& request) {
    if (deleted || request.verb != "patch" || request.resource != "pods") return;
    deleted = true;
    ASSERT_TRUE(home_.remove("user", kube::kPods, "default", "a"));
  };
  provider_.run(uid);
  rt_.settle();
  ASSERT_TRUE(deleted);
  EXPECT_EQ(provider_.count("delete"), 1);
}

TEST_F(PodControllerRestTest, AnotherStateOfTheProviderIsAnotherLook) {
  addRunning("a");
  controller_->setProviderState(ProviderState::kUnreachable, "no answer");
  rt_.settle();
  EXPECT_EQ(ready("a"), "False");
  controller_->setProviderState(ProviderState::kReady, "");
  rt_.settle();
  EXPECT_EQ(ready("a"), "True");
}

TEST_F(PodControllerRestTest, ThePodsPlaceAloneIsNotWorthARequestBeforeItRuns) {
  const std::string uid = addPod("a");
  provider_.notify(uid);
  rt_.settle();
  EXPECT_EQ(requests("patch"), 0);
  provider_.run(uid);
  rt_.settle();
  EXPECT_EQ(requests("patch"), 1);
  EXPECT_NE(json::str(pod("a"), {"metadata", "annotations", "vk-bridge.io/delegate"}), "");
}

TEST_F(PodControllerRestTest, HowLongAnEventWaitedForItsRequestIsMeasured) {
  provider_.on_create = [&](const PodRecord&) {
    rt_.clock.advance(std::chrono::milliseconds(4));
    base::noteRequestWritten(rt_.clock.now());
  };
  addPod("a");
  const std::string text = metrics_.text();
  const std::string name = R"(pod_event_to_request_seconds_bucket{node="gpu",request="create",le=)";
  EXPECT_NE(text.find(name + R"("0.003"} 0)"), std::string::npos) << text;
  EXPECT_NE(text.find(name + R"("0.005"} 1)"), std::string::npos) << text;
}

TEST_F(PodControllerRestTest, AnEndToldToAPodOnItsWayOutIsNotLookedAtAgain) {
  const std::string uid = addRunning("web");
  removePod("web", 30);
  rt_.settle();
  const int asked = provider_.status_asked;
  Json status = test::FakeProvider::running();
  status["phase"] = "Succeeded";
  provider_.setStatus(uid, status);
  rt_.settle();
  EXPECT_EQ(phase("web"), "Succeeded");
  EXPECT_EQ(provider_.status_asked, asked + 1);
}

}  // namespace
}  // namespace vkb::node
