#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/rate_limiter.h"
#include "support/fake_runtime.h"
#include "vkbridge/pod_record.h"
#include "vkbridge/provider.h"

namespace vkb::base {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;

TEST(Backoff, EachTryWaitsBetweenHalfAndAllOfADoublingDelayUpToTheCap) {
  test::FakeRandom random(7);
  for (const auto& policy : {kFastBackoff, kSlowBackoff}) {
    Duration full = policy.first;
    for (std::uint32_t attempt = 1; attempt <= 40; ++attempt) {
      for (int draw = 0; draw < 20; ++draw) {
        const Duration delay = backoffDelay(policy, attempt, random);
        EXPECT_GE(delay, full / 2) << "attempt " << attempt;
        EXPECT_LT(delay, full) << "attempt " << attempt;
      }
      full = std::min(policy.cap, full * 2);
    }
    EXPECT_EQ(full, policy.cap);
  }
}

TEST(Backoff, CountsThatNeverEndDoNotOverflow) {
  test::FakeRandom random;
  const Duration delay = backoffDelay(kFastBackoff, 4'000'000'000u, random);
  EXPECT_GE(delay, seconds(30));
  EXPECT_LT(delay, seconds(60));
}

TEST(Backoff, DelaysOfOneAttemptDifferSoThatManyKeysDoNotComeBackTogether) {
  test::FakeRandom random;
  const Duration first = backoffDelay(kFastBackoff, 5, random);
  EXPECT_NE(first, backoffDelay(kFastBackoff, 5, random));
}

TEST(Backoff, NetworkFailuresAreFastAndThoseThatNeedAPersonSlow) {
  EXPECT_EQ(policyFor(Retry::kFast).first, milliseconds(100));
  EXPECT_EQ(policyFor(Retry::kFast).cap, seconds(60));
  EXPECT_EQ(policyFor(Retry::kSlow).first, seconds(30));
  EXPECT_EQ(policyFor(Retry::kSlow).cap, minutes(5));
}

TEST(RateLimiter, LetsABurstThroughAndThenOneAtATime) {
  test::FakeClock clock;
  RateLimiter limiter(clock, 10, 3);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limiter.reserve(), Duration::zero());
  EXPECT_EQ(limiter.reserve(), milliseconds(100));
  EXPECT_EQ(limiter.reserve(), milliseconds(200)) << "the second in line waits behind the first";
}

TEST(RateLimiter, RefillsWithTimeButNeverBeyondTheBurst) {
  test::FakeClock clock;
  RateLimiter limiter(clock, 10, 2);
  limiter.reserve();
  limiter.reserve();
  clock.advance(milliseconds(100));
  EXPECT_EQ(limiter.reserve(), Duration::zero());
  clock.advance(std::chrono::hours(1));
  EXPECT_EQ(limiter.reserve(), Duration::zero());
  EXPECT_EQ(limiter.reserve(), Duration::zero());
  EXPECT_GT(limiter.reserve(), Duration::zero());
}

TEST(RateLimiter, WhatWasTakenInAdvanceIsPaidBackFirst) {
  test::FakeClock clock;
  RateLimiter limiter(clock, 1, 1);
  limiter.reserve();
  EXPECT_EQ(limiter.reserve(), seconds(1));
  clock.advance(seconds(1));
  EXPECT_EQ(limiter.reserve(), seconds(1));
}

TEST(Metrics, TheSameNameAndLabelsGiveTheSameMetric) {
  Metrics metrics;
  metrics.counter("c_total", "help", {{"a", "1"}}).Increment();
  metrics.counter("c_total", "help", {{"a", "1"}}).Increment();
  EXPECT_EQ(metrics.counter("c_total", "help", {{"a", "1"}}).Value(), 2);
  EXPECT_NE(&metrics.counter("c_total", "help", {{"a", "1"}}),
            &metrics.counter("c_total", "help", {{"a", "2"}}));
  EXPECT_EQ(&metrics.gauge("g", "help", {}), &metrics.gauge("g", "help", {}));
  EXPECT_EQ(&metrics.histogram("h", "help", {}, {1, 2}),
            &metrics.histogram("h", "help", {}, {1, 2}));
}

TEST(Metrics, TextHoldsEveryMetricWithItsHelpAndLabels) {
  Metrics metrics;
  metrics.counter("c_total", "How often.", {{"cluster", "gpu"}}).Increment(3);
  metrics.gauge("g", "How much.", {}).Set(7);
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("# HELP c_total How often.\n# TYPE c_total counter\n"));
  EXPECT_THAT(text, HasSubstr("c_total{cluster=\"gpu\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("g 7\n"));
}

TEST(SystemClock, NeverGoesBackAndItsCalendarIsThisCenturys) {
  const SystemClock clock;
  const TimePoint first = clock.now();
  EXPECT_GE(clock.now(), first);
  EXPECT_GT(clock.wallNow(), WallTime(std::chrono::sys_days(std::chrono::year(2024) / 1 / 1)));
}

TEST(SystemRandom, GivesOtherNumbersEachTimeAndToEachProcess) {
  SystemRandom one, other;
  EXPECT_NE(one.next(), one.next());
  EXPECT_NE(one.next(), other.next());
}

TEST(Random, UniformStaysBelowOne) {
  struct Largest final : Random {
    std::uint64_t next() override { return ~std::uint64_t{0}; }
  } largest;
  EXPECT_LT(largest.uniform(), 1.0);
  EXPECT_GT(largest.uniform(), 0.99);
}

TEST(Vocabulary, EveryStateHasItsOwnWord) {
  using Record = PodRecord::State;
  EXPECT_STREQ(toString(Record::kWaiting), "Waiting");
  EXPECT_STREQ(toString(Record::kCreating), "Creating");
  EXPECT_STREQ(toString(Record::kCreated), "Created");
  EXPECT_STREQ(toString(Record::kTerminal), "Terminal");
  EXPECT_STREQ(toString(Record::kDeleting), "Deleting");
  EXPECT_STREQ(toString(ProviderState::kReady), "Ready");
  EXPECT_STREQ(toString(ProviderState::kUnreachable), "Unreachable");
  EXPECT_STREQ(toString(ProviderState::kClaimedElsewhere), "ClaimedElsewhere");
  EXPECT_STREQ(toString(ProviderState::kIdentityChanged), "IdentityChanged");
  EXPECT_STREQ(toString(ProviderState::kLeaving), "Leaving");
  EXPECT_STREQ(toString(ProviderState::kMassLoss), "MassLoss");
}

}  // namespace
}  // namespace vkb::base
