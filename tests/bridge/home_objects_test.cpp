// What all clusters of a process know together of home's ConfigMaps and Secrets.
#include "bridge/home_objects.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "base/log.h"
#include "support/fake_cluster.h"

namespace vkb::bridge {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HomeObjectsTest : public ::testing::Test {
 protected:
  void make(const kube::Resource& resource, const std::string& name) {
    const Json object{{"apiVersion", "v1"},
                      {"metadata", {{"namespace", "default"}, {"name", name}}},
                      {"data", {{"a", "Yg=="}}}};
    ASSERT_TRUE(home_.create("user", resource, "default", object));
    runtime_.advance(seconds(1));
  }
  std::unique_ptr<HomeObjects::Following> follow(std::vector<std::string>& told) {
    auto following = objects_.follow([&told](DependencyKind kind, const std::string& key) {
      told.push_back((kind == DependencyKind::kSecret ? "secret " : "config map ") + key);
    });
    runtime_.advance(seconds(1));
    return following;
  }

  test::FakeRuntime runtime_;
  test::FakeCluster home_{runtime_};
  base::NullLogger logger_;
  HomeObjects objects_{runtime_.runtime(), home_.client("bridge"), logger_};
  std::vector<std::string> one_, two_;
};

TEST_F(HomeObjectsTest, AllThatFollowAreToldByOneWatchOfEachKind) {
  EXPECT_EQ(home_.openWatches("bridge"), 0U) << "nobody asks";
  make(kube::kSecrets, "early");
  const auto first = follow(one_), second = follow(two_);
  EXPECT_EQ(home_.openWatches("bridge"), 2U);
  EXPECT_THAT(one_, ElementsAre("secret default/early"));
  EXPECT_THAT(two_, IsEmpty()) << "it came before";
  EXPECT_TRUE(objects_.has(DependencyKind::kSecret, "default/early"));
  EXPECT_FALSE(objects_.has(DependencyKind::kConfigMap, "default/early"));
  make(kube::kConfigMaps, "late");
  EXPECT_THAT(two_, ElementsAre("config map default/late"));
  ASSERT_TRUE(home_.remove("user", kube::kSecrets, "default", "early"));
  runtime_.advance(seconds(1));
  EXPECT_FALSE(objects_.has(DependencyKind::kSecret, "default/early"));
  EXPECT_THAT(
      one_, ElementsAre("secret default/early", "config map default/late", "secret default/early"));
}

TEST_F(HomeObjectsTest, WhoNoLongerFollowsIsNotToldAndTheOthersAre) {
  auto first = follow(one_);
  const auto second = follow(two_);
  first.reset();
  make(kube::kSecrets, "pw");
  EXPECT_THAT(one_, IsEmpty());
  EXPECT_THAT(two_, ElementsAre("secret default/pw"));
}

TEST_F(HomeObjectsTest, AHandlerMayEndItsOwnFollowing) {
  std::unique_ptr<HomeObjects::Following> following;
  int calls = 0;
  following = objects_.follow([&](auto, const auto&) {
    ++calls;
    following.reset();
  });
  runtime_.advance(seconds(1));
  make(kube::kSecrets, "a");
  make(kube::kSecrets, "b");
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace vkb::bridge
