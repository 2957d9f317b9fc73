#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "bridge/dependencies.h"
#include "cluster_fixture.h"

namespace vkb::bridge {

constexpr const char* kCanary = "c2VjcmV0LWNhbmFyeS1ieXRlcw==";  // secret-canary-bytes

/// Logs of the product, as text.
class CapturedLog final : public base::Logger {
 public:
  bool enabled(base::LogLevel) const override { return true; }
  void write(base::LogLevel, std::string_view message,
             std::initializer_list<base::LogField> fields) override {
    text += std::string(message);
    for (const auto& field : fields) text += " " + std::string(field.value);
    text += "\n";
  }
  std::string text;
};

/// The database, on a disk that is full for a while.
class FullDisk final : public state::DependencyStore {
 public:
  explicit FullDisk(state::DependencyStore& store) : store_(store) {}
  Result<std::vector<state::DependencyRecord>> loadDependencies(std::string_view node) override {
    return store_.loadDependencies(node);
  }
  Result<void> putDependency(std::string_view node,
                             const state::DependencyRecord& record) override {
    return full ? failed() : store_.putDependency(node, record);
  }
  Result<void> addUser(std::string_view node, const DependencyKey& key,
                       std::string_view pod_uid) override {
    return full ? failed() : store_.addUser(node, key, pod_uid);
  }
  Result<void> removeUser(std::string_view node, const DependencyKey& key,
                          std::string_view pod_uid) override {
    return full ? failed() : store_.removeUser(node, key, pod_uid);
  }
  Result<void> eraseDependency(std::string_view node, const DependencyKey& key) override {
    return full ? failed() : store_.eraseDependency(node, key);
  }
  bool full = false;

 private:
  static Result<void> failed() {
    return failure({.reason = "StoreFailed", .message = "the disk is full"});
  }
  state::DependencyStore& store_;
};

class DependenciesTest : public ClusterTest {
 protected:
  DependenciesTest() { home_.addNamespace("work"); }

  void addMap(const std::string& name, const Json& data, const Json& more = Json::object()) {
    Json object = {{"metadata", {{"name", name}, {"namespace", "work"}}}, {"data", data}};
    object.merge_patch(more);
    home_.add(kube::kConfigMaps, object);
  }
  void addSecret(const std::string& name, const Json& more = Json::object()) {
    Json object = {{"metadata", {{"name", name}, {"namespace", "work"}}},
                   {"type", "Opaque"},
                   {"data", {{"password", kCanary}}}};
    object.merge_patch(more);
    home_.add(kube::kSecrets, object);
  }
  static Json volumes(const char* text) { return {{"spec", {{"volumes", Json::parse(text)}}}}; }
  static Json usesMap(bool optional = false) {
    return volumes(optional ? R"([{"name": "v", "configMap": {"name": "cfg", "optional": true}}])"
                            : R"([{"name": "v", "configMap": {"name": "cfg"}}])");
  }
  static Json usesSecret() { return volumes(R"([{"name": "v", "secret": {"secretName": "pw"}}])"); }

  void settle(Duration time = std::chrono::seconds(3)) { runtime_.advance(time); }
  Json copy(const kube::Resource& resource, const std::string& name,
            const std::string& ns = "work") const {
    const auto found = target_.find(resource, ns, name);
    return found ? found->json() : Json();
  }
  Json map(const std::string& name = "cfg") const { return copy(kube::kConfigMaps, name); }
  Json secret(const std::string& name = "pw") const { return copy(kube::kSecrets, name); }
  bool runs(const std::string& name) const { return phaseOf(homePod(name)) == "Running"; }
  /// The container's waiting reason at home.
  std::string waits(const std::string& name) const {
    const Json pod = homePod(name);
    const Json& statuses = json::array(pod, {"status", "containerStatuses"});
    return statuses.empty() ? "" : json::str(statuses[0], {"state", "waiting", "reason"});
  }
  void deletePod(const std::string& name) {
    ASSERT_TRUE(home_.remove("user", kube::kPods, "work", name));
    settle(std::chrono::seconds(20));
    ASSERT_TRUE(homePod(name).is_null()) << homePod(name).dump();
  }
  /// A copy of this node's that nobody knows.
  void addOrphan(const std::string& name) {
    target_.add(kube::kConfigMaps,
                {{"metadata",
                  {{"name", name},
                   {"namespace", "work"},
                   {"labels", {{kLabelHomeCluster, home_.clusterId()}, {kLabelNode, "t1"}}},
                   {"annotations", {{kAnnotationHomeObject, "work/" + name}}}}}});
  }
  /// Files of the state folder that hold `text`. The database is closed for good.
  std::vector<std::string> filesWith(const std::string& text) {
    database_.reset();
    std::vector<std::string> found;
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(temp_)) {
      if (!entry.is_regular_file()) continue;
      ++files;
      std::ifstream file(entry.path(), std::ios::binary);
      std::ostringstream bytes;
      bytes << file.rdbuf();
      if (bytes.str().find(text) != std::string::npos) found.push_back(entry.path());
    }
    EXPECT_GT(files, 0U);
    return found;
  }
  std::vector<state::DependencyRecord> remembered() {
    return database_->loadDependencies("t1").value();
  }
  Json volumeOf(const std::string& pod) const {
    return json::array(delegate(pod), {"spec", "volumes"})[0];
  }
};

}  // namespace vkb::bridge
