#include "state/pod_options.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace vkb::state {
namespace {

using ::testing::HasSubstr;

TEST(PodOptions, AreReadAsTheyWereWritten) {
  const PodOptions all{.namespace_strategy = NamespaceStrategy::kPrefix,
                       .namespace_text = "berlin",
                       .node_selector = {{"disk", "ssd"}, {"zone", ""}},
                       .tolerations = {{"gpu", "only", "NoSchedule"}, {"x", "", "NoExecute"}},
                       .allow_node_selector = {{"zone"}},
                       .allow_tolerations = std::vector<std::string>{},
                       .hide_pod_ips = true,
                       .service_accounts = ServiceAccounts::kHome,
                       .home_api = "https://192.0.2.1:6443",
                       .use_existing = true};
  for (const PodOptions& pods : {all, PodOptions{}}) {
    Json options = Json::object();
    writePodOptions(pods, options);
    const auto read = readPodOptions(options);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, pods);
  }
}

TEST(PodOptions, OfAnOlderFileAreTheDefaults) {
  EXPECT_EQ(readPodOptions(R"({"allowNamespaces": []})"_json).value(), PodOptions{});
  EXPECT_EQ(readPodOptions(Json()).value(), PodOptions{});
}

TEST(PodOptions, ThatMightSendPodsElsewhereAreNotGuessedAt) {
  for (const auto& [text, says] :
       {std::pair{R"({"namespaceStrategy": "spread"})", "namespaceStrategy"},
        {R"({"namespaceStrategy": 7})", "namespaceStrategy"},
        {R"({"namespaceStrategy": "single"})", "namespaceText"},
        {R"({"serviceAccounts": "root"})", "serviceAccounts"},
        {R"({"serviceAccounts": "home"})", "homeApi"},
        {R"({"nodeSelector": {"a": 1}})", "nodeSelector"},
        {R"({"allowTolerations": [1]})", "allowTolerations"},
        {R"({"allowNodeSelector": "x"})", "allowNodeSelector"}}) {
    const auto read = readPodOptions(Json::parse(text));
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message, HasSubstr(says));
  }
}

}  // namespace
}  // namespace vkb::state
