#pragma once

#include <functional>
#include <memory>
#include <string>

#include "mock/pod_script.h"
#include "vkbridge/provider.h"

namespace vkb::mock {

/// A node in memory: its pods run, end and fail as their scripts say, without any container. Pods
/// and their records live as long as the process; one that is started again goes on with what home
/// shows as running. Thread-safe; never blocks.
class Provider final : public PodLifecycleHandler, public PodNotifier, public NodeProvider {
 public:
  struct Options {
    std::string node;
    std::shared_ptr<const Json> shape;  ///< what node() gives
    std::string host_ip;
    PodScript defaults{};
    /// An address for a new pod.
    std::function<std::string()> next_ip;
  };
  Provider(Runtime runtime, Options options);
  /// As stop().
  ~Provider() override;
  /// Nothing happens to any pod any more.
  void stop();
  std::size_t size() const;

  Result<PodPlace> placePod(const Json& pod) override;
  std::string inputsHash(const Json& pod) override;
  Result<ProviderPod> createPod(const Json& pod, const PodRecord& record) override;
  Result<void> updatePod(const Json& pod, const PodRecord& record) override;
  Result<void> deletePod(const PodRecord& record,
                         std::optional<std::int64_t> grace_seconds) override;
  ProviderPod peekPod(const Json* pod, const std::string& home_uid,
                      const PodRecord* record) override;
  Result<ProviderPod> getPod(const PodRecord& record) override;
  Result<Json> getPodStatus(const Json& pod, const PodRecord& record) override;
  std::vector<ProviderPod> getPods() override;
  void forgetPod(const PodRecord& record) override;
  std::string podNode(const PodRecord& record) override;
  void notifyPods(std::function<void(const std::string& home_uid)> changed) override;

  Result<void> ping() override { return {}; }
  Json node() override;
  void notifyNode(std::function<void()>) override {}

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::mock
