#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/metrics.h"
#include "bridge/names.h"
#include "json/json.h"
#include "state/database.h"
#include "state/state_folder.h"
#include "support/fake_cluster.h"
#include "support/fake_kubelet.h"

namespace vkb::bridge {

inline constexpr const char* kBridge = "bridge";  ///< who the program is in both histories

/// An empty folder of this test alone.
inline std::filesystem::path makeTempFolder() {
  std::string path = (std::filesystem::temp_directory_path() / "vkb-bridge-XXXXXX").string();
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  return path;
}

/// A home and a target with one worker that runs pods by itself, and a state folder on disk. What
/// the product does to them it does as actor kBridge.
class TwoClusters : public ::testing::Test {
 protected:
  TwoClusters() {
    target_.addNode("worker-1");
    scheduler_.runAutomatically();
    kubelet_.runAutomatically();
    auto folder = state::StateFolder::open(temp_ / "state");
    EXPECT_TRUE(folder);
    folder_ = std::make_unique<state::StateFolder>(std::move(*folder));
    auto database = state::Database::open(*folder_);
    EXPECT_TRUE(database);
    database_ = std::move(*database);
  }
  ~TwoClusters() override {
    database_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(temp_, ignored);
  }

  /// A pod of namespace `work` bound to the virtual node `node`.
  test::VersionPtr addHomePod(const std::string& name, const std::string& node = "t1",
                              const Json& more = Json::object()) {
    Json pod = {{"metadata", {{"name", name}, {"namespace", "work"}, {"labels", {{"app", "web"}}}}},
                {"spec", {{"nodeName", node}, {"terminationGracePeriodSeconds", 5}}}};
    pod.merge_patch(more);
    return home_.addPod(pod);
  }
  static test::VersionPtr foundPod(const test::FakeCluster& cluster, const std::string& name,
                                   const std::string& ns = "work") {
    return cluster.findPod(ns, name);
  }
  Json homePod(const std::string& name) const {
    const auto found = foundPod(home_, name);
    return found ? found->json() : Json();
  }
  Json delegate(const std::string& name) const {
    const auto found = foundPod(target_, name);
    return found ? found->json() : Json();
  }
  static std::string phaseOf(const Json& pod) { return json::str(pod, {"status", "phase"}); }
  static std::string uidOf(const Json& object) { return json::str(object, {"metadata", "uid"}); }
  /// "status reason" of a condition; "" when there is none.
  static std::string condition(const Json& object, const std::string& type) {
    const Json* found = json::findBy(json::at(object, {"status", "conditions"}), "type", type);
    if (found == nullptr) return "";
    const std::string reason = json::str(*found, "reason");
    return json::str(*found, "status") + (reason.empty() ? "" : " " + reason);
  }
  Json node(const std::string& name = "t1") const {
    const auto found = home_.find(kube::kNodes, "", name);
    return found ? found->json() : Json();
  }

  /// Position in a history, to look only at what comes after it.
  static std::size_t mark(const test::FakeCluster& cluster) { return cluster.history().size(); }
  /// What the bridge wrote since: "verb resource[/subresource] ns/name".
  static std::vector<std::string> writes(const test::FakeCluster& cluster, std::size_t since,
                                         const std::string& resource) {
    std::vector<std::string> result;
    for (std::size_t i = since; i < cluster.history().size(); ++i) {
      const test::Change& change = cluster.history()[i];
      if (!change.actor.starts_with(kBridge) || change.resource != resource) continue;
      result.push_back(change.verb + " " + change.resource +
                       (change.subresource.empty() ? "" : "/" + change.subresource) + " " +
                       (change.ns.empty() ? "" : change.ns + "/") + change.name);
    }
    return result;
  }
  /// Messages of the events with that reason about a home pod.
  std::vector<std::string> events(const std::string& reason) const {
    std::vector<std::string> result;
    for (const auto& event : home_.all(kube::kEvents)) {
      if (json::str(event->json(), "reason") == reason) {
        result.push_back(json::str(event->json(), "message"));
      }
    }
    return result;
  }
  std::vector<PodRecord> records(const std::string& node = "t1") {
    auto loaded = database_->load(node);
    EXPECT_TRUE(loaded);
    return loaded ? *loaded : std::vector<PodRecord>{};
  }

  const std::filesystem::path temp_ = makeTempFolder();
  test::FakeRuntime runtime_;
  test::FakeCluster home_{runtime_, {.name = "home", .seed = 11}};
  test::FakeCluster target_{runtime_, {.name = "target", .seed = 12}};
  test::FakeScheduler scheduler_{target_};
  test::FakeKubelet kubelet_{target_, "worker-1"};
  base::NullLogger logger_;
  base::Metrics metrics_;
  std::unique_ptr<state::StateFolder> folder_;
  std::unique_ptr<state::Database> database_;
};

}  // namespace vkb::bridge
