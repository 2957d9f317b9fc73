#include "bridge/target_warnings.h"

#include <gmock/gmock.h>

#include "two_clusters.h"

namespace vkb::bridge {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TargetWarningsTest : public TwoClusters {
 protected:
  TargetWarningsTest() { target_.addNamespace("there"); }
  ~TargetWarningsTest() override { warnings_.stop(); }

  static Json home(const std::string& uid = "h1") {
    return {{"metadata", {{"uid", uid}, {"namespace", "work"}, {"name", "a"}}}};
  }
  static Json delegate(const std::string& uid = "d1", const char* ready = "False") {
    return {{"metadata", {{"uid", uid}, {"namespace", "there"}}},
            {"status",
             {{"phase", "Pending"},
              {"conditions", Json::array({{{"type", "Ready"}, {"status", ready}}})}}}};
  }
  void event(const std::string& name, const std::string& message, const std::string& last_seen,
             const std::string& type = "Warning", const std::string& uid = "d1") {
    target_.add(kube::kEvents,
                {{"metadata", {{"name", name}, {"namespace", "there"}}},
                 {"involvedObject", {{"kind", "Pod"}, {"namespace", "there"}, {"uid", uid}}},
                 {"type", type},
                 {"reason", "FailedMount"},
                 {"message", message},
                 {"count", 3},
                 {"lastTimestamp", last_seen}});
  }
  int asked() const {
    int count = 0;
    for (const auto& request : target_.requests) count += request.resource == "events";
    return count;
  }

  std::unique_ptr<kube::Client> client_ = target_.client(kBridge);
  std::vector<std::string> shown_;
  TargetWarnings warnings_{{.runtime = runtime_.runtime(), .target = *client_, .logger = logger_},
                           [this](const Json& pod, const TargetWarning& warning) {
                             shown_.push_back(json::str(pod, {"metadata", "namespace"}) + "/" +
                                              json::str(pod, {"metadata", "name"}) + " " +
                                              json::str(pod, {"metadata", "uid"}) + " " +
                                              warning.reason + " " + warning.message);
                           }};
};

TEST_F(TargetWarningsTest, WhatKeepsADelegateFromBeingReadyIsShownAfterTenSeconds) {
  event("e1", "no such volume", "2026-11-22T08:30:00Z");
  event("e2", "pulled", "2026-11-22T08:30:00Z", "Normal");
  event("e3", "of another pod", "2026-11-22T08:30:00Z", "Warning", "d2");
  warnings_.observe(home(), delegate());
  runtime_.advance(seconds(9));
  EXPECT_EQ(asked(), 0);
  runtime_.advance(seconds(2));
  EXPECT_THAT(shown_, ElementsAre("work/a h1 FailedMount no such volume"));
}

TEST_F(TargetWarningsTest, ADelegateThatGetsReadyInTimeIsNotAskedAbout) {
  warnings_.observe(home(), delegate());
  runtime_.advance(seconds(5));
  warnings_.observe(home(), delegate("d1", "True"));
  runtime_.advance(seconds(60));
  EXPECT_EQ(asked(), 0);
}

TEST_F(TargetWarningsTest, AskingIsOnceAMinuteAtMostAndLessOftenWhileNothingIsNew) {
  warnings_.observe(home(), delegate());
  for (int i = 0; i < 60; ++i) {
    runtime_.advance(seconds(1));
    warnings_.observe(home(), delegate());
  }
  EXPECT_EQ(asked(), 1);
  runtime_.advance(std::chrono::minutes(60));
  EXPECT_GE(asked(), 6);
  EXPECT_LE(asked(), 12);
}

TEST_F(TargetWarningsTest, TheSameIsShownAgainOnlyWhenItHappenedAgain) {
  event("e1", "no such volume", "2026-11-22T08:30:00Z");
  warnings_.observe(home(), delegate());
  runtime_.advance(std::chrono::minutes(5));
  EXPECT_THAT(shown_, SizeIs(1));
  target_.edit(kube::kEvents, "there", "e1", {{"lastTimestamp", "2026-11-22T08:35:00Z"}});
  runtime_.advance(std::chrono::minutes(20));
  EXPECT_THAT(shown_, SizeIs(2));
}

TEST_F(TargetWarningsTest, ManyAreAskedAboutAFewAtATime) {
  for (int i = 0; i < 50; ++i) {
    warnings_.observe(home("h" + std::to_string(i)), delegate("d" + std::to_string(i)));
  }
  runtime_.advance(seconds(11));
  EXPECT_LE(asked(), 10);
  runtime_.advance(seconds(20));
  EXPECT_EQ(asked(), 50);
}

TEST_F(TargetWarningsTest, ADelegateMadeAnewStartsItsTenSecondsAnew) {
  warnings_.observe(home(), delegate("d1"));
  runtime_.advance(seconds(8));
  warnings_.observe(home(), delegate("d2"));
  runtime_.advance(seconds(5));
  EXPECT_EQ(asked(), 0);
  runtime_.advance(seconds(10));
  EXPECT_EQ(asked(), 1);
}

TEST_F(TargetWarningsTest, AfterStopOrForgetNothingIsShown) {
  event("e1", "no such volume", "2026-11-22T08:30:00Z");
  warnings_.observe(home(), delegate());
  warnings_.forget("h1");
  runtime_.advance(seconds(30));
  EXPECT_THAT(shown_, IsEmpty());
  warnings_.observe(home(), delegate());
  warnings_.stop();
  runtime_.advance(seconds(30));
  EXPECT_EQ(asked(), 0);
}

TEST_F(TargetWarningsTest, ATargetThatDoesNotAllowItIsLeftInPeace) {
  target_.faults().refuse({.code = 403, .reason = "Forbidden", .message = "no"},
                          test::Fault::kForever, test::requestsOf("list", "events"));
  warnings_.observe(home(), delegate());
  runtime_.advance(std::chrono::minutes(60));
  EXPECT_LE(asked(), 12);
  EXPECT_THAT(shown_, IsEmpty());
}

TEST(WarningsOf, TheSameWordsAreOne) {
  const auto warnings = warningsOf({
      R"({"type": "Warning", "reason": "BackOff", "message": "m", "count": 2,
          "lastTimestamp": "2026-11-22T08:30:00Z"})"_json,
      R"({"type": "Warning", "reason": "BackOff", "message": "m",
          "eventTime": "2026-11-22T08:31:00.000000Z",
          "series": {"count": 5, "lastObservedTime": "2026-11-22T08:32:00.000000Z"}})"_json,
      R"({"type": "Normal", "reason": "BackOff", "message": "m"})"_json, Json(), Json(5)});
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_EQ(warnings[0].count, 7);
  EXPECT_EQ(warnings[0].last_seen, "2026-11-22T08:32:00.000000Z");
}

TEST(NeedsExplaining, OnlyWhatIsNotReadyAndNotEnding) {
  const auto needs = [](const char* text) { return needsExplaining(Json::parse(text)); };
  EXPECT_TRUE(needs("{}"));
  EXPECT_TRUE(needs(R"({"status": {"phase": "Running", "conditions": [
                        {"type": "Ready", "status": "False"}]}})"));
  EXPECT_FALSE(needs(R"({"status": {"conditions": [{"type": "Ready", "status": "True"}]}})"));
  EXPECT_FALSE(needs(R"({"status": {"phase": "Failed"}})"));
  EXPECT_FALSE(needs(R"({"status": {"phase": "Succeeded"}})"));
  EXPECT_FALSE(needs(R"({"metadata": {"deletionTimestamp": "2026-11-22T08:30:00Z"}})"));
}

}  // namespace
}  // namespace vkb::bridge
