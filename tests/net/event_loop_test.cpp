// One thread for many descriptors.
#include "net/event_loop.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "net_fixture.h"

namespace vkb::test {
namespace {

class EventLoopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    ours_ = ends[0];
    theirs_ = ends[1];
    ASSERT_TRUE(loop_.start());
  }
  void TearDown() override {
    loop_.stop();
    close(ours_);
    close(theirs_);
  }
  /// Runs on the loop's thread; returns when it has.
  void onLoop(const std::function<void()>& call) {
    Gate done;
    loop_.post([&] {
      call();
      done.open();
    });
    ASSERT_TRUE(done.wait());
  }

  int ours_ = -1, theirs_ = -1;
  Gate ticks_;
  std::atomic<int> ticked_ = 0;
  std::atomic<bool> has_deadlines_ = true;
  const std::shared_ptr<net::EventThread> thread_ = std::make_shared<net::EventThread>("test");
  net::EventLoop loop_{thread_, milliseconds(50), [this] {
                         ++ticked_;
                         ticks_.open();
                         return has_deadlines_.load();
                       }};
};

TEST_F(EventLoopTest, TellsWhoAskedWhenThereIsSomethingToRead) {
  Gate told;
  net::EventLoop::WatchId id = 0;
  onLoop([&] {
    id = loop_.watch(ours_, [&] {
      loop_.setInterest(id, false, false);
      told.open();
    });
    loop_.setInterest(id, true, false);
  });
  ASSERT_EQ(write(theirs_, "x", 1), 1);
  EXPECT_TRUE(told.wait());
}

TEST_F(EventLoopTest, WhoAsksForNothingIsNotEvenToldOfAHangUp) {
  std::atomic<int> calls = 0;
  onLoop([&] { loop_.watch(ours_, [&] { ++calls; }); });
  shutdown(theirs_, SHUT_RDWR);
  for (int i = 0; i < 20; ++i) onLoop([] {});
  EXPECT_EQ(calls, 0);
}

TEST_F(EventLoopTest, WhoWasTakenOutByAnotherInTheSameRoundIsNotCalled) {
  std::atomic<int> calls = 0;
  Gate first;
  net::EventLoop::WatchId a = 0, b = 0;
  ASSERT_EQ(write(ours_, "x", 1), 1);
  ASSERT_EQ(write(theirs_, "x", 1), 1);
  onLoop([&] {
    const auto once = [&] {
      ++calls;
      loop_.unwatch(a);
      loop_.unwatch(b);
      first.open();
    };
    a = loop_.watch(ours_, once);
    b = loop_.watch(theirs_, once);
    loop_.setInterest(a, true, false);
    loop_.setInterest(b, true, false);
  });
  ASSERT_TRUE(first.wait());
  onLoop([] {});
  EXPECT_EQ(calls, 1);
}

TEST_F(EventLoopTest, TasksRunInTheirOrderAndTicksCome) {
  std::string order;
  // From the loop itself: posted from here, the loop could run the second before the third is
  // there.
  onLoop([&] {
    loop_.post([&] { order += "a"; });
    loop_.post([&] { loop_.post([&] { order += "c"; }); });
    loop_.post([&] { order += "b"; });
  });
  onLoop([] {});
  onLoop([] {});
  EXPECT_EQ(order, "abc");
  EXPECT_TRUE(ticks_.wait(2));
}

TEST_F(EventLoopTest, WhereThereAreNoDeadlinesItSleepsUntilSomethingHappens) {
  Gate others;
  net::EventLoop other{std::make_shared<net::EventThread>("other"), milliseconds(50), [&] {
                         others.open();
                         return true;
                       }};
  ASSERT_TRUE(other.start());
  has_deadlines_ = false;
  onLoop([] {});
  ASSERT_TRUE(ticks_.wait(1)) << "the one that says so";
  const int before = ticked_;
  other.post([] {});
  EXPECT_TRUE(others.wait(5)) << "time passes";
  EXPECT_EQ(ticked_, before);
  onLoop([] {});
  EXPECT_TRUE(ticks_.wait(2)) << "something happened";
}

TEST_F(EventLoopTest, TwoShareAThreadAndOneThatStopsLeavesTheOtherAtWork) {
  net::EventLoop other{thread_, milliseconds(50), [] { return true; }};
  ASSERT_TRUE(other.start());
  std::thread::id one, two;
  std::atomic<int> calls = 0;
  Gate called;
  onLoop([&] { one = std::this_thread::get_id(); });
  other.post([&] {
    two = std::this_thread::get_id();
    const auto id = other.watch(ours_, [&] {
      ++calls;  // and does not read: it is told again
      called.open();
    });
    other.setInterest(id, true, false);
  });
  ASSERT_EQ(write(theirs_, "x", 1), 1);
  ASSERT_TRUE(called.wait(2));
  EXPECT_EQ(one, two);
  other.stop();
  const int before = calls;
  for (int i = 0; i < 20; ++i) onLoop([] {});
  EXPECT_EQ(calls, before);
  EXPECT_TRUE(ticks_.wait(2));
}

TEST_F(EventLoopTest, TicksThatAreNearlyDueComeTogether) {
  std::atomic<int> later_ticks = 0;
  net::EventLoop later{thread_, milliseconds(1900), [&] {
                         ++later_ticks;
                         return true;
                       }};
  Gate looked;
  int seen = 0;
  net::EventLoop sooner{thread_, milliseconds(1000), [&] {
                          sooner.post([&] {
                            seen = later_ticks;
                            looked.open();
                          });
                          return false;
                        }};
  later.post([] {});
  sooner.post([] {});
  ASSERT_TRUE(looked.wait());
  EXPECT_EQ(seen, 1);
}

TEST_F(EventLoopTest, EventsThatComeCloseAreTakenTogetherAndWhatIsPostedAtOnce) {
  const auto patient = std::make_shared<net::EventThread>("patient", std::chrono::minutes(1));
  net::EventLoop loop{patient, milliseconds(50), [] { return false; }};
  ASSERT_TRUE(loop.start());
  std::atomic<int> calls = 0;
  Gate first, second;
  const auto look = [&] {
    char byte = 0;
    ASSERT_EQ(read(ours_, &byte, 1), 1);
    (++calls == 1 ? first : second).open();
  };
  loop.post([&] { loop.setInterest(loop.watch(ours_, look), true, false); });
  ASSERT_EQ(write(theirs_, "x", 1), 1);
  ASSERT_TRUE(first.wait());
  ASSERT_EQ(write(theirs_, "y", 1), 1);
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(calls, 1) << "the pause is not over";
  loop.post([] {});
  EXPECT_TRUE(second.wait());
}

TEST_F(EventLoopTest, WhatIsPostedAfterTheStopIsDropped) {
  loop_.stop();
  bool ran = false;
  loop_.post([&] { ran = true; });
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace vkb::test
