// Version differences, against what real servers of both kinds were asked and answered.
#include "kube/features.h"

#include <gmock/gmock.h>

#include "json/json.h"
#include "recorded_server.h"

namespace vkb::kube {
namespace {

using test::RecordedServer;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Ephemeral = ServerFeatures::EphemeralContainers;
using Resize = ServerFeatures::Resize;

ServerFeatures featuresOf(const std::string& version) {
  RecordedServer server("discovery", version);
  auto features = readServerFeatures(server.client());
  EXPECT_TRUE(features) << features.error().message;
  return features.value_or(ServerFeatures{});
}

TEST(ServerFeatures, AreReadFromTheDiscoveryDocumentWhateverTheVersionSays) {
  const ServerFeatures old = featuresOf("1.20");  // says v0.0.0-master+…
  EXPECT_EQ(old.eviction_version, "policy/v1beta1");
  EXPECT_EQ(old.ephemeral_containers, Ephemeral::kOwnKind);
  EXPECT_EQ(old.resize, Resize::kNone);
  const ServerFeatures young = featuresOf("1.36");
  EXPECT_EQ(young.eviction_version, "policy/v1");
  EXPECT_EQ(young.ephemeral_containers, Ephemeral::kPod);
  EXPECT_EQ(young.resize, Resize::kSubresource);
}

TEST(ServerFeatures, WithoutTheGateThereAreNoEphemeralContainersAndNoResize) {
  const std::string list = R"({"kind":"APIResourceList","groupVersion":"v1","resources":[
    {"name":"pods","kind":"Pod"},
    {"name":"pods/eviction","group":"policy","version":"v1beta1","kind":"Eviction"}]})";
  const auto features = parseServerFeatures(list, {1, 20, "v1.20.2"});
  ASSERT_TRUE(features);
  EXPECT_EQ(features->ephemeral_containers, Ephemeral::kNone);
  EXPECT_EQ(features->resize, Resize::kNone);
  RecordedServer server("ephemeral-containers", "1.20");
  const auto added = addEphemeralContainers(server.client(), *features, "t1", "ec", Json::array());
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().reason, "NotSupported");
  const auto resized = resizePod(server.client(), *features, "t1", "ec", Json::object());
  ASSERT_FALSE(resized);
  EXPECT_EQ(resized.error().reason, "NotSupported");
  EXPECT_THAT(server.unknown, IsEmpty());
}

TEST(ServerFeatures, TheAlphaOfResizeChangesTheSpecItself) {
  const std::string list = R"({"kind":"APIResourceList","resources":[]})";
  const std::vector<std::pair<int, Resize>> expected{
      {26, Resize::kNone}, {27, Resize::kSpec}, {31, Resize::kSpec}, {32, Resize::kNone}};
  for (const auto& [minor, resize] : expected) {
    EXPECT_EQ(parseServerFeatures(list, {1, minor, ""})->resize, resize) << minor;
  }
  RecordedServer server("resize", "1.36");
  const auto refused = resizePod(server.client(), {.resize = Resize::kSpec}, "t1", "rz",
                                 json::at(server.step("direct spec patch"), {"request", "body"}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 422);  // the gate is off
  EXPECT_THAT(server.unknown, IsEmpty());
}

TEST(ServerFeatures, SomethingElseThanDiscoveryIsAnError) {
  for (const char* body : {"", "[]", "<html>", R"({"kind":"Status"})"}) {
    const auto features = parseServerFeatures(body, {1, 30, ""});
    ASSERT_FALSE(features) << body;
    EXPECT_EQ(features.error().reason, "NotKubernetes");
  }
}

class VersionTest : public ::testing::TestWithParam<std::string> {
 protected:
  const ServerFeatures features_ = featuresOf(GetParam());
};

TEST_P(VersionTest, AnEvictionHasTheBodyThatThisServerTakes) {
  RecordedServer server("eviction", GetParam());
  const auto evictNamed = [&](const std::string& name, const std::string& uid = "",
                              std::optional<std::int64_t> grace = {}) {
    return evict(server.client(), features_, "t1", name, uid, grace);
  };
  EXPECT_TRUE(evictNamed("ev", "", 20));
  EXPECT_TRUE(evictNamed("nosuch"));  // gone already
  const auto other = evictNamed("ev", "00000000-0000-0000-0000-000000000000");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, 409);
  const auto blocked = evictNamed("ev");  // the budget has not been computed yet
  ASSERT_FALSE(blocked);
  EXPECT_EQ(blocked.error().code, 429);
  EXPECT_EQ(blocked.error().retry, Retry::kFast);
  EXPECT_EQ(blocked.error().retryAfter.has_value(), GetParam() == "1.36");
  EXPECT_THAT(server.unknown, IsEmpty());
}

TEST_P(VersionTest, EphemeralContainersAreAddedInTheFormThatDoesSomethingHere) {
  RecordedServer server("ephemeral-containers", GetParam());
  const bool own_kind = features_.ephemeral_containers == Ephemeral::kOwnKind;
  const Json asked = own_kind ? server.step("strategic merge of the EphemeralContainers kind")
                              : server.step("strategic merge");
  const Json containers = json::at(
      asked, own_kind
                 ? std::initializer_list<std::string_view>{"request", "body", "ephemeralContainers"}
                 : std::initializer_list<std::string_view>{"request", "body", "spec",
                                                           "ephemeralContainers"});
  ASSERT_EQ(containers.size(), 1u);
  const auto answer = addEphemeralContainers(server.client(), features_, "t1", "ec", containers);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_THAT((*answer)->raw, HasSubstr("\"" + json::str(containers[0], "name") + "\""));
  EXPECT_THAT(server.unknown, IsEmpty());
}

TEST(VersionDifferences, TheNewFormOfEphemeralContainersDoesNothingOnAnOldServer) {
  RecordedServer server("ephemeral-containers", "1.20");
  const Json& asked = server.step("the newer way");
  const auto answer = addEphemeralContainers(
      server.client(), {.ephemeral_containers = Ephemeral::kPod}, "t1", "ec",
      json::array(asked, {"request", "body", "spec", "ephemeralContainers"}));
  ASSERT_TRUE(answer);  // 200: why the form has to be chosen before
  EXPECT_EQ((*answer)->raw.find("dbg2"), std::string::npos);
}

TEST(VersionDifferences, ResizeGoesThroughItsSubresource) {
  RecordedServer server("resize", "1.36");
  const auto resize = [&](const std::string& note) {
    return resizePod(server.client(), featuresOf("1.36"), "t1", "rz",
                     json::at(server.step(note), {"request", "body"}));
  };
  const auto done = resize("cpu request");
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(json::integer((*done)->parse(), {"metadata", "generation"}), 2);
  const auto refused = resize("would change the QoS class");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().retry, Retry::kNever);
  EXPECT_THAT(server.unknown, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(RealServers, VersionTest, ::testing::Values("1.20", "1.36"),
                         [](const auto& instance) { return "v1_" + instance.param.substr(2); });

}  // namespace
}  // namespace vkb::kube
