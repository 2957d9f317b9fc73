#include "base/thread_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <memory>
#include <thread>

#include "base/executor.h"

namespace vkb::base {
namespace {

std::atomic<int> g_over = 0;

/// What a library keeps for each thread, and is slow to let go.
struct OfThread {
  bool used = false;
  ~OfThread() {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ++g_over;
  }
};

void touch() {
  thread_local OfThread mine;
  mine.used = true;
}

TEST(ThreadGroup, WhatThreadsHoldIsGoneWithThem) {
  g_over = 0;
  const auto held = std::make_shared<int>();
  {
    ThreadGroup group;
    for (int i = 0; i < 5; ++i) group.start([held] { touch(); });
  }
  EXPECT_EQ(g_over, 5);
  EXPECT_EQ(held.use_count(), 1);
}

TEST(ThreadGroup, ThreadsMayStartOthers) {
  std::atomic<int> ran = 0;
  ThreadGroup group;
  group.start([&] {
    for (int i = 0; i < 10; ++i) group.start([&] { ++ran; });
  });
  group.join();
  EXPECT_EQ(ran, 10);
}

TEST(ThreadGroup, MayBeJoinedAndFilledAgain) {
  std::atomic<int> ran = 0;
  ThreadGroup group;
  group.join();
  for (int i = 0; i < 3; ++i) {
    group.start([&] { ++ran; });
    group.join();
    EXPECT_EQ(ran, i + 1);
  }
}

TEST(ThreadPoolExecutor, WhatItsThreadsHoldIsGoneWhenItHasStopped) {
  g_over = 0;
  ThreadPoolExecutor executor(4);
  std::latch all(4);
  for (int i = 0; i < 4; ++i) {
    executor.post([&] {
      touch();
      all.arrive_and_wait();
    });
  }
  all.wait();
  executor.stop();
  EXPECT_EQ(g_over, 4);
}

}  // namespace
}  // namespace vkb::base
