#include "node/work_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <latch>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/executor.h"
#include "support/fake_runtime.h"

namespace vkb::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Keys = std::vector<std::string>;

Status fastFailure() { return {.code = 503, .reason = "Busy", .message = "m"}; }
Status refusal(int code, Retry retry) {
  return {.code = code, .reason = "Refused", .message = "m", .retry = retry};
}

class WorkQueueTest : public ::testing::Test {
 protected:
  WorkQueueTest() { makeQueue(32); }
  void makeQueue(std::size_t concurrency) {
    queue_.reset();
    queue_ = std::make_unique<WorkQueue>(rt_.runtime(), metrics_,
                                         WorkQueue::Options{"test", concurrency},
                                         [this](const std::string& key) {
                                           handled_.push_back(key);
                                           at_.push_back(rt_.clock.now());
                                           return answer_ ? answer_(key) : Outcome::done();
                                         });
  }
  /// How long after `since` the key was handled again, looking no further than `limit`.
  Duration waitForNext(Duration limit) {
    const std::size_t before = handled_.size();
    const TimePoint since = rt_.clock.now();
    const TimePoint end = since + limit;
    while (handled_.size() == before && rt_.executor.jumpToNextTimer(end - rt_.clock.now())) {
      rt_.settle();
    }
    EXPECT_GT(handled_.size(), before) << "not handled again";
    return rt_.clock.now() - since;
  }

  test::FakeRuntime rt_;
  base::Metrics metrics_;
  Keys handled_;
  std::vector<TimePoint> at_;
  std::function<Outcome(const std::string&)> answer_;
  std::unique_ptr<WorkQueue> queue_;
};

TEST_F(WorkQueueTest, AFirstEnqueueIsNotDelayed) {
  for (int i = 0; i < 1000; ++i) queue_->enqueue("key-" + std::to_string(i));
  const TimePoint begin = rt_.clock.now();
  rt_.settle();
  EXPECT_EQ(handled_.size(), 1000u);
  EXPECT_EQ(rt_.clock.now(), begin);
}

TEST_F(WorkQueueTest, KeysAreHandledInTheOrderTheyCame) {
  for (const char* key : {"c", "a", "b"}) queue_->enqueue(key);
  rt_.settle();
  EXPECT_EQ(handled_, (Keys{"c", "a", "b"}));
}

TEST_F(WorkQueueTest, AKeyEnqueuedTwiceBeforeItsTurnIsHandledOnce) {
  queue_->enqueue("a");
  queue_->enqueueNow("a");
  queue_->enqueue("a");
  EXPECT_EQ(queue_->active(), 1u);
  rt_.settle();
  EXPECT_EQ(handled_, (Keys{"a"}));
  EXPECT_EQ(queue_->active(), 0u);
}

TEST_F(WorkQueueTest, AKeyEnqueuedWhileItRunsIsHandledOnceMore) {
  answer_ = [&](const std::string& key) {
    if (handled_.size() == 1) {
      queue_->enqueue(key);
      queue_->enqueue(key);
      EXPECT_TRUE(queue_->isRunning(key));
    }
    return Outcome::done();
  };
  queue_->enqueue("a");
  rt_.settle();
  EXPECT_EQ(handled_, (Keys{"a", "a"}));
  EXPECT_FALSE(queue_->isRunning("a"));
}

TEST_F(WorkQueueTest, AKeyThatKeepsItselfBusyDoesNotStarveOthers) {
  makeQueue(1);
  answer_ = [&](const std::string& key) {
    if (key == "busy" && handled_.size() < 10) queue_->enqueue(key);
    return Outcome::done();
  };
  queue_->enqueue("busy");
  queue_->enqueue("quiet");
  rt_.settle();
  EXPECT_EQ(handled_[1], "quiet");
}

TEST_F(WorkQueueTest, OtherTasksGetTheirTurnBetweenAFewKeys) {
  makeQueue(1);
  for (int i = 0; i < 100; ++i) queue_->enqueue("key-" + std::to_string(i));
  std::size_t handled_before = 0;
  rt_.executor.post([&] { handled_before = handled_.size(); });
  rt_.settle();
  EXPECT_GE(handled_before, 1u);
  EXPECT_LE(handled_before, 10u);
  EXPECT_EQ(handled_.size(), 100u);
}

TEST_F(WorkQueueTest, FailuresBackOffFromATenthOfASecondToAMinuteForEver) {
  answer_ = [](const std::string&) { return Outcome::failed(fastFailure()); };
  queue_->enqueue("a");
  rt_.settle();
  Duration full = milliseconds(100);
  for (int attempt = 1; attempt <= 30; ++attempt) {
    const Duration waited = waitForNext(minutes(2));
    EXPECT_GE(waited, full / 2) << "attempt " << attempt;
    EXPECT_LE(waited, full) << "attempt " << attempt;
    full = std::min<Duration>(seconds(60), full * 2);
  }
}

TEST_F(WorkQueueTest, FailuresThatNeedAPersonBackOffFromHalfAMinuteToFive) {
  answer_ = [](const std::string&) { return Outcome::failed(refusal(403, Retry::kSlow)); };
  queue_->enqueue("a");
  rt_.settle();
  EXPECT_GE(waitForNext(minutes(10)), seconds(15));
  for (int i = 0; i < 10; ++i) waitForNext(minutes(10));
  const Duration waited = waitForNext(minutes(10));
  EXPECT_GE(waited, minutes(5) / 2);
  EXPECT_LE(waited, minutes(5));
}

TEST_F(WorkQueueTest, RetryAfterIsHonouredWhereItIsLongerThanTheBackoff) {
  Status busy = fastFailure();
  busy.retryAfter = seconds(7);
  answer_ = [&](const std::string&) { return Outcome::failed(busy); };
  queue_->enqueue("a");
  rt_.settle();
  EXPECT_EQ(waitForNext(minutes(1)), seconds(7));
  busy.retryAfter = milliseconds(1);
  waitForNext(minutes(1));
  EXPECT_GT(waitForNext(minutes(1)), milliseconds(100)) << "the backoff is longer here";
}

TEST_F(WorkQueueTest, ASuccessEndsTheBackoffCount) {
  bool fail = true;
  answer_ = [&](const std::string&) {
    return fail ? Outcome::failed(fastFailure()) : Outcome::done();
  };
  queue_->enqueue("a");
  rt_.settle();
  for (int i = 0; i < 8; ++i) waitForNext(minutes(2));
  fail = false;
  waitForNext(minutes(2));
  fail = true;
  queue_->enqueue("a");
  rt_.settle();
  EXPECT_LE(waitForNext(minutes(2)), milliseconds(100));
}

TEST_F(WorkQueueTest, ASuccessThatAsksForALaterLookEndsTheBackoffCountToo) {
  bool fail = true;
  answer_ = [&](const std::string&) {
    return fail ? Outcome::failed(fastFailure()) : Outcome::after(seconds(60));
  };
  queue_->enqueue("a");
  rt_.settle();
  for (int i = 0; i < 8; ++i) waitForNext(minutes(2));
  fail = false;
  waitForNext(minutes(2));
  fail = true;
  waitForNext(minutes(2));
  EXPECT_LE(waitForNext(minutes(2)), milliseconds(100));
}

TEST_F(WorkQueueTest, EnqueueKeepsABackoffAndEnqueueNowEndsIt) {
  answer_ = [](const std::string&) { return Outcome::failed(refusal(403, Retry::kSlow)); };
  queue_->enqueue("a");
  rt_.settle();
  EXPECT_TRUE(queue_->isBackingOff("a"));
  queue_->enqueue("a");
  rt_.settle();
  EXPECT_EQ(handled_.size(), 1u);
  queue_->enqueueNow("a");
  rt_.settle();
  EXPECT_EQ(handled_.size(), 2u);
  EXPECT_GE(waitForNext(minutes(2)), seconds(30)) << "the count went on";
  EXPECT_EQ(rt_.executor.timers(), 1u) << "no timer was left behind";
}

TEST_F(WorkQueueTest, WhatCameWhileAFailingHandlerRanWaitsForTheRetryUnlessItIsUrgent) {
  bool urgent = false;
  answer_ = [&](const std::string& key) {
    if (handled_.size() == 1) urgent ? queue_->enqueueNow(key) : queue_->enqueue(key);
    return Outcome::failed(fastFailure());
  };
  queue_->enqueue("a");
  rt_.settle();
  EXPECT_EQ(handled_.size(), 1u);
  queue_->shutdown();
  makeQueue(1);
  handled_.clear();
  urgent = true;
  queue_->enqueue("a");
  rt_.settle();
  EXPECT_EQ(handled_.size(), 2u);
}

TEST_F(WorkQueueTest, ARefusalIsNotRetriedUntilSomethingChanges) {
  answer_ = [](const std::string&) { return Outcome::failed(refusal(422, Retry::kNever)); };
  queue_->enqueue("a");
  rt_.advance(std::chrono::hours(10));
  EXPECT_EQ(handled_.size(), 1u);
  queue_->enqueue("a");
  rt_.settle();
  EXPECT_EQ(handled_.size(), 2u);
}

TEST_F(WorkQueueTest, NoMoreThanTheAllowedHandlersRunAtOnce) {
  makeQueue(2);
  int running = 0, most = 0;
  answer_ = [&](const std::string&) {
    most = std::max(most, ++running);
    while (rt_.executor.runOne()) {  // another thread would take what is posted
    }
    --running;
    return Outcome::done();
  };
  for (int i = 0; i < 10; ++i) queue_->enqueue(std::to_string(i));
  rt_.settle();
  EXPECT_EQ(most, 2);
  EXPECT_EQ(handled_.size(), 10u);
}

TEST_F(WorkQueueTest, AHandlerMayAskToLookAgainLater) {
  answer_ = [&](const std::string&) {
    return handled_.size() == 1 ? Outcome::after(seconds(3)) : Outcome::done();
  };
  queue_->enqueue("a");
  rt_.settle();
  EXPECT_FALSE(queue_->isBackingOff("a"));
  EXPECT_EQ(waitForNext(seconds(10)), seconds(3));
}

TEST_F(WorkQueueTest, AnEnqueueDoesNotWaitForALaterLook) {
  answer_ = [&](const std::string&) { return Outcome::after(seconds(60)); };
  queue_->enqueue("a");
  rt_.settle();
  queue_->enqueue("a");
  rt_.settle();
  EXPECT_EQ(handled_.size(), 2u);
  EXPECT_EQ(rt_.executor.timers(), 1u);
}

TEST_F(WorkQueueTest, OneKeysBackoffDelaysNoOther) {
  answer_ = [](const std::string& key) {
    return key == "bad" ? Outcome::failed(fastFailure()) : Outcome::done();
  };
  queue_->enqueue("bad");
  queue_->enqueue("good");
  rt_.settle();
  EXPECT_EQ(handled_, (Keys{"bad", "good"}));
}

TEST_F(WorkQueueTest, AfterShutdownNothingStarts) {
  answer_ = [](const std::string&) { return Outcome::failed(fastFailure()); };
  queue_->enqueue("failed");
  rt_.settle();
  queue_->enqueue("queued");
  queue_->shutdown();
  queue_->enqueueNow("late");
  rt_.advance(minutes(10));
  EXPECT_EQ(handled_, (Keys{"failed"}));
  EXPECT_EQ(rt_.executor.timers(), 0u);
}

TEST_F(WorkQueueTest, ACrashInAHandlerLeavesAQueueThatCanBeDestroyed) {
  struct Crash {};
  answer_ = [](const std::string&) -> Outcome { throw Crash(); };
  queue_->enqueue("a");
  EXPECT_THROW(rt_.settle(), Crash);
  queue_.reset();
}

TEST_F(WorkQueueTest, MetricsAreClientGos) {
  answer_ = [&](const std::string&) {
    return handled_.size() == 1 ? Outcome::failed(fastFailure()) : Outcome::done();
  };
  queue_->enqueue("a");
  queue_->enqueue("b");
  EXPECT_EQ(
      metrics_.gauge("workqueue_depth", "Keys waiting for a worker", {{"name", "test"}}).Value(),
      2);
  rt_.advance(seconds(1));
  const std::string text = metrics_.text();
  EXPECT_NE(text.find("workqueue_depth{name=\"test\"} 0\n"), std::string::npos) << text;
  EXPECT_NE(text.find("workqueue_adds_total{name=\"test\"} 3\n"), std::string::npos);
  EXPECT_NE(text.find("workqueue_retries_total{name=\"test\"} 1\n"), std::string::npos);
  EXPECT_NE(text.find("workqueue_queue_duration_seconds_count{name=\"test\"} 3\n"),
            std::string::npos);
  EXPECT_NE(text.find("workqueue_work_duration_seconds_count{name=\"test\"} 3\n"),
            std::string::npos);
}

TEST(WorkQueueThreads, NoMoreHandlersRunAtOnceThanAllowedAndEveryAllowedOneMay) {
  base::SystemClock clock;
  base::SystemRandom random;
  base::ThreadPoolExecutor executor(8);
  base::Metrics metrics;
  std::latch together(3);
  std::atomic<int> running{0}, most{0}, done{0};
  std::latch finished(30);
  WorkQueue queue({clock, executor, random}, metrics, {"threads", 3}, [&](const std::string&) {
    const int now = ++running;
    int seen = most.load();
    while (now > seen && !most.compare_exchange_weak(seen, now)) {
    }
    if (done++ < 3) together.arrive_and_wait();  // the first three need each other to go on
    --running;
    finished.count_down();
    return Outcome::done();
  });
  for (int i = 0; i < 30; ++i) queue.enqueue(std::to_string(i));
  finished.wait();
  queue.shutdown();
  EXPECT_EQ(most, 3);
}

TEST(WorkQueueThreads, UnderLoadNoKeyRunsTwiceAtOnceAndNoChangeIsMissed) {
  base::SystemClock clock;
  base::SystemRandom random;
  base::ThreadPoolExecutor executor(8);
  base::Metrics metrics;
  constexpr int kKeys = 20, kPosters = 4, kChanges = 2000;
  struct Cell {
    std::atomic<int> running{0}, version{0}, seen{0};
  };
  std::vector<Cell> cells(kKeys);
  std::atomic<int> overlaps{0}, behind{kKeys};
  std::latch settled(1);
  constexpr int kFinal = kPosters * kChanges / kKeys;
  WorkQueue queue({clock, executor, random}, metrics, {"stress", 8}, [&](const std::string& key) {
    Cell& cell = cells[static_cast<std::size_t>(std::stoi(key))];
    if (cell.running.fetch_add(1) != 0) ++overlaps;
    const int before = cell.seen.load(), now = cell.version.load();
    cell.seen = now;
    --cell.running;
    if (before < kFinal && now == kFinal && --behind == 0) settled.count_down();
    // Some turns fail, so that timers take part; urgent changes end their backoff.
    return now % 7 == 3 ? Outcome::failed(fastFailure()) : Outcome::done();
  });
  std::vector<std::jthread> posters;
  for (int p = 0; p < kPosters; ++p) {
    posters.emplace_back([&, p] {
      for (int i = 0; i < kChanges; ++i) {
        const int key = (i + p) % kKeys;
        ++cells[static_cast<std::size_t>(key)].version;
        queue.enqueueNow(std::to_string(key));
      }
    });
  }
  settled.wait();
  posters.clear();
  queue.shutdown();
  EXPECT_EQ(overlaps, 0);
  for (const Cell& cell : cells) EXPECT_EQ(cell.seen, kFinal);
}

}  // namespace
}  // namespace vkb::node
