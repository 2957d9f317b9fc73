// What the provider is asked for a status with.
#include "pod_controller_fixture.h"
#include "vkbridge/errors.h"

namespace vkb::node {
namespace {

using std::chrono::seconds;

const Json kWithEnvironment{
    {"spec",
     {{"restartPolicy", "Always"},
      {"volumes", Json::array({{{"name", "v"}}})},
      {"containers", Json::array({{{"name", "c"},
                                   {"image", "app:1"},
                                   {"env", Json::array({{{"name", "A"}, {"value", "1"}}})}}})}}}};

TEST_F(PodControllerTest, AStatusIsAskedOfAPodWithoutWhatNoStatusSpeaksOf) {
  provider_.reads_pods_whole = false;
  begin();
  const std::string uid = addRunning("web", kWithEnvironment);
  Json spec = provider_.status_asked_of["spec"];
  EXPECT_FALSE(spec.contains("volumes"));
  EXPECT_FALSE(spec["containers"][0].contains("env"));
  EXPECT_EQ(spec["containers"][0]["image"], "app:1");
  EXPECT_EQ(spec["restartPolicy"], "Always");
  EXPECT_FALSE(provider_.peeked_with_pod);
  EXPECT_NE(provider_.pods.at(uid).pod.inputs_hash.find("volumes"), std::string::npos)
      << "it is made of all of it";

  home_.edit(kube::kPods, "default", "web", {{"spec", {{"activeDeadlineSeconds", 300}}}});
  rt_.settle();
  EXPECT_EQ(provider_.count("update"), 1);
  EXPECT_NE(provider_.pods.at(uid).pod.inputs_hash.find("volumes"), std::string::npos)
      << "and updated to all of it";
}

TEST_F(PodControllerTest, AProviderThatReadsPodsWholeIsGivenThemWhole) {
  begin();
  addRunning("web", kWithEnvironment);
  EXPECT_EQ(provider_.status_asked_of["spec"], pod("web")["spec"]);
  EXPECT_TRUE(provider_.peeked_with_pod);
}

TEST_F(PodControllerTest, AStatusIsAskedWithTheInputsThatItsPodWasMadeOf) {
  begin();
  const std::string uid = addRunning("web");
  const std::string made_of = provider_.pods.at(uid).pod.inputs_hash;
  EXPECT_EQ(provider_.status_asked_inputs, made_of);
  provider_.update_error = errors::retryable("not now");
  home_.edit(kube::kPods, "default", "web", {{"spec", {{"activeDeadlineSeconds", 300}}}});
  rt_.settle();
  EXPECT_EQ(provider_.status_asked_inputs, "") << "not brought up to home's pod";
  provider_.update_error.reset();
  rt_.advance(seconds(30));
  EXPECT_EQ(provider_.status_asked_inputs, provider_.pods.at(uid).pod.inputs_hash);
  EXPECT_NE(provider_.status_asked_inputs, made_of);
  removePod("web", 30);
  EXPECT_NE(provider_.status_asked_inputs, "") << "its end changes nothing that it is made of";
}

}  // namespace
}  // namespace vkb::node
