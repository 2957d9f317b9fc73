#include "bridge/explain.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "forge_pods.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

using state::NamespaceStrategy;

/// A pod with everything in it that forge has an opinion on.
Json richPod() {
  Json home = homePod136();
  Json& spec = home["spec"];
  home["metadata"]["labels"] = {
      {"app", "web"}, {"example.com/tier", "1"}, {"kapp.k14s.io/app", "x"}};
  home["metadata"]["annotations"] = {{"team", "blue"},
                                     {"vk-bridge.io/delegate", "a/b/c"},
                                     {"clusterSelector", R"({"nodeSelector": {"disk": "ssd"},
                              "tolerations": [{"key": "pool", "operator": "Exists"}]})"}};
  spec["nodeSelector"] = {{"kubernetes.io/hostname", "gpu-eu"}};
  spec["tolerations"] = R"([{"operator": "Exists"}])"_json;
  spec["priorityClassName"] = "high";
  spec["overhead"] = {{"cpu", "1"}};
  spec["readinessGates"] = R"([{"conditionType": "example.com/lb"}])"_json;
  spec["affinity"] = R"({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
      "nodeSelectorTerms": [{"matchExpressions": [{"key": "type", "operator": "Exists"}]}]}},
    "podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
      {"weight": 1, "podAffinityTerm": {"topologyKey": "zone", "namespaces": ["t1", "t2"],
        "labelSelector": {"matchLabels": {"app": "web"}}}}]}})"_json;
  spec["topologySpreadConstraints"] =
      R"([{"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "web"}}}])"_json;
  for (const char* list : {"containers", "initContainers"}) {
    spec[list][0]["env"] = R"([
      {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
      {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}}])"_json;
  }
  spec["ephemeralContainers"] = R"([{"name": "debug"}])"_json;
  spec["volumes"].push_back(R"({"name": "info", "downwardAPI": {"items": [
    {"path": "uid", "fieldRef": {"fieldPath": "metadata.uid"}},
    {"path": "app", "fieldRef": {"fieldPath": "metadata.labels['app']"}}]}})"_json);
  spec["volumes"].push_back(R"({"name": "vault", "projected": {"sources": [
    {"serviceAccountToken": {"path": "t"}}, {"podCertificate": {"signerName": "x"}},
    {"downwardAPI": {"items": []}}]}})"_json);
  return home;
}

std::vector<ForgeContext> contexts(const Json& home) {
  std::vector<ForgeContext> result;
  for (const auto& [strategy, name] : {std::pair{NamespaceStrategy::kSame, ""},
                                       {NamespaceStrategy::kPrefix, "berlin"},
                                       {NamespaceStrategy::kSingle, "batch"}}) {
    for (const bool more : {false, true}) {
      ForgeContext context = contextFor(home);
      context.pods.namespace_strategy = strategy;
      context.pods.namespace_text = name;
      context.place = choosePlace(home, context.pods);
      context.rekey_labels = more;
      if (more) {
        context.pods.node_selector = {{"disk", "ssd"}};
        context.pods.tolerations = {{"pool", "", "NoSchedule"}};
        context.pods.allow_tolerations = {"*"};
      }
      result.push_back(std::move(context));
    }
  }
  return result;
}

TEST(Explain, EveryDifferenceHasItsReasonAndEveryReasonItsDifference) {
  for (const Json& home : {homePod120(), homePod136(), richPod()}) {
    for (const ForgeContext& context : contexts(home)) {
      std::vector<Change> changes;
      const Json delegate = explain(home, context, changes);
      const auto found = differences(home, delegate);
      for (const Difference& difference : found) {
        EXPECT_TRUE(
            std::any_of(changes.begin(), changes.end(),
                        [&](const Change& change) { return accountsFor(change, difference); }))
            << difference.path << ": " << difference.home << " -> " << difference.delegate;
      }
      for (const Change& change : changes) {
        EXPECT_FALSE(change.reason.empty()) << change.path;
        EXPECT_TRUE(std::any_of(
            found.begin(), found.end(),
            [&](const Difference& difference) { return accountsFor(change, difference); }))
            << change.path << ": " << change.reason;
      }
    }
  }
}

TEST(Explain, GivesTheDelegateThatIsMade) {
  const Json home = richPod();
  for (const ForgeContext& context : contexts(home)) {
    std::vector<Change> changes;
    EXPECT_EQ(explain(home, context, changes), forge(home, context));
  }
}

TEST(Explain, SaysEachThingOnce) {
  std::vector<Change> changes;
  explain(richPod(), contextFor(richPod()), changes);
  for (auto it = changes.begin(); it != changes.end(); ++it) {
    EXPECT_EQ(std::count(changes.begin(), changes.end(), *it), 1) << it->path;
  }
}

TEST(Differences, NameEveryPlace) {
  const Json home = R"({"metadata": {"labels": {"a/b": "1"}},
    "spec": {"x": 1, "containers": [{"name": "c", "image": "i"}, {"name": "d"}], "args": [1]}})"_json;
  const Json delegate = R"({"metadata": {"labels": {"c.d": "1"}},
    "spec": {"containers": [{"name": "e"}, {"name": "c", "image": "j"}], "args": [2]}})"_json;
  const std::vector<Difference> wanted{{"metadata.labels[a/b]", "\"1\"", ""},
                                       {"metadata.labels[c.d]", "", "\"1\""},
                                       {"spec.args", "[1]", "[2]"},
                                       {"spec.containers[c].image", "\"i\"", "\"j\""},
                                       {"spec.containers[d].name", "\"d\"", ""},
                                       {"spec.containers[e].name", "", "\"e\""},
                                       {"spec.x", "1", ""}};
  EXPECT_EQ(differences(home, delegate), wanted);
  EXPECT_TRUE(differences(home, home).empty());
}

TEST(Differences, AreAccountedForByWhatHoldsThem) {
  const Difference difference{"spec.volumes[a].projected", "", ""};
  const auto accounts = [&](const char* path) { return accountsFor({path, "r"}, difference); };
  EXPECT_TRUE(accounts("spec.volumes[a]"));
  EXPECT_TRUE(accounts("spec.volumes[a].projected"));
  EXPECT_TRUE(accounts("spec.volumes[a].projected.sources"));
  EXPECT_TRUE(accounts("spec.volumes"));
  EXPECT_FALSE(accounts("spec.volumes[ab]"));
  EXPECT_FALSE(accounts("spec.vol"));
  EXPECT_FALSE(accounts("spec.volumes[a].proj"));
}

/// Fields of a Kubernetes that does not exist yet.
class Unknown {
 public:
  explicit Unknown(unsigned seed) : random_(seed) {}

  Json value(int depth = 0) {
    switch (random_() % (depth > 2 ? 4U : 6U)) {
      case 0:
        return random_();
      case 1:
        return "text" + std::to_string(random_() % 100);
      case 2:
        return random_() % 2 == 0;
      case 3:
        return Json();
      case 4:
        return Json::array({value(depth + 1), value(depth + 1)});
      default:
        return Json{{"k" + std::to_string(random_() % 9), value(depth + 1)}};
    }
  }

  /// Puts new fields into the object and what is below it, and notes where.
  void addTo(Json& object, const Json::json_pointer& at) {
    const std::string field = "fieldOf2030x" + std::to_string(count_++);
    object[field] = value();
    added.push_back(at / field);
    for (auto& [key, child] : object.items()) {
      if (child.is_object() && random_() % 2 == 0 && !key.starts_with("fieldOf")) {
        addTo(child, at / key);
      }
    }
  }

  std::vector<Json::json_pointer> added;

 private:
  std::mt19937 random_;
  int count_ = 0;
};

TEST(Forge, FieldsThatItDoesNotKnowPassThroughWhereverTheyAre) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    Json home = homePod120();
    Json& spec = home["spec"];
    spec["volumes"].push_back(R"({"name": "data", "emptyDir": {"medium": "Memory"}})"_json);
    spec["affinity"] = R"({"podAffinity": {}})"_json;
    Unknown unknown(seed);
    const auto add = [&](const std::string& at) {
      const Json::json_pointer pointer(at);
      unknown.addTo(home[pointer], pointer);
    };
    add("/spec/containers/0");
    add("/spec/volumes/1");
    add("/spec/securityContext");
    add("/spec/affinity");
    const std::string top = "fieldOf2030";
    spec[top] = unknown.value();
    unknown.added.push_back("/spec"_json_pointer / top);
    const Json delegate = forge(home, contextFor(home));
    for (const auto& pointer : unknown.added) {
      std::string there = pointer.to_string();
      // Home's first volume was its token.
      if (there.starts_with("/spec/volumes/1")) there[14] = '0';
      ASSERT_TRUE(delegate.contains(Json::json_pointer(there))) << "seed " << seed << " " << there;
      EXPECT_EQ(delegate[Json::json_pointer(there)], home[pointer]) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace vkb::bridge
