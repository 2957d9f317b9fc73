#include "bridge/impatient_pods.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace vkb::bridge {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

Json tolerating(const char* tolerations) {
  return {{"metadata", {{"name", "a"}, {"namespace", "work"}, {"uid", "u"}}},
          {"spec", {{"tolerations", Json::parse(tolerations)}}}};
}

struct Case {
  const char *what, *tolerations;
  std::optional<int> seconds;
};

class ToleratedOutage : public testing::TestWithParam<Case> {};

TEST_P(ToleratedOutage, IsWhatKubernetesWaitsBeforeItEvicts) {
  const auto time = toleratedOutage(Json::parse(GetParam().tolerations));
  const auto wanted = GetParam().seconds;
  EXPECT_EQ(time, wanted ? std::optional(seconds(*wanted)) : std::nullopt) << GetParam().what;
}

INSTANTIATE_TEST_SUITE_P(
    Pods, ToleratedOutage,
    testing::Values(
        Case{"as admission adds them", R"([
          {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
           "tolerationSeconds": 300},
          {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
           "tolerationSeconds": 300}])",
             300},
        Case{"the shorter of the two", R"([
          {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "tolerationSeconds": 300},
          {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "tolerationSeconds": 10}])",
             10},
        Case{"none at all", "[]", 0},
        Case{"of another effect", R"([{"operator": "Exists", "effect": "NoSchedule"}])", 0},
        Case{"everything for ever", R"([{"operator": "Exists"}])", std::nullopt},
        Case{"one of the two only", R"([{"key": "node.kubernetes.io/not-ready",
          "operator": "Exists"}])",
             0},
        Case{"of several the shortest counts", R"([{"operator": "Exists"},
          {"operator": "Exists", "tolerationSeconds": 20}])",
             20},
        Case{"negative is at once", R"([{"operator": "Exists", "tolerationSeconds": -5}])", 0},
        Case{"with a value the taints do not have", R"([
          {"key": "node.kubernetes.io/not-ready", "value": "x"},
          {"key": "node.kubernetes.io/unreachable", "value": "x"}])",
             0}));

TEST(ImpatientPods, AreCountedAndTheFirstToGoIsNamed) {
  ImpatientPods pods;
  EXPECT_EQ(pods.warning(), "");
  Json patient = tolerating(R"([{"operator": "Exists", "tolerationSeconds": 60}])");
  const auto shown = json::makeObject(patient);
  pods.onPod(nullptr, shown);
  EXPECT_EQ(pods.warning(), "");
  Json quick = tolerating(R"([{"operator": "Exists", "tolerationSeconds": 10}])");
  quick["metadata"]["uid"] = "q";
  const auto first = json::makeObject(quick);
  pods.onPod(nullptr, first);
  EXPECT_THAT(pods.warning(), AllOf(HasSubstr("1 pod "), HasSubstr("work/a after 10 s")));
  Json quicker = tolerating("[]");
  quicker["metadata"] = {{"name", "z"}, {"namespace", "work"}, {"uid", "z"}};
  const auto second = json::makeObject(quicker);
  pods.onPod(nullptr, second);
  EXPECT_THAT(pods.warning(), AllOf(HasSubstr("2 pods "), HasSubstr("work/z after 0 s")));
  pods.onPod(second, nullptr);
  pods.onPod(first, nullptr);
  EXPECT_EQ(pods.warning(), "");
}

}  // namespace
}  // namespace vkb::bridge
