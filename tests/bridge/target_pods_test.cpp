#include "bridge/target_pods.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "bridge/names.h"
#include "json/json.h"
#include "json/object_parts.h"
#include "support/fake_runtime.h"

namespace vkb::bridge {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TargetPodsTest : public ::testing::Test {
 protected:
  static Json pod(const std::string& name, const std::string& uid) {
    return {{"metadata",
             {{"name", name},
              {"namespace", "work"},
              {"uid", uid},
              {"labels", Json::object()},
              {"annotations", Json::object()}}},
            {"spec",
             {{"nodeName", "n"},
              {"containers",
               Json::array({{{"name", "c"}, {"resources", {{"requests", {{"cpu", "1"}}}}}}})}}},
            {"status", {{"phase", "Running"}}}};
  }
  static Json delegate(const std::string& name, const std::string& uid,
                       const std::string& home_uid) {
    Json result = pod(name, uid);
    result["metadata"]["labels"] = {
        {kLabelHomeCluster, "home-1"}, {kLabelNode, "t1"}, {kLabelHomeUid, home_uid}};
    result["metadata"]["annotations"] = {{kAnnotationForgedKeys, R"({"labels":[]})"}};
    return result;
  }
  void see(const Json& object) { pods_.upsert(json::makeObject(object)); }
  void loseSight(const Json& object) { pods_.remove(json::makeObject(object)); }
  void list(const std::vector<Json>& objects) {
    std::vector<json::ObjectPtr> items;
    for (const Json& object : objects) items.push_back(json::makeObject(object));
    pods_.replace(std::move(items));
  }
  std::string found(const std::string& home_uid, const std::string& recorded_uid,
                    const std::string& place = "work/a") const {
    const auto result = pods_.find(home_uid, recorded_uid, place);
    return result ? result->pod->uid + (result->gone ? " gone" : "") : "";
  }
  std::vector<TargetPods::Delegate> delegates() const {
    std::vector<TargetPods::Delegate> all;
    pods_.forEachDelegate([&](const auto& delegate) { all.push_back(delegate); });
    return all;
  }
  std::string foreignCpu(const std::string& node = "n") const {
    // What is missing of more than all of them take.
    Resources left{{"cpu", json::Quantity::fromUnits(100)}};
    pods_.subtractForeign(node, left);
    return std::to_string(100 - left.at("cpu").units());
  }

  test::FakeClock clock_;
  std::vector<std::string> told_;
  int usage_told_ = 0;
  TargetPods pods_{clock_,
                   {.home_id = "home-1",
                    .node = "t1",
                    .on_delegate = [this](const std::string& uid) { told_.push_back(uid); },
                    .on_foreign_usage = [this] { ++usage_told_; }}};
};

TEST_F(TargetPodsTest, ADelegateIsFoundByItsLabelAndByItsRecordedUid) {
  see(delegate("a", "d1", "h1"));
  EXPECT_EQ(found("h1", ""), "d1");
  EXPECT_EQ(found("h1", "d1"), "d1");
  EXPECT_EQ(found("h2", ""), "");
  EXPECT_THAT(told_, ElementsAre("h1"));
}

TEST_F(TargetPodsTest, WhatACreateAnsweredIsKnownAndItsEventIsNoNews) {
  const Json answer = delegate("a", "d1", "h1");
  pods_.made(json::makeObject(answer), "h1");
  EXPECT_EQ(found("h1", "d1"), "d1");
  EXPECT_EQ(found("h1", ""), "d1");
  see(answer);
  EXPECT_THAT(told_, IsEmpty());
  Json bound = answer;
  bound["status"]["phase"] = "Pending";
  see(bound);
  EXPECT_THAT(told_, ElementsAre("h1"));
}

TEST_F(TargetPodsTest, WhatTheWatchToldOfACreateBeforeItsAnswerCameIsNewer) {
  Json ended = delegate("a", "d1", "h1");
  ended["status"]["phase"] = "Succeeded";
  see(ended);
  pods_.made(json::makeObject(delegate("a", "d1", "h1")), "h1");
  EXPECT_EQ(json::str(*pods_.find("h1", "d1", "work/a")->pod, {"status", "phase"}), "Succeeded");
  loseSight(ended);
  pods_.made(json::makeObject(delegate("a", "d1", "h1")), "h1");
  EXPECT_EQ(found("h1", "d1"), "d1 gone");
}

TEST_F(TargetPodsTest, ARecordedDelegateThatAListLacksIsToldAlthoughItWasNeverSeen) {
  pods_.remember("d1", "h1");
  pods_.remember("d2", "h2");
  list({delegate("b", "d2", "h2")});
  EXPECT_THAT(told_, ElementsAre("h1", "h2"));
}

TEST_F(TargetPodsTest, ADelegateWithoutLabelsIsLearntFromAGetUnlessTheWatchKnowsBetter) {
  see(pod("a", "d1"));
  EXPECT_EQ(found("h1", "d1"), "");
  EXPECT_EQ(foreignCpu(), "1");
  pods_.learn(json::makeObject(pod("a", "d1")), "h1");
  EXPECT_EQ(found("h1", "d1"), "d1");
  EXPECT_EQ(foreignCpu(), "0");
  loseSight(pod("a", "d1"));
  pods_.learn(json::makeObject(pod("a", "d1")), "h1");
  EXPECT_EQ(found("h1", "d1"), "d1 gone");
}

TEST_F(TargetPodsTest, TheEndOfARecordedDelegateThatWasNeverSeenIsTold) {
  pods_.remember("d1", "h1");
  loseSight(pod("a", "d1"));
  EXPECT_THAT(told_, ElementsAre("h1"));
  EXPECT_EQ(found("h1", "d1"), "d1 gone");
}

TEST_F(TargetPodsTest, DelegatesOfAnotherNodeOrHomeAreForeign) {
  Json other_node = delegate("a", "d1", "h1"), other_home = delegate("b", "d2", "h2");
  other_node["metadata"]["labels"][kLabelNode] = "t2";
  other_home["metadata"]["labels"][kLabelHomeCluster] = "home-2";
  list({other_node, other_home});
  EXPECT_EQ(found("h1", ""), "");
  EXPECT_EQ(found("h2", ""), "");
  EXPECT_THAT(delegates(), IsEmpty());
  EXPECT_EQ(foreignCpu(), "2");
}

TEST_F(TargetPodsTest, ACopyUnderAnotherNameNeverStandsForTheDelegate) {
  for (const bool copy_first : {true, false}) {
    if (copy_first) see(delegate("copy", "c1", "h1"));
    see(delegate("a", "d1", "h1"));
    if (!copy_first) see(delegate("copy", "c1", "h1"));
    EXPECT_EQ(found("h1", ""), "d1");
    EXPECT_EQ(found("h1", "d1"), "d1");
  }
  loseSight(delegate("a", "d1", "h1"));
  EXPECT_EQ(found("h1", "d1"), "d1 gone");
  // With the home pod forgotten the copy is what is left to clean up.
  pods_.forget("d1");
  EXPECT_EQ(found("h1", ""), "c1");
}

TEST_F(TargetPodsTest, APodPutBackUnderNameAndLabelsIsTheDelegateWhileTheRecordedOneIsGone) {
  see(delegate("a", "d1", "h1"));
  loseSight(delegate("a", "d1", "h1"));
  see(delegate("a", "d2", "h1"));
  EXPECT_EQ(found("h1", "d1"), "d2");
  Json unlabelled = pod("b", "d3");
  list({unlabelled});
  EXPECT_EQ(found("h1", "d1"), "d1 gone");
}

TEST_F(TargetPodsTest, LabelsThatAreTakenOffOrChangedLeaveItOursAndAreNoted) {
  see(delegate("a", "d1", "h1"));
  EXPECT_TRUE(pods_.find("h1", "d1", "")->labelled);
  see(pod("a", "d1"));
  EXPECT_EQ(found("h1", "d1"), "d1");
  EXPECT_FALSE(pods_.find("h1", "d1", "")->labelled);
  see(delegate("a", "d1", "h-other"));
  EXPECT_EQ(found("h1", "d1"), "d1");
  EXPECT_EQ(found("h-other", ""), "");
  EXPECT_FALSE(pods_.find("h1", "d1", "")->labelled);
  EXPECT_THAT(told_, ElementsAre("h1", "h1", "h1"));
}

TEST_F(TargetPodsTest, AfterARestartTheRecordedUidIsEnough) {
  pods_.remember("d1", "h1");
  list({pod("a", "d1")});
  EXPECT_EQ(found("h1", "d1"), "d1");
  EXPECT_FALSE(pods_.find("h1", "d1", "")->labelled);
  EXPECT_EQ(foreignCpu(), "0");
}

TEST_F(TargetPodsTest, OneThatWasReplacedBetweenTwoListsIsGoneButNotSeenToGo) {
  list({delegate("a", "d1", "h1")});
  list({delegate("a", "d2", "h2")});
  EXPECT_EQ(found("h1", "d1"), "d1 gone");
  EXPECT_FALSE(pods_.find("h1", "d1", "")->gone_seen);
  EXPECT_EQ(pods_.at("work", "a")->pod->uid, "d2");
  EXPECT_THAT(told_, ::testing::UnorderedElementsAre("h1", "h1", "h2"));
}

TEST_F(TargetPodsTest, OnlyAnOrderlyDeletionIsSeenToGo) {
  Json forced = delegate("a", "d1", "h1"), orderly = delegate("b", "d2", "h2");
  list({forced, orderly});
  orderly["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  loseSight(forced);
  loseSight(orderly);
  EXPECT_FALSE(pods_.find("h1", "d1", "")->gone_seen);
  EXPECT_TRUE(pods_.find("h2", "d2", "")->gone_seen);
  EXPECT_FALSE(pods_.at("work", "a"));
  EXPECT_THAT(delegates(), IsEmpty());
}

TEST_F(TargetPodsTest, ThatAnEndWeAskedForBeginsIsNoNewsButAllElseIs) {
  const auto ending = [](Json of, int grace) {
    of["metadata"]["resourceVersion"] = std::to_string(100 - grace);
    of["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:" + std::to_string(10 + grace) + "Z";
    of["metadata"]["deletionGracePeriodSeconds"] = grace;
    return of;
  };
  Json asked = delegate("a", "d1", "h1");
  const Json other = delegate("b", "d2", "h2");
  list({asked, other});
  told_.clear();
  pods_.endAsked("d1");
  see(ending(other, 30));
  EXPECT_THAT(told_, ElementsAre("h2")) << "somebody else's wish";
  see(ending(asked, 30));
  see(ending(asked, 5));
  EXPECT_THAT(told_, ElementsAre("h2"));
  EXPECT_EQ(json::integer(pods_.find("h1", "d1", "work/a")->pod->parse(),
                          {"metadata", "deletionGracePeriodSeconds"}),
            5);
  asked["status"]["phase"] = "Succeeded";
  see(ending(asked, 5));
  asked["metadata"]["labels"]["a"] = "b";
  see(ending(asked, 5));
  see(ending(asked, 0));
  EXPECT_THAT(told_, ElementsAre("h2", "h1", "h1"));
  loseSight(ending(asked, 0));
  EXPECT_THAT(told_, ElementsAre("h2", "h1", "h1", "h1"));
  EXPECT_TRUE(pods_.find("h1", "d1", "work/a")->gone_seen);
}

TEST_F(TargetPodsTest, ThatAnEndWeAskedForNeverBeganOrIsToComeLaterIsNews) {
  const Json asked = delegate("a", "d1", "h1");
  Json ending = asked;
  ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:30Z";
  ending["metadata"]["deletionGracePeriodSeconds"] = 30;
  see(asked);
  pods_.endAsked("d1");
  see(ending);
  EXPECT_THAT(told_, ElementsAre("h1"));
  list({asked});
  EXPECT_THAT(told_, ElementsAre("h1", "h1"));
  see(ending);
  EXPECT_THAT(told_, ElementsAre("h1", "h1", "h1")) << "somebody else's wish";
  told_.clear();
  pods_.endAsked("d1");
  ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:01:00Z";
  ending["metadata"]["deletionGracePeriodSeconds"] = 60;
  list({ending});
  EXPECT_THAT(told_, ElementsAre("h1"));
}

TEST_F(TargetPodsTest, LastWordsAreKeptUntilForgottenAndOnlyOfTheRecordedOne) {
  see(delegate("a", "d1", "h1"));
  see(delegate("copy", "c1", "h1"));
  loseSight(delegate("a", "d1", "h1"));
  loseSight(delegate("copy", "c1", "h1"));
  pods_.dropEnded("h1", "d1");
  EXPECT_EQ(found("h1", "d1"), "d1 gone");
  EXPECT_EQ(found("h1", "c1"), "");
  pods_.forget("d1");
  EXPECT_EQ(found("h1", "d1"), "");
}

TEST_F(TargetPodsTest, WhatIsThereIsNotForgotten) {
  see(delegate("a", "d1", "h1"));
  pods_.forget("d1");
  pods_.dropEnded("h1", "");
  EXPECT_EQ(found("h1", ""), "d1");
}

TEST_F(TargetPodsTest, ForeignPodsCountOnceWhileTheyAreBoundAndNotTerminal) {
  Json waiting = pod("x", "f1");
  waiting["spec"].erase("nodeName");
  see(waiting);
  EXPECT_EQ(foreignCpu(), "0");
  EXPECT_EQ(usage_told_, 0);
  see(pod("x", "f1"));
  see(pod("x", "f1"));
  EXPECT_EQ(foreignCpu(), "1");
  EXPECT_EQ(usage_told_, 1);
  Json ended = pod("x", "f1");
  ended["status"]["phase"] = "Succeeded";
  see(ended);
  EXPECT_EQ(foreignCpu(), "0");
  see(pod("y", "f2"));
  EXPECT_EQ(foreignCpu(), "1");
  list({});
  EXPECT_EQ(foreignCpu(), "0");
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(TargetPodsTest, ForeignPodsCountOnTheirOwnNode) {
  Json elsewhere = pod("y", "f2");
  elsewhere["spec"]["nodeName"] = "m";
  list({pod("x", "f1"), elsewhere, pod("z", "f3")});
  EXPECT_EQ(foreignCpu("n"), "2");
  EXPECT_EQ(foreignCpu("m"), "1");
  list({elsewhere});
  EXPECT_EQ(foreignCpu("n"), "0");
  EXPECT_EQ(foreignCpu("m"), "1");
}

TEST_F(TargetPodsTest, AForeignPodThatGetsOurLabelsNoLongerCountsAsForeign) {
  see(pod("a", "d1"));
  EXPECT_EQ(foreignCpu(), "1");
  see(delegate("a", "d1", "h1"));
  EXPECT_EQ(foreignCpu(), "0");
}

TEST_F(TargetPodsTest, WhetherLabelsWereReKeyedIsRememberedOverAnEditOfTheNote) {
  Json rekeyed = delegate("a", "d1", "h1");
  rekeyed["metadata"]["annotations"][kAnnotationForgedKeys] = R"({"labels":[],"rekeyed":true})";
  see(rekeyed);
  see(pod("a", "d1"));
  EXPECT_EQ(pods_.find("h1", "d1", "")->rekeyed, true);
  see(delegate("b", "d2", "h2"));
  EXPECT_EQ(pods_.find("h2", "d2", "")->rekeyed, false);
  see(pod("b", "d2"));
  EXPECT_EQ(pods_.find("h2", "d2", "")->rekeyed, false);
}

TEST_F(TargetPodsTest, OfManyDelegatesEachIsHandedOutWholeAndItsEndIsSeen) {
  constexpr int kMany = 1.5 * kube::ComingToRest::kWhole;
  const auto made = [&](int i) {
    const std::string n = std::to_string(i);
    Json one = delegate("p" + n, "d" + n, "h" + n);
    one["metadata"]["annotations"]["note"] = std::string(2000, 'x');  // worth packing
    return one;
  };
  for (int i = 0; i < kMany; ++i) see(made(i));
  EXPECT_EQ(delegates().size(), static_cast<std::size_t>(kMany));
  for (const auto& each : delegates()) {
    EXPECT_EQ(json::str(*each.pod, {"status", "phase"}), "Running");
  }
  EXPECT_EQ(json::str(*pods_.find("h3", "d3", "work/p3")->pod, {"spec", "nodeName"}), "n");
  EXPECT_NE(pods_.at("work", "p4")->pod, pods_.at("work", "p4")->pod) << "is not held packed";
  EXPECT_EQ(json::str(*pods_.at("work", "p4")->pod, {"metadata", "uid"}), "d4");

  const std::uint64_t version = pods_.versionOf("h5");
  see(made(5));
  EXPECT_EQ(pods_.versionOf("h5"), version) << "nothing new";

  Json ending = made(6);
  ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  loseSight(ending);
  EXPECT_TRUE(pods_.find("h6", "d6", "work/p6")->gone_seen);
}

TEST_F(TargetPodsTest, WhatWasPackedAndIsGoneMayComeBack) {
  Json one = delegate("a", "d1", "h1");
  one["metadata"]["annotations"]["note"] = std::string(2000, 'x');
  list({one});
  list({});
  EXPECT_EQ(found("h1", "d1"), "d1 gone");
  std::vector<json::ObjectPtr> again{pods_.take(json::makeObject(one))};
  pods_.replace(std::move(again));
  EXPECT_EQ(found("h1", "d1"), "d1");
  EXPECT_TRUE(pods_.find("h1", "d1", "work/a")->labelled);
}

TEST_F(TargetPodsTest, AListOfManyDelegatesThatTellsNothingNewIsNoChange) {
  std::vector<json::ObjectPtr> again;
  for (int i = 0; i < 700; ++i) {
    const std::string n = std::to_string(i);
    Json one = delegate("p" + n, "d" + n, "h" + n);
    one["metadata"]["annotations"]["note"] = std::string(2000, 'x');
    see(one);
    again.push_back(json::makeObject(one));
  }
  const std::uint64_t first = pods_.versionOf("h0"), last = pods_.versionOf("h699");
  for (json::ObjectPtr& item : again) item = pods_.take(item);
  pods_.replace(std::move(again));
  EXPECT_EQ(pods_.versionOf("h0"), first);
  EXPECT_EQ(pods_.versionOf("h699"), last);
  EXPECT_EQ(found("h0", "d0", "work/p0"), "d0");
}

}  // namespace
}  // namespace vkb::bridge
