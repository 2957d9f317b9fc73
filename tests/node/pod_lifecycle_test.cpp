// Upstream's TestPodLifecycle: the life of a pod behind a provider that tells of changes, and
// behind one that has to be asked.
#include "pod_controller_fixture.h"
#include "vkbridge/errors.h"

namespace vkb::node {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class PodLifecycle : public PodControllerTest, public ::testing::WithParamInterface<const char*> {
 protected:
  PodLifecycle()
      : PodControllerTest(std::string(GetParam()) == "Told" ? Changes::kTold : Changes::kPolled) {}

  /// The controller comes to know what happened on the provider's side.
  void learn() { changes_ == Changes::kTold ? rt_.settle() : rt_.advance(kPollInterval); }
  static Json homePod(const std::string& name) {
    return {{"metadata", {{"name", name}}},
            {"spec",
             {{"nodeName", "gpu"},
              {"containers", Json::array({{{"name", "c"}, {"image", "app:1"}}})}}}};
  }
  std::string addLearned(const std::string& name) {
    const std::string uid = addPod(name);
    provider_.run(uid);
    learn();
    return uid;
  }
  /// A pod of the provider whose home pod is gone and of which no record tells.
  void addDangling(const std::string& home_uid) {
    provider_.pods[home_uid] = {{.ownership = ProviderPod::Ownership::kMine,
                                 .place = {"default", "lost"},
                                 .uid = "delegate-of-" + home_uid,
                                 .home_uid = home_uid,
                                 .home_ns = "default",
                                 .home_name = "lost"},
                                test::FakeProvider::running()};
  }
};

TEST_P(PodLifecycle, APodIsMadeRunsAndGoesWithItsDelegate) {
  begin();
  const std::string uid = addLearned("web");
  EXPECT_EQ(phase("web"), "Running");
  EXPECT_EQ(ready("web"), "True");
  removePod("web", 30);
  EXPECT_EQ(provider_.count("delete"), 1);
  EXPECT_FALSE(pod("web").is_null()) << "its delegate is still there";
  provider_.finish(uid);
  learn();
  EXPECT_TRUE(pod("web").is_null());
  EXPECT_EQ(provider_.made, 1);
  EXPECT_EQ(store_.size(), 0u);
}

TEST_P(PodLifecycle, ADeletionAnsweredWithNotFoundIsNoProofButEndsThePodOnceThereIsOne) {
  begin();
  const std::string uid = addLearned("web");
  provider_.delete_error = errors::notFound("no such pod");
  removePod("web", 30);
  EXPECT_EQ(provider_.count("delete"), 1);
  EXPECT_FALSE(pod("web").is_null()) << "the provider still shows it";
  provider_.vanish(uid);
  learn();
  EXPECT_TRUE(pod("web").is_null());
  EXPECT_EQ(store_.size(), 0u);
}

TEST_P(PodLifecycle, ADeletionThatFailsForWhateverReasonIsAskedForAgain) {
  begin();
  const std::string uid = addLearned("web");
  provider_.delete_error = {.code = 0, .reason = "Broken", .message = "random error"};
  removePod("web", 30);
  rt_.advance(seconds(5));
  EXPECT_GT(provider_.count("delete"), 1);
  EXPECT_FALSE(pod("web").is_null());
  provider_.delete_error.reset();
  rt_.advance(minutes(1));
  EXPECT_TRUE(provider_.pods.at(uid).pod.deleting);
  provider_.finish(uid);
  learn();
  EXPECT_TRUE(pod("web").is_null());
}

TEST_P(PodLifecycle, ADanglingPodFoundAtTheStartIsDeleted) {
  addDangling("former");
  begin();
  EXPECT_TRUE(provider_.pods.at("former").pod.deleting);
  provider_.finish("former");
  learn();
  EXPECT_EQ(store_.size(), 0u);
  EXPECT_EQ(provider_.count("delete"), 1);
}

TEST_P(PodLifecycle, ADanglingPodThatTurnsUpLaterIsDeleted) {
  begin();
  addDangling("former");
  provider_.notify("former");
  learn();
  EXPECT_TRUE(provider_.pods.at("former").pod.deleting);
}

TEST_P(PodLifecycle, ADanglingPodThatIsBeingDeletedIsNotDeletedAgain) {
  addDangling("former");
  provider_.pods.at("former").pod.deleting = true;
  begin();
  rt_.advance(minutes(5));
  EXPECT_EQ(provider_.count("delete"), 0);
  provider_.finish("former");
  learn();
  EXPECT_EQ(store_.size(), 0u);
}

TEST_P(PodLifecycle, PodsThatHaveEndedBeforeTheyWereServedAreLeftAlone) {
  for (const char* end : {"Failed", "Succeeded"}) {
    const std::string name = std::string("had-") + (*end == 'F' ? "failed" : "succeeded");
    home_.addPod(homePod(name));
    home_.setPodStatus("default", name, {{"phase", end}});
  }
  begin();
  rt_.advance(minutes(5));
  EXPECT_TRUE(provider_.calls.empty());
  EXPECT_EQ(phase("had-failed"), "Failed");
  EXPECT_EQ(phase("had-succeeded"), "Succeeded");
}

TEST_P(PodLifecycle, AnUpdateOfARunningPodIsPassedOnOnce) {
  begin();
  const std::string uid = addLearned("web");
  home_.edit(kube::kPods, "default", "web", {{"spec", {{"activeDeadlineSeconds", 60}}}});
  rt_.advance(minutes(5));
  EXPECT_EQ(provider_.count("update"), 1);
  EXPECT_EQ(provider_.made, 1);
  EXPECT_EQ(phase("web"), "Running");
  EXPECT_EQ(provider_.pods.at(uid).pod.inputs_hash, store_.find(uid)->inputs_hash);
}

TEST_P(PodLifecycle, AChangeOfLabelsAloneUpdatesThePodOnce) {
  provider_.metadata_is_input = true;
  begin();
  addLearned("web");
  home_.edit(kube::kPods, "default", "web", {{"metadata", {{"labels", {{"tier", "front"}}}}}});
  rt_.advance(minutes(5));
  EXPECT_EQ(provider_.count("update"), 1);
  home_.edit(kube::kPods, "default", "web", {{"metadata", {{"labels", {{"tier", nullptr}}}}}});
  rt_.advance(minutes(5));
  EXPECT_EQ(provider_.count("update"), 2);
}

TEST_P(PodLifecycle, AChangeOfAnnotationsAloneUpdatesThePodOnce) {
  provider_.metadata_is_input = true;
  begin();
  addLearned("web");
  home_.edit(kube::kPods, "default", "web", {{"metadata", {{"annotations", {{"note", "x"}}}}}});
  rt_.advance(minutes(5));
  EXPECT_EQ(provider_.count("update"), 1);
}

TEST_P(PodLifecycle, APodThatVanishesAtTheProviderIsFailedAfterProof) {
  begin();
  const std::string uid = addLearned("web");
  provider_.vanish(uid);
  learn();
  EXPECT_EQ(phase("web"), "Failed");
  EXPECT_EQ(provider_.count("get"), 1);
  EXPECT_EQ(provider_.made, 1);
}

TEST_P(PodLifecycle, APodThatVanishesRightAfterItWasMadeIsFailedToo) {
  begin();
  const std::string uid = addPod("web");
  provider_.vanish(uid);
  learn();
  EXPECT_EQ(phase("web"), "Failed");
  EXPECT_EQ(provider_.made, 1);
}

TEST_P(PodLifecycle, AThousandPodsAtOnceAreEachMadeOnceAndTheQueueHoldsEachOnce) {
  std::vector<std::string> uids;
  for (int i = 0; i < 1000; ++i) {
    uids.push_back(home_.addPod(homePod("p" + std::to_string(i)))->uid());
  }
  std::size_t longest = 0;
  provider_.on_create = [&](const PodRecord& record) {
    // Nothing but noise, about the pod in work and about those that wait: no key waits twice.
    if (provider_.made % 100 == 0) {
      for (const auto& uid : uids) provider_.notify(uid);
    }
    provider_.notify(record.uid);
    longest = std::max(longest, controller_->counts().active);
  };
  begin();
  EXPECT_EQ(provider_.made, 1000);
  EXPECT_EQ(provider_.count("create"), 1000);
  EXPECT_GT(longest, 0u);
  EXPECT_LE(longest, 1000u);
  for (const auto& uid : uids) provider_.run(uid);
  learn();
  EXPECT_EQ(controller_->counts().pods, 1000u);
  EXPECT_EQ(controller_->counts().active, 0u);
  for (const char* name : {"p0", "p500", "p999"}) EXPECT_EQ(phase(name), "Running");
  EXPECT_EQ(provider_.made, 1000);
}

INSTANTIATE_TEST_SUITE_P(Changes, PodLifecycle, ::testing::Values("Told", "Polled"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace vkb::node
