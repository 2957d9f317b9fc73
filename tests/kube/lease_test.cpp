#include "kube/lease.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/api_errors.h"
#include "support/fake_cluster.h"

namespace vkb::kube {
namespace {

using namespace std::chrono_literals;

class LeaseTest : public ::testing::Test {
 protected:
  Json stored(const std::string& ns, const std::string& name) const {
    const auto lease = cluster_.find(kLeases, ns, name);
    return lease ? lease->json() : Json();
  }
  LeaseClaim claim(const std::string& holder) {
    return {runtime_.clock, *client_, {.ns = "default", .name = "c", .holder = holder}};
  }

  test::FakeRuntime runtime_;
  test::FakeCluster cluster_{runtime_};
  std::unique_ptr<Client> client_ = cluster_.client("bridge");
};

TEST_F(LeaseTest, ANodesLeaseIsMadeThenRenewedByOneWriteEach) {
  NodeLease lease(runtime_.clock, *client_, "n");
  ASSERT_TRUE(lease.renew("uid-1"));
  const Json first = stored("kube-node-lease", "n");
  EXPECT_EQ(json::str(first, {"spec", "holderIdentity"}), "n");
  EXPECT_EQ(json::integer(first, {"spec", "leaseDurationSeconds"}), 40);
  EXPECT_EQ(first["metadata"]["ownerReferences"][0]["uid"], "uid-1");
  runtime_.advance(10s);
  cluster_.requests.clear();
  ASSERT_TRUE(lease.renew("uid-1"));
  EXPECT_EQ(cluster_.requests.size(), 1u);
  EXPECT_NE(stored("kube-node-lease", "n")["spec"]["renewTime"], first["spec"]["renewTime"]);
}

TEST_F(LeaseTest, ANodesLeaseThatWasChangedOrDeletedIsPutRight) {
  NodeLease lease(runtime_.clock, *client_, "n");
  ASSERT_TRUE(lease.renew(""));
  cluster_.edit(kLeases, "kube-node-lease", "n", {{"metadata", {{"labels", {{"a", "b"}}}}}});
  EXPECT_TRUE(lease.renew(""));
  EXPECT_EQ(stored("kube-node-lease", "n")["metadata"]["labels"]["a"], "b");
  ASSERT_TRUE(cluster_.remove("user", kLeases, "kube-node-lease", "n", {}));
  EXPECT_TRUE(lease.renew(""));
  EXPECT_FALSE(stored("kube-node-lease", "n").is_null());
}

TEST_F(LeaseTest, ANodesLeaseReportsFailureAndRecovers) {
  NodeLease lease(runtime_.clock, *client_, "n");
  ASSERT_TRUE(lease.renew(""));
  cluster_.setDown(true);
  EXPECT_FALSE(lease.renew(""));
  cluster_.setDown(false);
  EXPECT_TRUE(lease.renew(""));
}

TEST_F(LeaseTest, AFreeClaimIsTakenAndKept) {
  LeaseClaim one = claim("one");
  EXPECT_TRUE(one.tryHold().value().held);
  runtime_.advance(10s);
  EXPECT_TRUE(one.tryHold().value().held);
  EXPECT_EQ(stored("default", "c")["spec"]["leaseTransitions"], 0);
}

TEST_F(LeaseTest, AHeldClaimIsRenewedByOneWriteUntilACallFails) {
  LeaseClaim one = claim("one");
  ASSERT_TRUE(one.tryHold().value().held);
  const auto requests = [&] {
    cluster_.requests.clear();
    runtime_.advance(10s);
    EXPECT_TRUE(one.tryHold().value().held);
    return cluster_.requests.size();
  };
  const Json first = stored("default", "c");
  EXPECT_EQ(requests(), 1u);
  EXPECT_EQ(requests(), 1u);
  EXPECT_NE(stored("default", "c")["spec"]["renewTime"], first["spec"]["renewTime"]);
  EXPECT_EQ(stored("default", "c")["spec"]["acquireTime"], first["spec"]["acquireTime"]);
  cluster_.setDown(true);
  EXPECT_FALSE(one.tryHold());
  cluster_.setDown(false);
  EXPECT_EQ(requests(), 2u) << "it may be another's by now: looked at first";
  EXPECT_EQ(requests(), 1u);
}

TEST_F(LeaseTest, AHeldClaimThatWasChangedOrDeletedIsPutRight) {
  LeaseClaim one = claim("one");
  ASSERT_TRUE(one.tryHold().value().held);
  cluster_.edit(kLeases, "default", "c", {{"metadata", {{"labels", {{"a", "b"}}}}}});
  EXPECT_TRUE(one.tryHold().value().held);
  EXPECT_EQ(stored("default", "c")["metadata"]["labels"]["a"], "b");
  ASSERT_TRUE(cluster_.remove("user", kLeases, "default", "c", {}));
  EXPECT_TRUE(one.tryHold().value().held);
  EXPECT_FALSE(stored("default", "c").is_null());
}

TEST_F(LeaseTest, ALiveHolderIsNotPushedAside) {
  LeaseClaim one = claim("one"), two = claim("two");
  ASSERT_TRUE(one.tryHold().value().held);
  for (int i = 0; i < 20; ++i) {
    const auto outcome = two.tryHold();
    ASSERT_TRUE(outcome);
    EXPECT_FALSE(outcome->held);
    EXPECT_EQ(outcome->holder, "one");
    runtime_.advance(10s);
    ASSERT_TRUE(one.tryHold().value().held);
  }
}

TEST_F(LeaseTest, ASilentHolderIsReplacedAfterTheDurationAsWeSawIt) {
  LeaseClaim one = claim("one"), two = claim("two");
  ASSERT_TRUE(one.tryHold().value().held);
  runtime_.clock.skewWall(-24h);  // calendar time must not matter
  runtime_.advance(1h);
  EXPECT_FALSE(two.tryHold().value().held);  // first seen now
  runtime_.advance(40s);
  EXPECT_FALSE(two.tryHold().value().held);
  runtime_.advance(1s);
  EXPECT_TRUE(two.tryHold().value().held);
  const auto former = one.tryHold();
  EXPECT_FALSE(former.value().held);
  EXPECT_EQ(former.value().holder, "two");
  EXPECT_EQ(stored("default", "c")["spec"]["leaseTransitions"], 1);
}

TEST_F(LeaseTest, TakeOverTakesALiveClaim) {
  LeaseClaim one = claim("one"), two = claim("two");
  ASSERT_TRUE(one.tryHold().value().held);
  EXPECT_TRUE(two.tryHold(true).value().held);
  EXPECT_FALSE(one.tryHold().value().held);
}

TEST_F(LeaseTest, AReleasedClaimIsFreeAtOnce) {
  LeaseClaim one = claim("one"), two = claim("two");
  ASSERT_TRUE(one.tryHold().value().held);
  ASSERT_TRUE(two.release());  // not his: nothing happens
  EXPECT_FALSE(two.tryHold().value().held);
  ASSERT_TRUE(one.release());
  EXPECT_TRUE(two.tryHold().value().held);
}

TEST_F(LeaseTest, OfTwoThatTakeAtOnceOneLoses) {
  LeaseClaim one = claim("one"), two = claim("two");
  cluster_.afterRequest = [&](const test::Request& request) {
    if (request.verb != "get") return;
    cluster_.afterRequest = nullptr;
    ASSERT_TRUE(two.tryHold().value().held);
  };
  EXPECT_FALSE(one.tryHold().value().held);
  EXPECT_EQ(one.tryHold().value().holder, "two");
}

}  // namespace
}  // namespace vkb::kube
