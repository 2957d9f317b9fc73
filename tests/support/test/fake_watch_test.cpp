#include "cluster_fixture.h"

namespace vkb::test {
namespace {

using namespace std::chrono_literals;
using FakeWatchTest = ClusterTest;

TEST_F(FakeWatchTest, EventsComeAsTasksInOrder) {
  Recorder seen;
  const auto watch = watchPods(seen);
  cluster_.addPod(pod("a"));
  cluster_.addPod(pod("b"));
  EXPECT_TRUE(seen.lines.empty()) << "nothing is delivered within the write";
  rt_.executor.runOne();
  EXPECT_EQ(seen.lines.size(), 1U) << "one event a task";
  rt_.settle();
  EXPECT_EQ(seen.lines, (Lines{"ADDED a", "ADDED b"}));
}

TEST_F(FakeWatchTest, AWatchResumesFromAResourceVersion) {
  cluster_.addPod(pod("a"));
  const auto rv = std::to_string(cluster_.resourceVersion());
  cluster_.addPod(pod("b"));
  cluster_.edit(kube::kPods, "t1", "a", {{"metadata", {{"labels", {{"x", "y"}}}}}});
  Recorder seen;
  const auto watch = watchPods(seen, {.resource_version = rv});
  rt_.settle();
  EXPECT_EQ(seen.lines, (Lines{"ADDED b", "MODIFIED a"}));
}

TEST_F(FakeWatchTest, WithoutAResourceVersionItStartsWithWhatIsThere) {
  cluster_.addPod(pod("a"));
  Recorder seen;
  const auto watch = watchPods(seen, {.resource_version = "0"});
  cluster_.addPod(pod("b"));
  rt_.settle();
  EXPECT_EQ(seen.lines, (Lines{"ADDED a", "ADDED b"}));
}

TEST_F(FakeWatchTest, NamespacesAndOtherResourcesDoNotLeakIn) {
  Recorder seen;
  const auto watch = watchPods(seen, {.ns = "t1"});
  cluster_.addNode("n1");
  Json elsewhere = pod("x");
  elsewhere["metadata"]["namespace"] = "t2";
  cluster_.addPod(elsewhere);
  cluster_.addPod(pod("a"));
  rt_.settle();
  EXPECT_EQ(seen.lines, (Lines{"ADDED a"}));
}

TEST_F(FakeWatchTest, AStoppedWatchHearsNothingMore) {
  Recorder seen;
  auto watch = watchPods(seen);
  cluster_.addPod(pod("a"));
  watch.reset();
  rt_.settle();
  EXPECT_TRUE(seen.lines.empty());
  EXPECT_EQ(seen.closed, 0);
  EXPECT_EQ(rt_.executor.timers(), 0U);
}

TEST_F(FakeWatchTest, AHandlerMayStopItsOwnWatch) {
  Recorder seen;
  auto watch = watchPods(seen);
  seen.on_event = [&] { watch.reset(); };
  cluster_.addPod(pod("a"));
  cluster_.addPod(pod("b"));
  rt_.settle();
  EXPECT_EQ(seen.lines, (Lines{"ADDED a"}));
}

TEST_F(FakeWatchTest, ACutWatchLosesWhatWasUnderWayAndSaysSoOnce) {
  Recorder seen;
  const auto watch = watchPods(seen);
  cluster_.addPod(pod("a"));
  cluster_.cutWatches();
  cluster_.addPod(pod("b"));
  rt_.settle();
  EXPECT_TRUE(seen.lines.empty());
  EXPECT_EQ(seen.closed, 1);
  EXPECT_TRUE(seen.end.isUnanswered());
  EXPECT_EQ(cluster_.openWatches(), 0U);
}

TEST_F(FakeWatchTest, AWatchCanBeCutAfterSoManyEvents) {
  cluster_.cutWatchesAfter(2, "bridge");
  Recorder seen;
  const auto watch = watchPods(seen);
  for (const char* name : {"a", "b", "c"}) cluster_.addPod(pod(name));
  rt_.settle();
  EXPECT_EQ(seen.lines, (Lines{"ADDED a", "ADDED b"}));
  EXPECT_EQ(seen.closed, 1);
}

TEST_F(FakeWatchTest, TheServerEndsItInOrderAtItsTimeLimit) {
  Recorder seen;
  const auto watch = watchPods(seen, {.timeout = 10s});
  rt_.advance(11s);
  EXPECT_EQ(seen.closed, 1);
  EXPECT_EQ(seen.end.code, 200);
  EXPECT_EQ(seen.end.reason, "Ended");
}

TEST_F(FakeWatchTest, ACompactedResourceVersionIs410) {
  const auto rv = std::to_string(cluster_.resourceVersion());
  cluster_.addPod(pod("a"));
  cluster_.compact();
  Recorder seen;
  const auto watch = watchPods(seen, {.resource_version = rv});
  rt_.settle();
  EXPECT_EQ(seen.end.code, 410);
  EXPECT_EQ(seen.end.reason, "Expired");
}

TEST_F(FakeWatchTest, AfterARestoreAWatchFromAheadStaysSilent) {
  const auto backup = cluster_.snapshot();
  for (const char* name : {"a", "b", "c"}) cluster_.addPod(pod(name));
  const auto ahead = std::to_string(cluster_.resourceVersion());
  cluster_.restore(*backup);
  Recorder seen;
  const auto watch = watchPods(seen, {.resource_version = ahead});
  cluster_.addPod(pod("d"));
  cluster_.sendBookmarks();
  rt_.settle();
  EXPECT_TRUE(seen.lines.empty());
  EXPECT_EQ(seen.closed, 0);
}

TEST_F(FakeWatchTest, BookmarksCarryTheCurrentResourceVersion) {
  Recorder seen;
  const auto watch = watchPods(seen);
  cluster_.addNode("n1");
  cluster_.sendBookmarks();
  rt_.settle();
  EXPECT_EQ(seen.lines, (Lines{"BOOKMARK "}));
  EXPECT_EQ(seen.versions.back(), std::to_string(cluster_.resourceVersion()));
}

TEST_F(FakeWatchTest, HeldEventsComeWhenReleased) {
  Recorder seen;
  const auto watch = watchPods(seen);
  cluster_.holdWatches(true, "bridge");
  cluster_.addPod(pod("a"));
  rt_.settle();
  EXPECT_TRUE(seen.lines.empty());
  cluster_.holdWatches(false, "bridge");
  rt_.settle();
  EXPECT_EQ(seen.lines, (Lines{"ADDED a"}));
}

TEST_F(FakeWatchTest, EventsCanComeTwice) {
  cluster_.doubleEvents(true);
  Recorder seen;
  const auto watch = watchPods(seen);
  cluster_.addPod(pod("a"));
  rt_.settle();
  EXPECT_EQ(seen.lines, (Lines{"ADDED a", "ADDED a"}));
}

}  // namespace
}  // namespace vkb::test
