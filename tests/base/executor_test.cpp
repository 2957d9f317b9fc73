#include "base/executor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace vkb::base {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

TEST(ThreadPoolExecutor, OneThreadRunsTasksInTheOrderPosted) {
  ThreadPoolExecutor executor(1);
  std::latch done(1);
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) executor.post([&order, i] { order.push_back(i); });
  executor.post([&] { done.count_down(); });
  done.wait();
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_EQ(order.size(), 100u);
}

TEST(ThreadPoolExecutor, AsManyTasksRunAtOnceAsThereMayBeThreads) {
  ThreadPoolExecutor executor(4);
  // Each waits for the others: with fewer than four threads this would never end.
  std::barrier together(4);
  std::latch done(4);
  for (int i = 0; i < 4; ++i) {
    executor.post([&] {
      together.arrive_and_wait();
      done.count_down();
    });
  }
  done.wait();
}

TEST(ThreadPoolExecutor, NoMoreTasksRunAtOnceThanAllowed) {
  ThreadPoolExecutor executor(3);
  std::atomic<int> running{0}, most{0};
  std::latch done(200);
  for (int i = 0; i < 200; ++i) {
    executor.post([&] {
      const int now = ++running;
      int seen = most.load();
      while (now > seen && !most.compare_exchange_weak(seen, now)) {
      }
      std::this_thread::yield();
      --running;
      done.count_down();
    });
  }
  done.wait();
  EXPECT_LE(most.load(), 3);
}

TEST(ThreadPoolExecutor, OneTaskAtATimeLeavesTheThreadsThatAreNotNeededInPeace) {
  constexpr int kThreads = 16;
  std::barrier together(kThreads);
  std::atomic<int> ran = 0;
  std::set<std::thread::id> used;
  ThreadPoolExecutor executor(kThreads);
  const auto waitFor = [&](int count) {
    for (int now = ran; now < count; now = ran) ran.wait(now);
  };
  const auto tell = [&] {
    ++ran;
    ran.notify_all();
  };
  for (int i = 0; i < kThreads; ++i) {
    executor.post([&] {
      together.arrive_and_wait();
      tell();
    });
  }
  waitFor(kThreads);
  for (int i = 1; i <= 50; ++i) {
    executor.post([&] {
      used.insert(std::this_thread::get_id());
      tell();
    });
    waitFor(kThreads + i);
  }
  EXPECT_LT(used.size(), static_cast<std::size_t>(kThreads));
}

TEST(ThreadPoolExecutor, ATaskMayPostAnotherAndWaitForItOnASecondThread) {
  ThreadPoolExecutor executor(2);
  std::latch inner(1), outer(1);
  executor.post([&] {
    executor.post([&] { inner.count_down(); });
    inner.wait();
    outer.count_down();
  });
  outer.wait();
}

TEST(ThreadPoolExecutor, TimersFireByTheirTimeAndNotByTheOrderTheyWereSet) {
  ThreadPoolExecutor executor(1);
  std::latch done(2);
  std::vector<int> order;
  const auto begin = std::chrono::steady_clock::now();
  executor.postAfter(milliseconds(30), [&] {
    order.push_back(2);
    done.count_down();
  });
  executor.postAfter(milliseconds(1), [&] {
    order.push_back(1);
    done.count_down();
  });
  done.wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, milliseconds(30));
}

TEST(ThreadPoolExecutor, ACancelledTimerNeverRunsAndIsCancelledOnce) {
  ThreadPoolExecutor executor(1);
  std::atomic<bool> ran{false};
  const auto id = executor.postAfter(hours(1), [&] { ran = true; });
  EXPECT_TRUE(executor.cancel(id));
  EXPECT_FALSE(executor.cancel(id));
  executor.stop();
  EXPECT_FALSE(ran);
}

TEST(ThreadPoolExecutor, ATimerThatRanCannotBeCancelled) {
  ThreadPoolExecutor executor(1);
  std::latch done(1);
  const auto id = executor.postAfter(Duration::zero(), [&] { done.count_down(); });
  done.wait();
  EXPECT_FALSE(executor.cancel(id));
  EXPECT_FALSE(executor.cancel(id + 1000));
}

TEST(ThreadPoolExecutor, StopWaitsForWhatRunsAndDropsTheRest) {
  ThreadPoolExecutor executor(1);
  std::latch started(1);
  std::atomic<bool> finished{false}, dropped_ran{false};
  executor.post([&] {
    started.count_down();
    // Only once stop() has begun is there no timer to cancel any more.
    while (executor.cancel(executor.postAfter(hours(1), [] {}))) std::this_thread::yield();
    finished = true;
  });
  executor.post([&] { dropped_ran = true; });
  executor.postAfter(hours(1), [&] { dropped_ran = true; });
  started.wait();
  executor.stop();
  EXPECT_TRUE(finished) << "stop() came back while a task was running";
  EXPECT_FALSE(dropped_ran);
}

TEST(ThreadPoolExecutor, AfterStopATaskIsDroppedAtOnce) {
  ThreadPoolExecutor executor(2);
  executor.stop();
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = held;
  executor.post([held] {});
  executor.postAfter(Duration::zero(), [held] {});
  held.reset();
  EXPECT_TRUE(watch.expired()) << "a dropped task was kept";
  executor.stop();  // twice is fine
}

/// Calls back into the executor when it goes, as a controller's last reference does.
struct CallsBack {
  explicit CallsBack(ThreadPoolExecutor& e) : executor(e) {}
  ~CallsBack() { executor.cancel(1); }
  ThreadPoolExecutor& executor;
};

TEST(ThreadPoolExecutor, CapturesOfDroppedTasksMayCallTheExecutor) {
  ThreadPoolExecutor executor(1);
  const auto id = executor.postAfter(hours(1), [c = std::make_shared<CallsBack>(executor)] {});
  EXPECT_TRUE(executor.cancel(id));
  executor.postAfter(hours(1), [c = std::make_shared<CallsBack>(executor)] {});
  executor.stop();
  executor.post([c = std::make_shared<CallsBack>(executor)] {});
}

TEST(ThreadPoolExecutor, PostsAndCancelsFromManyThreadsLoseNothing) {
  ThreadPoolExecutor executor(4);
  constexpr int kThreads = 4, kTasks = 500;
  std::latch ran(kThreads * kTasks);
  std::atomic<int> cancelled{0};
  std::vector<std::jthread> posters;
  for (int t = 0; t < kThreads; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < kTasks; ++i) {
        executor.post([&] { ran.count_down(); });
        const auto id = executor.postAfter(hours(1), [] {});
        if (executor.cancel(id)) ++cancelled;
      }
    });
  }
  ran.wait();
  posters.clear();
  EXPECT_EQ(cancelled, kThreads * kTasks);
}

}  // namespace
}  // namespace vkb::base
