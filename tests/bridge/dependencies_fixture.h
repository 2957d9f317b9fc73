#pragma once

#include <gmock/gmock.h>

#include <chrono>
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
  std::vector<state::DependencyRecord> remembered() {
    return database_->loadDependencies("t1").value();
  }
  Json volumeOf(const std::string& pod) const {
    return json::array(delegate(pod), {"spec", "volumes"})[0];
  }
};

}  // namespace vkb::bridge
