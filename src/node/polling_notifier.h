#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "vkbridge/provider.h"
#include "vkbridge/runtime.h"

namespace vkb::node {

/// For a provider that cannot tell of changes: stands before it, passes every call on, and asks it
/// from time to time. It tells of a pod whose state or status is not what the controller was last
/// given, so neither a pod that came and went between two polls nor a change and its undoing is
/// missed, and a pod that stays as it is costs no turn. Thread-safe.
class PollingNotifier final : public PodLifecycleHandler, public PodNotifier {
 public:
  struct Options {
    /// From the end of one poll to the next: they never overlap, however slow the provider is.
    Duration interval = std::chrono::seconds(5);
  };

  /// `provider` outlives this.
  PollingNotifier(Runtime runtime, PodLifecycleHandler& provider, Options options);
  PollingNotifier(Runtime runtime, PodLifecycleHandler& provider);
  /// As stop().
  ~PollingNotifier() override;
  /// No poll runs or comes any more. Not from within `changed`.
  void stop();

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

  /// Polling begins.
  void notifyPods(std::function<void(const std::string& home_uid)> changed) override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace vkb::node
