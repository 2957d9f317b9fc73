#include "kube/identity.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/api_errors.h"
#include "support/fake_cluster.h"

namespace vkb::kube {
namespace {

using ::testing::HasSubstr;

class Ends final : public WatchHandler {
 public:
  void onEvent(json::RawEvent) override { ++events; }
  void onClosed(Status status) override { closed.push_back(std::move(status)); }
  int events = 0;
  std::vector<Status> closed;
};

class IdentityGuardTest : public ::testing::Test {
 protected:
  IdentityGuardTest()
      : guard_(std::make_unique<IdentityGuard>(cluster_.client("bridge"), cluster_.clusterId())) {}
  std::size_t identityReads() const { return count(true); }
  std::size_t otherRequests() const { return count(false); }

  test::FakeRuntime runtime_;
  test::FakeCluster cluster_{runtime_};
  std::unique_ptr<IdentityGuard> guard_;

 private:
  std::size_t count(bool identity) const {
    return static_cast<std::size_t>(std::count_if(
        cluster_.requests.begin(), cluster_.requests.end(), [&](const test::Request& request) {
          return (request.verb == "get" && request.name == "kube-system") == identity;
        }));
  }
};

TEST_F(IdentityGuardTest, ReadsTheIdentityOnceBeforeTheFirstRequest) {
  ASSERT_TRUE(guard_->list(kPods, {}));
  ASSERT_TRUE(guard_->get(kPods, "default", "a"));
  EXPECT_EQ(identityReads(), 1u);
  EXPECT_EQ(otherRequests(), 2u);
  EXPECT_EQ(cluster_.requests.front().name, "kube-system");
  EXPECT_FALSE(guard_->identityDiffers());
}

TEST_F(IdentityGuardTest, WhileItDiffersNothingElseReachesTheServer) {
  cluster_.setClusterId("another");
  Ends ends;
  const auto refused = [](const auto& result) {
    return !result && result.error().reason == reasons::kIdentityChanged &&
           result.error().retry == Retry::kFast;
  };
  EXPECT_TRUE(refused(guard_->get(kPods, "default", "a")));
  EXPECT_TRUE(refused(guard_->list(kPods, {})));
  EXPECT_TRUE(refused(guard_->getRaw("/readyz")));
  EXPECT_TRUE(refused(guard_->create(kPods, "default", Json::object(), "", "")));
  EXPECT_TRUE(refused(guard_->patch(kPods, "default", "a", PatchType::kMerge, Json::object(), "")));
  EXPECT_TRUE(refused(guard_->update(kPods, "default", "a", Json::object())));
  EXPECT_TRUE(refused(guard_->remove(kPods, "default", "a", {})));
  const auto watch = guard_->watch(kPods, {}, ends);
  runtime_.settle();
  ASSERT_EQ(ends.closed.size(), 1u);
  EXPECT_EQ(ends.closed[0].reason, reasons::kIdentityChanged);
  EXPECT_EQ(otherRequests(), 0u);
  EXPECT_TRUE(guard_->identityDiffers());
  EXPECT_THAT(guard_->getRaw("/x").error().message, HasSubstr("another"));
}

TEST_F(IdentityGuardTest, IsReadAgainAfterEveryBrokenConnection) {
  ASSERT_TRUE(guard_->list(kPods, {}));
  for (const Status& broken : {test::unreachable(), test::unanswered()}) {
    cluster_.faults().refuse(broken, 1, test::requestsOf("list"));
    EXPECT_FALSE(guard_->list(kPods, {}));
    cluster_.setClusterId("another");
    EXPECT_EQ(guard_->create(kPods, "default", Json::object(), "", "").error().reason,
              reasons::kIdentityChanged);
    cluster_.setClusterId("mine");
    guard_ = std::make_unique<IdentityGuard>(cluster_.client("bridge"), "mine");
    ASSERT_TRUE(guard_->list(kPods, {}));
  }
}

TEST_F(IdentityGuardTest, IsReadAgainAfterABrokenWatch) {
  ASSERT_TRUE(guard_->list(kPods, {}));
  Ends ends;
  const auto watch =
      guard_->watch(kPods, {.resource_version = std::to_string(cluster_.resourceVersion())}, ends);
  runtime_.settle();
  cluster_.addPod({{"metadata", {{"name", "a"}}}});
  runtime_.settle();
  EXPECT_EQ(ends.events, 1);
  cluster_.cutWatches();
  runtime_.settle();
  EXPECT_EQ(ends.closed.size(), 1u);
  ASSERT_TRUE(guard_->list(kPods, {}));
  EXPECT_EQ(identityReads(), 2u);
}

TEST_F(IdentityGuardTest, RefusalsAndOrderlyEndsProveNothingNew) {
  ASSERT_TRUE(guard_->list(kPods, {}));
  cluster_.faults().refuse(test::tooManyRequests(), 1, test::requestsOf("list"));
  EXPECT_FALSE(guard_->list(kPods, {}));
  Ends ends;
  const auto watch = guard_->watch(kPods, {}, ends);
  runtime_.settle();
  cluster_.cutWatches("", 200);
  runtime_.settle();
  ASSERT_TRUE(guard_->list(kPods, {}));
  EXPECT_EQ(identityReads(), 1u);
}

TEST_F(IdentityGuardTest, WorksAgainWhenTheRightClusterIsBack) {
  const std::string id = cluster_.clusterId();
  cluster_.setClusterId("another");
  EXPECT_FALSE(guard_->list(kPods, {}));
  cluster_.setClusterId(id);
  EXPECT_TRUE(guard_->list(kPods, {}));
  EXPECT_FALSE(guard_->identityDiffers());
}

TEST_F(IdentityGuardTest, MayBeThatOfTheOneNamespaceThatCanBeRead) {
  const auto made = cluster_.client("admin")->create(
      kNamespaces, "",
      {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "team"}}}});
  ASSERT_TRUE(made);
  const std::string id = (*made)->uid;
  EXPECT_EQ(readClusterId(*cluster_.client("admin"), "team"), id);
  const auto proof = std::make_shared<IdentityProof>("team");
  EXPECT_TRUE(proof->allows("GET", "/api/v1/namespaces/team"));
  EXPECT_FALSE(proof->allows("GET", "/api/v1/namespaces/kube-system"));
  guard_ = std::make_unique<IdentityGuard>(cluster_.client("bridge"), id, proof);
  EXPECT_TRUE(guard_->list(kPods, {.ns = "team"}));
  EXPECT_EQ(identityReads(), 0u);
  ASSERT_TRUE(cluster_.client("admin")->remove(kNamespaces, "", "team", {}));
  runtime_.settle();
  proof->broke();
  const auto gone = guard_->list(kPods, {.ns = "team"});
  ASSERT_FALSE(gone);
  EXPECT_THAT(gone.error().message, HasSubstr("no namespace team"));
  EXPECT_FALSE(guard_->identityDiffers()) << "nobody says that it is another cluster";
}

TEST_F(IdentityGuardTest, AnIdentityThatCannotBeReadIsAnErrorNotADifference) {
  cluster_.setDown(true);
  const auto pods = guard_->list(kPods, {});
  ASSERT_FALSE(pods);
  EXPECT_EQ(pods.error().reason, reasons::kUnreachable);
  EXPECT_FALSE(guard_->identityDiffers());
}

TEST_F(IdentityGuardTest, AWatchMayBeDestroyedFromWithinItsEvent) {
  class Destroyer final : public WatchHandler {
   public:
    void onEvent(json::RawEvent) override {
      ++events;
      watch.reset();
    }
    void onClosed(Status) override { ++closes; }
    std::unique_ptr<WatchHandle> watch;
    int events = 0, closes = 0;
  } destroyer;
  destroyer.watch = guard_->watch(
      kPods, {.resource_version = std::to_string(cluster_.resourceVersion())}, destroyer);
  cluster_.addPod({{"metadata", {{"name", "a"}}}});
  cluster_.addPod({{"metadata", {{"name", "b"}}}});
  runtime_.settle();
  EXPECT_EQ(destroyer.events, 1);
  EXPECT_EQ(destroyer.closes, 0);
}

}  // namespace
}  // namespace vkb::kube
