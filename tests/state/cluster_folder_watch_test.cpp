#include <gtest/gtest.h>
#include <sched.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "helpers.h"
#include "state/state_folder.h"

namespace vkb::state {
namespace {

using test::Child;
using test::slurp;
using test::spill;
using test::TempFolder;

/// Counts calls; a test waits for the next one (the deadline only ends a broken test).
class Calls {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  bool waitForMoreThan(int seen) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return count_ > seen; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

ClusterConfig config(const std::string& name) {
  ClusterConfig made;
  made.name = name;
  made.target_id = "t";
  return made;
}

class ClusterFolderWatchTest : public ::testing::Test {
 protected:
  TempFolder temp;
  StateFolder folder = temp.open();
  Calls calls;
};

TEST_F(ClusterFolderWatchTest, SeesAJoinAnUpdateAndALeave) {
  const ClusterFolderWatch watch(folder, [this] { calls.add(); });
  int seen = calls.count();
  ASSERT_TRUE(folder.writeCluster(config("gpu-eu"), "a"));
  ASSERT_TRUE(calls.waitForMoreThan(seen));

  seen = calls.count();
  auto leaving = config("gpu-eu");
  leaving.leaving = true;
  ASSERT_TRUE(folder.writeConfig(leaving));
  ASSERT_TRUE(calls.waitForMoreThan(seen));

  seen = calls.count();
  ASSERT_TRUE(folder.removeCluster("gpu-eu"));
  ASSERT_TRUE(calls.waitForMoreThan(seen));
}

TEST_F(ClusterFolderWatchTest, SeesChangesInClustersThatWereThereBefore) {
  ASSERT_TRUE(folder.writeCluster(config("gpu-eu"), "a"));
  const ClusterFolderWatch watch(folder, [this] { calls.add(); });
  ASSERT_TRUE(folder.writeCluster(config("gpu-eu"), "b"));
  ASSERT_TRUE(calls.waitForMoreThan(0));
}

TEST_F(ClusterFolderWatchTest, TheLastCallSeesTheWholeJoin) {
  std::mutex mutex;
  std::condition_variable complete;
  bool seen = false;
  const ClusterFolderWatch watch(folder, [&] {
    const auto clusters = folder.clusters();
    const std::lock_guard lock(mutex);
    seen = clusters && clusters->size() == 20;
    complete.notify_all();
  });
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(folder.writeCluster(config("c" + std::to_string(i)), "a"));
  }
  std::unique_lock lock(mutex);
  EXPECT_TRUE(complete.wait_for(lock, std::chrono::seconds(30), [&] { return seen; }));
}

TEST_F(ClusterFolderWatchTest, ABurstIsOneCall) {
  ASSERT_TRUE(folder.writeCluster(config("gpu-eu"), "a"));
  const ClusterFolderWatch watch(folder, [this] { calls.add(); });
  const auto begin = std::chrono::steady_clock::now();
  int writes = 0;
  for (; writes < 50; ++writes) {
    spill(folder.kubeconfigPath("gpu-eu"), "b" + std::to_string(writes));
  }
  ASSERT_TRUE(calls.waitForMoreThan(0));
  // At most one call a window of 200 ms, and one for what came after the last.
  const auto took = std::chrono::steady_clock::now() - begin;
  EXPECT_LE(calls.count(), 2 + took / std::chrono::milliseconds(200));
  EXPECT_LT(calls.count(), writes);
}

TEST_F(ClusterFolderWatchTest, GoesOnWhenTheClustersFolderIsMadeAnew) {
  const ClusterFolderWatch watch(folder, [this] { calls.add(); });
  std::filesystem::remove_all(folder.path() / "clusters");
  ASSERT_TRUE(calls.waitForMoreThan(0));
  int seen = calls.count();
  folder = temp.open();
  ASSERT_TRUE(calls.waitForMoreThan(seen));
  seen = calls.count();
  ASSERT_TRUE(folder.writeCluster(config("gpu-eu"), "a"));
  ASSERT_TRUE(calls.waitForMoreThan(seen));
}

TEST_F(ClusterFolderWatchTest, EndsAtOnceAndQuietlyWhenNothingHappens) {
  {
    const ClusterFolderWatch watch(folder, [this] { calls.add(); });
  }
  EXPECT_EQ(calls.count(), 0);
}

TEST_F(ClusterFolderWatchTest, OtherFilesOfTheFolderCauseNoCall) {
  const ClusterFolderWatch watch(folder, [this] { calls.add(); });
  spill(folder.path() / "state.db-wal", "x");
  ASSERT_TRUE(folder.bindHome("home-1"));
  ASSERT_TRUE(folder.writeCluster(config("gpu-eu"), "a"));
  ASSERT_TRUE(calls.waitForMoreThan(0));
  const int seen = calls.count();
  EXPECT_LE(seen, 2) << "only the join, which may fall into two windows";
}

TEST_F(ClusterFolderWatchTest, WithoutInotifyItCallsFromTimeToTime) {
  Child child([this](const Child::Pipe& pipe) {
    // A user namespace of its own, in which nobody may make an inotify instance.
    const char* limit = "/proc/sys/user/max_inotify_instances";
    if (::unshare(CLONE_NEWUSER) != 0) return pipe.say("no namespace");
    spill(limit, "0");
    if (slurp(limit) != "0\n") return pipe.say("no namespace");
    const ClusterFolderWatch watch(folder, [this] { calls.add(); });
    pipe.say(calls.waitForMoreThan(0) ? "called" : "silent");
  });
  const std::string said = child.line();
  if (said == "no namespace") GTEST_SKIP() << "this process may not make user namespaces";
  EXPECT_EQ(said, "called");
}

}  // namespace
}  // namespace vkb::state
