#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/log.h"
#include "bridge/dependencies.h"
#include "bridge/forge.h"
#include "bridge/target_namespaces.h"
#include "bridge/target_nodes.h"
#include "bridge/target_pods.h"
#include "bridge/target_warnings.h"
#include "kube/client.h"
#include "kube/informer.h"
#include "state/state_folder.h"
#include "vkbridge/provider.h"

namespace vkb::bridge {

/// The provider whose backend is another cluster. Reads come from its caches, writes go through
/// `target`, decisions are the pure functions of forge, reflect and capacity.
/// Thread-safe; the calls of one home pod UID do not overlap.
class TargetProvider final : public PodLifecycleHandler, public PodNotifier, public NodeProvider {
 public:
  struct Deps {
    Runtime runtime;
    kube::Client& home;
    HomeObjects& home_objects;
    kube::Client& target;
    state::DependencyStore& dependencies;
    base::Logger& logger;
    base::Metrics& metrics;
  };
  struct Options {
    std::string home_id;
    std::string node;
    std::string host_ip;  ///< address of the virtual node
    state::ClusterOptions cluster;
    /// Namespaces of the target changed so that a refusal may no longer hold.
    std::function<void()> on_refusals_outdated = {};
    /// A Warning event of the target about a delegate that is not Ready.
    TargetWarnings::Show on_warning = {};
    /// As of Dependencies.
    std::function<void()> on_mass_loss = {};
  };

  TargetProvider(Deps deps, Options options);
  ~TargetProvider() override;

  /// Starts the watches. `known`: records whose delegates are ours whatever their labels say.
  /// `on_synced` once every cache has its first list.
  Result<void> start(const std::vector<PodRecord>& known, std::function<void()> on_synced);
  void stop();
  /// The target answers again: watches that wait for their next attempt make it now.
  void retryNow();
  /// Dependencies are written in the states in which pods may be.
  void setState(ProviderState state);
  /// As Dependencies::isBraked() and releaseBrake().
  bool isBraked() const { return dependencies_.isBraked(); }
  void releaseBrake() { dependencies_.releaseBrake(); }
  /// No delegate and nothing that delegates refer to is left.
  bool isEmpty();
  /// gitVersion of the target; empty until known. Read by ping().
  std::string version() const;
  /// The delegate of ours that has this name in the target now.
  std::optional<TargetPods::Delegate> delegateAt(const PodPlace& place) const {
    return pods_.at(place.ns, place.name);
  }
  /// All of them.
  void forEachDelegate(const TargetPods::Visit& visit) const { pods_.forEachDelegate(visit); }
  /// The node says from now on where its kubelet API listens.
  void setKubeletPort(std::uint16_t port);
  /// What the target's nodes have for us.
  TargetNodes::View nodes() const;

  Result<PodPlace> placePod(const Json& pod) override;
  std::string inputsHash(const Json& pod) override;
  Result<ProviderPod> createPod(const Json& pod, const PodRecord& record) override;
  Result<void> updatePod(const Json& pod, const PodRecord& record) override;
  Result<void> deletePod(const PodRecord& record,
                         std::optional<std::int64_t> grace_seconds) override;
  ProviderPod peekPod(const Json* pod, const std::string& home_uid,
                      const PodRecord* record) override;
  std::uint64_t podVersion(const std::string& home_uid) override;
  Result<ProviderPod> getPod(const PodRecord& record) override;
  Result<Json> getPodStatus(const Json& pod, const PodRecord& record) override;
  bool readsPodsWhole() const override { return false; }
  std::vector<ProviderPod> getPods() override;
  void forgetPod(const PodRecord& record) override;
  std::string podNode(const PodRecord& record) override;

  void notifyPods(std::function<void(const std::string& home_uid)> changed) override;

  Result<void> ping() override;
  Json node() override;
  void notifyNode(std::function<void()> changed) override;

 private:
  struct Namespace {
    std::string uid;
    bool rekey = false;  ///< others use it too, so labels of delegates are re-keyed
  };
  /// The target's namespace, made with our mark when it is missing.
  Result<Namespace> ensureNamespace(const std::string& ns);
  /// May pods go into this namespace object of the target?
  Result<void> checkNamespace(const std::string& ns, const Json& object) const;
  /// Are the labels of this home pod's delegate re-keyed? As it was made; while there is none, as
  /// it would be made now.
  bool rekeysLabels(const std::string& home_uid, const std::string& recorded_uid,
                    const PodPlace& place) const;
  /// The claims that the pod names are there, in the target.
  Result<void> checkClaims(const Json& pod, const std::string& ns);
  /// "a service account is missing" said so that somebody can do something about it.
  Status explained(Status status, const Json& pod, const PodPlace& place) const;
  std::optional<TargetPods::Delegate> find(const PodRecord& record) const;
  /// Where a home pod without a record goes.
  PodPlace placeFor(const Json& pod) const;
  /// What of an update has a subresource of its own.
  Result<void> updateContainers(const Json& pod, const Json& delegate, ForgeContext& context);
  ForgeContext forgeContext(const PodRecord& record, std::string namespace_uid, bool rekey) const;
  ProviderPod describe(const json::Object& delegate, const PodRecord& record) const;
  ProviderPod describe(const TargetPods::Delegate& delegate) const;
  void onNodesSynced();
  /// What the node offers; nothing while that is not known.
  std::optional<Resources> offered(Resources of_nodes) const;
  void onNamespace(const json::ObjectPtr& before, const json::ObjectPtr& after);

  Deps deps_;
  Options options_;
  std::function<void(const std::string&)> pod_changed_ = [](const std::string&) {};
  std::function<void()> node_changed_ = [] {};
  mutable std::mutex mutex_;
  std::string version_;
  std::uint16_t kubelet_port_ = 0;  ///< 0: none
  Resources limits_;
  TargetPods pods_;
  Dependencies dependencies_;
  kube::Reflector pod_reflector_;
  TargetNodes nodes_;
  kube::Reflector node_reflector_;
  TargetNamespaces namespaces_;
  TargetWarnings warnings_;
  std::function<void()> on_synced_;
  std::atomic<bool> nodes_synced_ = false;
  bool pods_synced_ = false;
};

}  // namespace vkb::bridge
