#include "bridge/claim.h"

#include <set>

#include "cluster_fixture.h"
#include "kube/lease.h"

namespace vkb::bridge {
namespace {

using namespace std::chrono_literals;

class ClaimTest : public ClusterTest {
 protected:
  Json lease() const {
    const auto found = target_.find(kube::kLeases, "vk-bridge", claimName(home_.clusterId(), "t1"));
    return found ? found->json() : Json();
  }
  std::string holder() const { return json::str(lease(), {"spec", "holderIdentity"}); }
  /// Another installation takes the claim, as `join --take-over` does.
  void takeOver(const std::string& installation) {
    const auto client = target_.client("other");
    ASSERT_TRUE(takeOverClaim(runtime_.clock, *client,
                              {.ns = "vk-bridge",
                               .home_id = home_.clusterId(),
                               .node = "t1",
                               .installation = installation,
                               .changed = {}}));
  }
  /// Resources that the bridge wrote in the target.
  std::set<std::string> bridgeWrites(std::size_t since) const {
    std::set<std::string> result;
    for (std::size_t i = since; i < target_.history().size(); ++i) {
      const auto& change = target_.history()[i];
      if (change.actor.starts_with(kBridge)) result.insert(change.resource);
    }
    return result;
  }
  static Status serverError(int code) {
    return {.code = code, .reason = "Refused", .message = "no", .retry = Retry::kFast};
  }
  std::string state() const { return health_.empty() ? "" : health_.back().state; }
};

TEST_F(ClaimTest, ATargetIsClaimedBeforeAPodIsWrittenThere) {
  addHomePod("web");
  start();
  EXPECT_EQ(holder(), "installation-1");
  EXPECT_EQ(json::str(lease(), {"metadata", "labels", kLabelNode}), "t1");
  EXPECT_EQ(phaseOf(delegate("web")), "Running");
  std::size_t lease_at = 0, pod_at = 0;
  for (std::size_t i = 0; i < target_.history().size(); ++i) {
    const auto& change = target_.history()[i];
    if (change.resource == "leases" && lease_at == 0) lease_at = i;
    if (change.resource == "pods" && change.actor.starts_with(kBridge) && pod_at == 0) pod_at = i;
  }
  EXPECT_LT(lease_at, pod_at);
}

TEST_F(ClaimTest, WhatAnotherInstallationClaimsIsNotTouchedHoweverLongItIsSilent) {
  addHomePod("web");
  takeOver("installation-2");
  const std::size_t home_before = mark(home_);
  start({}, 1h);
  EXPECT_TRUE(bridgeWrites(0).empty());
  EXPECT_TRUE(writes(home_, home_before, "pods").empty());
  EXPECT_EQ(state(), "ClaimedElsewhere");
  EXPECT_NE(health_.back().message.find("installation-2"), std::string::npos);
  EXPECT_NE(health_.back().message.find("--take-over"), std::string::npos);
}

TEST_F(ClaimTest, AnEvictedHolderStopsAtHisNextRenewalAndSaysSo) {
  addHomePod("web");
  start();
  takeOver("installation-2");
  runtime_.advance(11s);
  addHomePod("later");
  const std::size_t before = mark(target_);
  runtime_.advance(30s);
  EXPECT_TRUE(bridgeWrites(before).empty());
  EXPECT_EQ(state(), "ClaimedElsewhere");
  runtime_.advance(1min);  // nobody else keeps the node's lease: this home is a copy
  EXPECT_EQ(condition(node(), "Ready"), "False ClaimedElsewhere");
}

TEST_F(ClaimTest, TheNodeOfALiveHolderOfTheSameHomeIsLeftToHim) {
  start();
  takeOver("installation-2");
  const auto home = home_.client("other");
  kube::NodeLease his(runtime_.clock, *home, "t1");
  for (int i = 0; i < 20; ++i) {
    runtime_.advance(10s);
    ASSERT_TRUE(his.renew(uidOf(node())));
  }
  EXPECT_EQ(state(), "ClaimedElsewhere");
  EXPECT_EQ(condition(node(), "Ready"), "True KubeletReady");
}

TEST_F(ClaimTest, ATakenClaimIsUsedOnceTheEarlierHoldersWritesCanNoLongerArrive) {
  takeOver("installation-2");
  takeOver("installation-1");
  addHomePod("web");
  start({}, 50s);
  EXPECT_EQ(delegate("web"), Json());
  runtime_.advance(15s);
  EXPECT_EQ(phaseOf(delegate("web")), "Running");
}

TEST_F(ClaimTest, APodIsNotLetGoOfBeforeItIsKnownWhatTheEarlierHolderMade) {
  takeOver("installation-2");
  start({}, 15s);
  takeOver("installation-1");
  runtime_.advance(11s);
  EXPECT_EQ(state(), "Unreachable");
  addHomePod("web");
  runtime_.advance(1s);
  ASSERT_TRUE(
      home_.client("user")->remove(kube::kPods, "work", "web", {.grace_period_seconds = 30}));
  runtime_.advance(5s);
  EXPECT_NE(homePod("web"), Json());
  runtime_.advance(1min);
  EXPECT_EQ(state(), "Ready");
  EXPECT_EQ(homePod("web"), Json());
}

TEST_F(ClaimTest, ARestartOfTheHolderWaitsForNothing) {
  start();
  runtime_.advance(10min);
  addHomePod("web");
  restart();
  EXPECT_EQ(phaseOf(delegate("web")), "Running");
}

TEST_F(ClaimTest, AClaimThatCannotBeRenewedIsBelievedForThirtySeconds) {
  start();
  for (const char* verb : {"get", "update"}) {
    target_.faults().refuse(serverError(500), test::Fault::kForever,
                            test::requestsOf(verb, "leases"));
  }
  runtime_.advance(25s);
  EXPECT_EQ(state(), "Ready");
  runtime_.advance(10s);
  EXPECT_EQ(state(), "Unreachable");
  addHomePod("web");
  runtime_.advance(1min);
  EXPECT_EQ(delegate("web"), Json());
  target_.faults().clear();
  runtime_.advance(5s);
  EXPECT_EQ(state(), "Ready");
  EXPECT_EQ(phaseOf(delegate("web")), "Running");
}

TEST_F(ClaimTest, ADeletedClaimIsPutBackByItsHolderNotTakenByAnother) {
  start();
  const auto other = target_.client("other");
  kube::LeaseClaim his(runtime_.clock, *other,
                       {.ns = "vk-bridge",
                        .name = claimName(home_.clusterId(), "t1"),
                        .holder = "installation-2",
                        .take_lapsed = false});
  ASSERT_FALSE(his.tryHold().value().held);
  ASSERT_TRUE(other->remove(kube::kLeases, "vk-bridge", claimName(home_.clusterId(), "t1"), {}));
  EXPECT_FALSE(his.tryHold().value().held);
  runtime_.advance(11s);
  EXPECT_EQ(holder(), "installation-1");
  EXPECT_EQ(state(), "Ready");
}

TEST_F(ClaimTest, LeavingGivesTheClaimUp) {
  start();
  leave(false);
  runtime_.advance(5s);
  EXPECT_EQ(left_, 1);
  EXPECT_EQ(lease(), Json());
}

TEST_F(ClaimTest, RejectedCredentialsAreNamedOnTheNode) {
  start();
  target_.faults().refuse(serverError(401), test::Fault::kForever, test::requestsOf("raw"));
  runtime_.advance(40s);
  EXPECT_EQ(state(), "CredentialsRejected");
  EXPECT_EQ(condition(node(), "Ready"), "False CredentialsRejected");
  EXPECT_NE(health_.back().message.find("vk-bridge join t1"), std::string::npos);
}

TEST_F(ClaimTest, ALostDelegateIsMadeAnewWherePolicyAndRestartPolicySaySo) {
  const Json annotated{
      {"metadata", {{"annotations", {{"vk-bridge.io/on-delegate-lost", "recreate"}}}}}};
  addHomePod("web", "t1", annotated);
  Json once = annotated;
  once["spec"]["restartPolicy"] = "Never";
  addHomePod("job", "t1", once);
  addHomePod("plain");
  start();
  const std::string first = uidOf(delegate("web"));
  for (const char* name : {"web", "job", "plain"}) {
    ASSERT_TRUE(
        target_.client("vandal")->remove(kube::kPods, "work", name, {.grace_period_seconds = 0}));
  }
  runtime_.advance(5s);
  EXPECT_EQ(phaseOf(delegate("web")), "Running");
  EXPECT_NE(uidOf(delegate("web")), first);
  EXPECT_EQ(phaseOf(homePod("web")), "Running");
  EXPECT_EQ(condition(homePod("web"), "Ready").substr(0, 4), "True");
  EXPECT_EQ(phaseOf(homePod("job")), "Failed");
  EXPECT_EQ(phaseOf(homePod("plain")), "Failed");
  EXPECT_EQ(delegate("job"), Json());
  const auto restarts = [&] {
    return json::integer(json::array(homePod("web"), {"status", "containerStatuses"})[0],
                         {"restartCount"});
  };
  EXPECT_EQ(restarts(), 1);
  ASSERT_TRUE(
      target_.client("vandal")->remove(kube::kPods, "work", "web", {.grace_period_seconds = 0}));
  runtime_.advance(5s);
  EXPECT_EQ(restarts(), 2);
}

}  // namespace
}  // namespace vkb::bridge
