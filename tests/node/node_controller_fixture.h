#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "json/json.h"
#include "kube/informer.h"
#include "kube/lease.h"
#include "node/node_controller.h"
#include "support/fake_cluster.h"

namespace vkb::node {

/// A backend of which a test decides what it offers and whether it answers.
class FakeNodeProvider final : public NodeProvider {
 public:
  Result<void> ping() override {
    ++pings;
    if (on_ping) on_ping();
    if (up) return {};
    return failure({.reason = reasons::kUnreachable, .message = "no route"});
  }
  Json node() override {
    ++asked;
    return {{"metadata", {{"labels", {{"type", "virtual-kubelet"}}}}},
            {"spec", {{"taints", taints}}},
            {"status",
             {{"capacity", {{"cpu", cpu}, {"pods", "110"}}},
              {"allocatable", {{"cpu", cpu}, {"pods", "110"}}}}}};
  }
  void notifyNode(std::function<void()> callback) override { changed = std::move(callback); }
  void setCpu(const std::string& value) {
    cpu = value;
    changed();
  }

  bool up = true;
  std::function<void()> on_ping;
  int pings = 0, asked = 0;
  std::string cpu = "8";
  Json taints = Json::array(
      {{{"key", "virtual-kubelet.io/provider"}, {"value", "vk-bridge"}, {"effect", "NoSchedule"}}});
  std::function<void()> changed;
};

/// One NodeController for node `gpu` of a home in memory.
class NodeControllerTest : public ::testing::Test {
 protected:
  ~NodeControllerTest() override {
    if (controller_) controller_->stop();
  }
  void start() {
    controller_ = std::make_unique<NodeController>(
        NodeController::Deps{rt_.runtime(), *client_, provider_, logger_, metrics_, shared_},
        NodeController::Options{.node = "gpu",
                                .provider_id = "vk-bridge://target",
                                .former_provider_ids = former_,
                                .when_unreachable = policy_,
                                .on_reachable = [this](bool reachable, const Status& why) {
                                  verdicts_.emplace_back(reachable, why.message);
                                }});
    controller_->start();
    rt_.settle();
  }
  void startReady() {
    start();
    controller_->setState(ProviderState::kReady, "");
    rt_.advance(std::chrono::seconds(3));
    ASSERT_FALSE(node().is_null());
  }
  Json node() const {
    const auto found = home_.find(kube::kNodes, "", "gpu");
    return found ? found->json() : Json();
  }
  Json lease() const {
    const auto found = home_.find(kube::kLeases, "kube-node-lease", "gpu");
    return found ? found->json() : Json();
  }
  std::string leaseOwner() const {
    const Json shown = lease();
    const Json& owners = json::array(shown, {"metadata", "ownerReferences"});
    return owners.empty() ? "" : json::str(owners[0], "uid");
  }
  std::string conditionStatus(const std::string& type) const {
    const Json shown = node();
    const Json* entry = json::findBy(json::array(shown, {"status", "conditions"}), "type", type);
    return entry ? json::str(*entry, "status") : "";
  }
  std::string taints() const {
    const Json shown = node();
    std::string keys;
    for (const auto& taint : json::array(shown, {"spec", "taints"})) {
      keys += json::str(taint, "key") + " ";
    }
    return keys;
  }
  /// A node of ours, and its lease, that nobody has renewed for `absence`.
  void leaveBehind(Duration absence) {
    addForeignNode("vk-bridge://target");
    ASSERT_TRUE(kube::NodeLease(rt_.clock, *client_, "gpu").renew("uid"));
    rt_.advance(absence);
  }
  std::ptrdiff_t requests(const std::string& verb, const std::string& resource) const {
    return std::count_if(home_.requests.begin(), home_.requests.end(), [&](const auto& request) {
      return request.actor == "bridge" && request.verb == verb && request.resource == resource;
    });
  }
  void addForeignNode(const std::string& provider_id) {
    home_.addNode("gpu", {{"spec", {{"providerID", provider_id}}},
                          {"metadata", {{"labels", {{"team", "a"}}}}}});
  }

  test::FakeRuntime rt_;
  test::FakeCluster home_{rt_};
  std::unique_ptr<kube::Client> client_ = home_.client("bridge");
  FakeNodeProvider provider_;
  base::NullLogger logger_;
  base::Metrics metrics_;
  WhenUnreachable policy_ = WhenUnreachable::kNotReady;
  kube::ObjectCache* shared_ = nullptr;
  std::set<std::string> former_;
  std::vector<std::pair<bool, std::string>> verdicts_;
  std::unique_ptr<NodeController> controller_;
};

}  // namespace vkb::node
