#include "support/faults.h"

#include <stdexcept>

#include "cluster_fixture.h"

namespace vkb::test {
namespace {

using namespace std::chrono_literals;
using FaultsTest = ClusterTest;

TEST_F(FaultsTest, ADownServerIsUnreachableAndCutsWatches) {
  Recorder seen;
  const auto watch = watchPods(seen);
  cluster_.setDown(true);
  EXPECT_EQ(client_->get(kube::kPods, "t1", "a").error().reason, reasons::kUnreachable);
  EXPECT_FALSE(client_->create(kube::kPods, "t1", fullPod("a")));
  EXPECT_FALSE(cluster_.findPod("t1", "a"));
  Recorder refused;
  const auto again = watchPods(refused);
  rt_.settle();
  EXPECT_EQ(seen.closed, 1);
  EXPECT_EQ(refused.end.reason, reasons::kUnreachable);
  cluster_.setDown(false);
  EXPECT_TRUE(client_->create(kube::kPods, "t1", fullPod("a")));
}

TEST_F(FaultsTest, OneActorCanBeCutOffAlone) {
  const auto other = cluster_.client("other");
  cluster_.setDown("bridge", true);
  EXPECT_FALSE(client_->getRaw("/readyz"));
  EXPECT_TRUE(other->getRaw("/readyz"));
}

TEST_F(FaultsTest, SoManyMatchingRequestsAreRefused) {
  cluster_.faults().refuse(tooManyRequests(3s), 2, requestsOf("create", "pods"));
  for (int i = 0; i < 2; ++i) {
    const auto refused = client_->create(kube::kPods, "t1", fullPod("a"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, 429);
    EXPECT_EQ(refused.error().retryAfter, 3000ms);
    EXPECT_TRUE(client_->get(kube::kPods, "t1", "a"));
  }
  EXPECT_TRUE(client_->create(kube::kPods, "t1", fullPod("a")));
}

TEST_F(FaultsTest, ALostAnswerTookEffect) {
  cluster_.faults().loseAnswers();
  const auto lost = client_->create(kube::kPods, "t1", fullPod("a"));
  ASSERT_FALSE(lost);
  EXPECT_TRUE(lost.error().isUnanswered());
  EXPECT_TRUE(cluster_.findPod("t1", "a"));
}

TEST_F(FaultsTest, ALateWriteTakesEffectWhenReleasedEvenAfterItsClientIsGone) {
  cluster_.faults().delayWrites();
  EXPECT_TRUE(client_->create(kube::kPods, "t1", fullPod("a")).error().isUnanswered());
  client_.reset();
  EXPECT_FALSE(cluster_.findPod("t1", "a"));
  rt_.advance(5s);
  EXPECT_EQ(cluster_.faults().releaseLateWrites(), 1U);
  EXPECT_TRUE(cluster_.findPod("t1", "a"));
  EXPECT_EQ(cluster_.history().back().actor, "bridge");
}

TEST_F(FaultsTest, ALateWriteIsGivenUpAfterTheRequestsTimeout) {
  cluster_.faults().delayWrites();
  EXPECT_FALSE(client_->create(kube::kPods, "t1", fullPod("a")));
  rt_.advance(kube::kWriteTimeout + 1s);
  EXPECT_EQ(cluster_.faults().releaseLateWrites(), 0U);
  EXPECT_FALSE(cluster_.findPod("t1", "a"));
}

TEST_F(FaultsTest, StaleReadsShowTheStateOfThen) {
  cluster_.addPod(pod("a"));
  const std::string then = client_->list(kube::kPods, {})->resource_version;
  cluster_.staleReads(true);
  cluster_.addPod(pod("b"));
  EXPECT_FALSE(client_->get(kube::kPods, "t1", "b")->has_value());
  const auto list = client_->list(kube::kPods, {});
  EXPECT_EQ(list->items.size(), 1U);
  EXPECT_EQ(list->resource_version, then);
  EXPECT_FALSE(client_->create(kube::kPods, "t1", fullPod("b")));  // writes know better
  cluster_.staleReads(false);
  EXPECT_TRUE(client_->get(kube::kPods, "t1", "b")->has_value());
}

TEST_F(FaultsTest, AHookMayCrashTheCallerBeforeOrAfterTheWrite) {
  cluster_.beforeRequest = [](const Request&) { throw std::runtime_error("crash"); };
  EXPECT_THROW((void)client_->create(kube::kPods, "t1", fullPod("a")), std::runtime_error);
  EXPECT_FALSE(cluster_.findPod("t1", "a"));
  cluster_.beforeRequest = nullptr;
  cluster_.afterRequest = [](const Request&) { throw std::runtime_error("crash"); };
  EXPECT_THROW((void)client_->create(kube::kPods, "t1", fullPod("a")), std::runtime_error);
  EXPECT_TRUE(cluster_.findPod("t1", "a"));
}

TEST_F(FaultsTest, AHookMayLetOthersActInBetween) {
  cluster_.beforeRequest = [&](const Request& request) {
    EXPECT_EQ(request.verb, "create");
    EXPECT_EQ(request.name, "a");
    cluster_.beforeRequest = nullptr;
    cluster_.addPod(pod("a"));
  };
  const auto late = client_->create(kube::kPods, "t1", fullPod("a"));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().reason, "AlreadyExists");
}

TEST_F(FaultsTest, RequestsAreCountedForTestsThatLimitThem) {
  (void)client_->get(kube::kPods, "t1", "a");
  (void)client_->list(kube::kPods, {});
  ASSERT_EQ(cluster_.requests.size(), 2U);
  EXPECT_EQ(cluster_.requests[0].verb, "get");
  EXPECT_EQ(cluster_.requests[1].resource, "pods");
}

}  // namespace
}  // namespace vkb::test
