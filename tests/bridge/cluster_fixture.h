#pragma once

#include "bridge/cluster.h"
#include "kube/identity.h"
#include "two_clusters.h"

namespace vkb::bridge {

/// One bridge::Cluster between home and target, as node t1.
class ClusterTest : public TwoClusters {
 protected:
  ~ClusterTest() override { cluster_.reset(); }

  void start(state::ClusterOptions options = {}, Duration for_a_while = std::chrono::seconds(3)) {
    auto guard = std::make_unique<kube::IdentityGuard>(
        target_.client(kBridge), target_id_,
        std::make_shared<kube::IdentityProof>(identity_namespace_));
    const kube::IdentityGuard* identity = guard.get();
    state::ClusterConfig config;
    config.name = "t1";
    config.target_id = target_id_;
    config.identity_namespace = identity_namespace_;
    config.former_target_ids = former_target_ids_;
    config.leaving = starts_leaving_;
    config.options = std::move(options);
    home_objects_ =
        std::make_unique<HomeObjects>(runtime_.runtime(), home_.client(kBridge), *log_to_);
    cluster_ = std::make_unique<Cluster>(
        Cluster::Deps{.runtime = runtime_.runtime(),
                      .home = home_.client(kBridge),
                      .home_objects = *home_objects_,
                      .target = std::move(guard),
                      .identity_differs = [identity] { return identity->identityDiffers(); },
                      .store = *database_,
                      .dependencies = dependencies_ ? *dependencies_ : *database_,
                      .publish = [this](const auto& health) { health_.push_back(health); },
                      .logger = *log_to_,
                      .metrics = metrics_},
        Cluster::Options{.config = config,
                         .home_id = home_.clusterId(),
                         .installation_id = installation_,
                         .host_ip = "192.0.2.9"});
    ASSERT_TRUE(cluster_->start());
    runtime_.advance(for_a_while);
  }
  void restart(state::ClusterOptions options = {}) {
    cluster_.reset();
    start(std::move(options));
  }
  void leave(bool forget_target) {
    cluster_->leave(forget_target, [this](std::vector<PodRecord> may_run) {
      ++left_;
      may_run_ = std::move(may_run);
    });
  }
  void cutOff() {
    target_.setDown(true);
    runtime_.advance(std::chrono::seconds(35));
  }
  void comeBack() {
    target_.setDown(false);
    runtime_.advance(std::chrono::minutes(2));
  }
  /// An API server of another cluster answers at the target's address.
  void swapTarget() {
    target_.setClusterId("another-cluster");
    target_.cutWatches();
    runtime_.advance(std::chrono::seconds(1));
  }
  static std::string podsReady(const Json& pod) { return condition(pod, "Ready"); }

  std::string target_id_ = target_.clusterId();
  std::string identity_namespace_ = kube::kIdentityNamespace;
  std::vector<std::string> former_target_ids_;
  base::Logger* log_to_ = &logger_;
  state::DependencyStore* dependencies_ = nullptr;  ///< nullptr: the database
  std::string installation_ = "installation-1";
  bool starts_leaving_ = false;
  std::vector<state::ClusterHealth> health_;
  int left_ = 0;
  std::vector<PodRecord> may_run_;
  std::unique_ptr<HomeObjects> home_objects_;
  std::unique_ptr<Cluster> cluster_;
};

}  // namespace vkb::bridge
