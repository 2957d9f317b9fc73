#include "cli/explain_view.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "bridge/explain.h"
#include "kube/yaml.h"

namespace vkb::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kPod = R"(
apiVersion: v1
kind: Pod
metadata:
  name: web-0
  namespace: shop
  labels: {app: web}
spec:
  nodeName: gpu-eu
  containers:
    - name: c
      image: registry.example/app:1
)";

class Explained : public ::testing::Test {
 protected:
  Explained() {
    delegate_ = bridge::explain(
        home_,
        {.home_id = "home-1", .node = "gpu-eu", .place = {"shop", "web-0"}, .namespace_uid = "n"},
        changes_);
  }
  std::string rendered(ExplainFormat format, std::vector<std::string> notes = {}) {
    return renderExplanation(home_, delegate_, "gpu-eu", changes_, notes, format);
  }

  const Json home_ = readPod(kPod, "pod.yaml").value();
  std::vector<bridge::Change> changes_;
  Json delegate_;
};

TEST_F(Explained, AsYamlIsTheDelegateWithTheReasonsAsComments) {
  const std::string text = rendered(ExplainFormat::kYaml, {"it waits"});
  EXPECT_EQ(*kube::parseYaml(text), delegate_);
  EXPECT_THAT(text, AllOf(HasSubstr("# shop/web-0 as it runs in gpu-eu;"),
                          HasSubstr("#   spec.nodeName: the target's scheduler"),
                          HasSubstr("# note: it waits\n")));
}

TEST_F(Explained, AsJsonIsOneDocument) {
  const Json document = Json::parse(rendered(ExplainFormat::kJson, {"it waits"}));
  EXPECT_EQ(document["delegate"], delegate_);
  EXPECT_EQ(document["notes"], R"(["it waits"])"_json);
  EXPECT_EQ(document["changes"].size(), changes_.size());
  EXPECT_EQ(document["changes"][0]["path"], "spec.nodeName");
}

TEST_F(Explained, AsDiffShowsEachValueUnderItsReason) {
  const std::string text = rendered(ExplainFormat::kDiff);
  EXPECT_THAT(text, AllOf(HasSubstr("--- shop/web-0 at home\n+++ shop/web-0 in gpu-eu\n"),
                          HasSubstr("# the target's scheduler chooses the node there\n"
                                    "-spec.nodeName: \"gpu-eu\"\n"),
                          HasSubstr("+metadata.labels[vk-bridge.io/node]: \"gpu-eu\"\n"),
                          Not(HasSubstr("spec.containers"))));
}

TEST(ReadPod, FillsInWhatAnApiServerWould) {
  const Json pod = *readPod(
      R"({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "job-"},
          "spec": {"containers": [{"name": "c"}]}})",
      "f");
  EXPECT_EQ(pod["metadata"]["name"], "job-xxxxx");
  EXPECT_EQ(pod["metadata"]["namespace"], "default");
  EXPECT_FALSE(pod["metadata"]["uid"].get<std::string>().empty());
}

struct BadCase {
  const char *text, *says;
};

class BadPod : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadPod, IsRefusedWithOneSentenceThatNamesTheFile) {
  const auto pod = readPod(GetParam().text, "pod.yaml");
  ASSERT_FALSE(pod) << GetParam().text;
  EXPECT_THAT(pod.error().message, AllOf(HasSubstr("pod.yaml"), HasSubstr(GetParam().says)));
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadPod,
    ::testing::Values(
        BadCase{"a: [", "cannot be read as YAML or JSON: line 1"},
        BadCase{"", "no Kubernetes object"}, BadCase{"- a", "no Kubernetes object"},
        BadCase{"{}", "without kind"},
        BadCase{"{apiVersion: apps/v1, kind: Deployment}",
                "a Deployment of apps/v1; explain takes"},
        BadCase{"{apiVersion: v2, kind: Pod}", "a Pod of v2; explain takes"},
        BadCase{"{apiVersion: v1, kind: Pod, metadata: {name: a}}", "without spec.containers"},
        BadCase{"{apiVersion: v1, kind: Pod, metadata: 5, spec: {containers: 7}}",
                "without spec.containers"},
        BadCase{"{apiVersion: v1, kind: Pod, metadata: 5, spec: {containers: [{name: c}]}}",
                "without a name"},
        BadCase{"a: 1\n---\nb: 1\n", "2 documents"}));

TEST(ExplainedPod, IsWithoutWhatOnlyDescribesTheObjectAtHome) {
  const Json pod = explained(R"({"metadata": {"name": "a", "managedFields": []}, "spec": {},
                                 "status": {"phase": "Running"}})"_json);
  EXPECT_EQ(pod, R"({"metadata": {"name": "a"}, "spec": {}})"_json);
  EXPECT_EQ(explained(Json(5)), Json(5));
}

}  // namespace
}  // namespace vkb::cli
