#include <gtest/gtest.h>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "forge_pods.h"

namespace vkb::bridge {
namespace {

constexpr const char* kRequired = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr const char* kPreferred = "preferredDuringSchedulingIgnoredDuringExecution";

class Constraints : public testing::Test {
 protected:
  Constraints() {
    home_["spec"]["nodeSelector"] =
        R"({"kubernetes.io/hostname": "gpu-eu", "type": "virtual-kubelet", "zone": "eu-1"})"_json;
    home_["spec"]["tolerations"] = R"([
      {"key": "virtual-kubelet.io/provider", "operator": "Exists"},
      {"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}])"_json;
  }
  Json spec() const { return forge(home_, context_)["spec"]; }
  void annotate(const std::string& text) {
    home_["metadata"]["annotations"][kAnnotationClusterSelector] = text;
  }
  static Json required(const char* key, const char* value) {
    return {{"key", key}, {"operator", "In"}, {"values", Json::array({value})}};
  }
  static Json terms(const Json& spec) {
    return spec["affinity"]["nodeAffinity"][kRequired]["nodeSelectorTerms"];
  }

  Json home_ = homePod136();
  ForgeContext context_ = contextFor(home_);
};

TEST_F(Constraints, ThatChoseTheVirtualNodeStayAtHome) {
  home_["spec"]["affinity"]["nodeAffinity"][kRequired]["nodeSelectorTerms"] =
      Json::array({{{"matchExpressions", Json::array({required("zone", "eu-1")})}}});
  for (const char* field : {"nodeSelector", "tolerations", "affinity"}) {
    EXPECT_FALSE(spec().contains(field)) << field;
  }
}

TEST_F(Constraints, OfTheOperatorAreOnEveryDelegate) {
  context_.pods.node_selector = {{"disk", "ssd"}};
  context_.pods.tolerations = {{"pool", "batch", "NoSchedule"}, {"spot", "", "NoExecute"}};
  EXPECT_EQ(spec()["nodeSelector"], R"({"disk": "ssd"})"_json);
  EXPECT_EQ(spec()["tolerations"], R"([
    {"key": "pool", "operator": "Equal", "value": "batch", "effect": "NoSchedule"},
    {"key": "spot", "operator": "Exists", "effect": "NoExecute"}])"_json);
}

TEST_F(Constraints, OfClusterSelectorTakeThePlaceOfThePods) {
  annotate(R"({"nodeSelector": {"disk": "ssd"},
               "tolerations": [{"key": "pool", "operator": "Exists"}],
               "affinity": {"nodeAffinity": {
                 "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                   {"matchExpressions": [{"key": "arch", "operator": "Exists"}]}]},
                 "preferredDuringSchedulingIgnoredDuringExecution": [
                   {"weight": 3, "preference": {"matchExpressions": [
                     {"key": "zone", "operator": "In", "values": ["a"]}]}}]}}})");
  EXPECT_EQ(spec()["nodeSelector"], R"({"disk": "ssd"})"_json);
  EXPECT_EQ(spec()["tolerations"], R"([{"key": "pool", "operator": "Exists"}])"_json);
  EXPECT_EQ(terms(spec()),
            R"([{"matchExpressions": [{"key": "arch", "operator": "Exists"}]}])"_json);
  EXPECT_EQ(spec()["affinity"]["nodeAffinity"][kPreferred][0]["weight"], 3);
  EXPECT_FALSE(forge(home_, context_)["metadata"]["annotations"].contains("clusterSelector"));
}

TEST_F(Constraints, TheOperatorsWordStandsOverThePods) {
  annotate(R"({"nodeSelector": {"pool": "gpu", "disk": "ssd"}})");
  context_.pods.node_selector = {{"pool", "guests"}};
  EXPECT_EQ(spec()["nodeSelector"], R"({"pool": "guests", "disk": "ssd"})"_json);
}

TEST_F(Constraints, PodsBringWhatIsAllowedByItsKey) {
  context_.pods.allow_node_selector = {"zone", "topology.*"};
  context_.pods.allow_tolerations = {"gp*"};
  annotate(R"({"nodeSelector": {"pool": "control-plane", "topology.io/x": "1"},
               "tolerations": [{"key": "node-role.kubernetes.io/control-plane",
                                "operator": "Exists"}, {"operator": "Exists"}]})");
  EXPECT_EQ(spec()["nodeSelector"], R"({"zone": "eu-1", "topology.io/x": "1"})"_json);
  EXPECT_EQ(spec()["tolerations"],
            R"([{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}])"_json);
}

TEST_F(Constraints, AnEmptyAllowListLetsNothingThrough) {
  context_.pods.allow_node_selector = std::vector<std::string>{};
  context_.pods.allow_tolerations = std::vector<std::string>{};
  annotate(R"({"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "pool"}],
               "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                 "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name"}]}]}}}})");
  for (const char* field : {"nodeSelector", "tolerations", "affinity"}) {
    EXPECT_FALSE(spec().contains(field)) << field;
  }
}

TEST_F(Constraints, AllowingEverythingStillLeavesOutWhatOnlyAVirtualNodeHas) {
  context_.pods.allow_node_selector = {"*"};
  context_.pods.allow_tolerations = {"*"};
  EXPECT_EQ(spec()["nodeSelector"], R"({"zone": "eu-1"})"_json);
  EXPECT_EQ(spec()["tolerations"],
            R"([{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}])"_json);
}

TEST_F(Constraints, ADemandThatIsNotAllowedIsNotMadeAndATermWithoutDemandsVoidsTheRest) {
  context_.pods.allow_node_selector = {"zone"};
  Json& required_terms = home_["spec"]["affinity"]["nodeAffinity"][kRequired]["nodeSelectorTerms"];
  required_terms = Json::array(
      {{{"matchExpressions",
         Json::array({required("zone", "eu-1"), required("kubernetes.io/hostname", "gpu-eu")})}}});
  EXPECT_EQ(terms(spec())[0]["matchExpressions"], Json::array({required("zone", "eu-1")}));
  // "this node or that zone": without the first, any node would have done.
  required_terms.push_back(
      {{"matchExpressions", Json::array({required("kubernetes.io/hostname", "gpu-eu")})}});
  EXPECT_FALSE(spec().contains("affinity"));
}

TEST_F(Constraints, OfPodAndAnnotationHoldTogether) {
  context_.pods.allow_node_selector = {"zone", "arch"};
  home_["spec"]["affinity"]["nodeAffinity"][kRequired]["nodeSelectorTerms"] =
      Json::array({{{"matchExpressions", Json::array({required("zone", "a")})}},
                   {{"matchExpressions", Json::array({required("zone", "b")})}}});
  annotate(R"({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
    "nodeSelectorTerms": [{"matchExpressions": [
      {"key": "arch", "operator": "In", "values": ["arm64"]}]}]}}}})");
  EXPECT_EQ(terms(spec()),
            Json::array({{{"matchExpressions",
                           Json::array({required("zone", "a"), required("arch", "arm64")})}},
                         {{"matchExpressions",
                           Json::array({required("zone", "b"), required("arch", "arm64")})}}}));
}

TEST_F(Constraints, TheAnnotationsRulesAboutPodsCountWhereThePodHasNone) {
  annotate(R"({"affinity": {"podAffinity": {"from": "annotation"},
                            "podAntiAffinity": {"from": "annotation"}}})");
  home_["spec"]["affinity"] = R"({"podAffinity": {"from": "pod"}})"_json;
  EXPECT_EQ(spec()["affinity"], R"({"podAffinity": {"from": "pod"},
                                    "podAntiAffinity": {"from": "annotation"}})"_json);
}

TEST_F(Constraints, AnAnnotationThatCannotBeReadRefusesThePodInsteadOfPlacingItAnywhere) {
  for (const char* bad : {"", "disk=ssd", "[]", "{", R"({"nodeSelector": "disk=ssd"})",
                          R"({"tolerations": {}})", R"({"affinity": []})"}) {
    annotate(bad);
    const auto admitted = admit(home_);
    ASSERT_FALSE(admitted) << bad;
    EXPECT_EQ(admitted.error().reason, kReasonNotOffloaded);
    EXPECT_EQ(admitted.error().retry, Retry::kNever);
    EXPECT_NE(admitted.error().message.find("clusterSelector"), std::string::npos);
  }
  for (const char* good : {"{}", R"({"nodeSelector": null, "fieldOf2030": 1})"}) {
    annotate(good);
    EXPECT_TRUE(admit(home_)) << good;
  }
}

TEST_F(Constraints, TheHashCoversWhatGoesOverAndNoMore) {
  const auto hash = [&] { return inputsHash(home_, false, context_.pods); };
  const std::string before = hash();
  home_["spec"]["tolerations"].push_back({{"key", "gpu2"}});
  home_["spec"]["nodeSelector"]["a"] = "b";
  EXPECT_EQ(hash(), before);
  context_.pods.node_selector = {{"disk", "ssd"}};
  EXPECT_EQ(hash(), before) << "joining again touches no pod";
  context_.pods.allow_tolerations = {"gpu*"};
  const std::string allowed = hash();
  EXPECT_NE(allowed, before);
  home_["spec"]["tolerations"].push_back({{"key", "gpu3"}});
  EXPECT_NE(hash(), allowed);
}

}  // namespace
}  // namespace vkb::bridge
