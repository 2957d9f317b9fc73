#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fake_provider.h"
#include "json/json.h"
#include "kube/informer.h"
#include "memory_store.h"
#include "node/pod_controller.h"
#include "node/polling_notifier.h"
#include "support/fake_cluster.h"

namespace vkb::node {

/// A home cluster with the virtual node "gpu", a provider in memory, and the controller between.
class PodControllerTest : public ::testing::Test {
 protected:
  using State = PodRecord::State;

  enum class Changes { kTold, kPolled };
  static constexpr std::chrono::seconds kPollInterval{5};

  explicit PodControllerTest(Changes changes = Changes::kTold) : changes_(changes) { boot(); }

  /// A process starts: everything but home, provider and store is new.
  void boot() {
    client_ = home_.client("bridge");
    informer_ = std::make_unique<kube::Informer>(
        rt_.runtime(), *client_, logger_,
        kube::ReflectorOptions{.resource = kube::kPods,
                               .list = {.field_selector = "spec.nodeName=gpu"},
                               .name = "home pods",
                               .on_sync = [this](bool synced, const Status&) {
                                 if (synced) controller_->homeIsBack();
                               }});
    events_ =
        std::make_unique<kube::EventRecorder>(rt_.runtime(), *client_, logger_, "vk-bridge", "gpu");
    if (changes_ == Changes::kPolled) {
      poller_ = std::make_unique<PollingNotifier>(
          rt_.runtime(), provider_, PollingNotifier::Options{.interval = kPollInterval});
    }
    PodLifecycleHandler& provider =
        poller_ ? static_cast<PodLifecycleHandler&>(*poller_) : provider_;
    PodNotifier& notifier = poller_ ? static_cast<PodNotifier&>(*poller_) : provider_;
    controller_ = std::make_unique<PodController>(
        PodController::Deps{rt_.runtime(), *client_, *informer_, provider, notifier, store_,
                            *events_, logger_, metrics_},
        PodController::Options{.node = "gpu",
                               .remakes_lost = [this](const Json&) { return remakes_lost_; },
                               .on_mass_loss = [this] { ++mass_losses_; }});
    ASSERT_TRUE(controller_->start());
  }
  void begin(ProviderState state = ProviderState::kReady) {
    informer_->start();
    rt_.settle();
    controller_->setProviderState(state, "why it is so");
    rt_.settle();
  }
  void shutDown() {
    controller_.reset();
    poller_.reset();
    events_.reset();
    informer_.reset();
    client_.reset();
  }
  void restart() {
    shutDown();
    boot();
    begin();
  }

  /// A pod bound to the node; returns its UID.
  std::string addPod(const std::string& name, const Json& more = Json::object()) {
    Json pod{{"metadata", {{"name", name}, {"namespace", "default"}}},
             {"spec",
              {{"nodeName", "gpu"},
               {"containers", Json::array({{{"name", "c"}, {"image", "app:1"}}})}}}};
    pod.merge_patch(more);
    const std::string uid = home_.addPod(pod)->uid();
    rt_.settle();
    return uid;
  }
  /// The same, running on both sides.
  std::string addRunning(const std::string& name, const Json& more = Json::object()) {
    const std::string uid = addPod(name, more);
    provider_.run(uid);
    rt_.settle();
    return uid;
  }
  void removePod(const std::string& name, std::optional<std::int64_t> grace = {}) {
    ASSERT_TRUE(
        home_.remove("user", kube::kPods, "default", name, {.grace_period_seconds = grace}));
    rt_.settle();
  }
  Json pod(const std::string& name) const {
    const auto found = home_.findPod("default", name);
    return found ? found->json() : Json();
  }
  std::string phase(const std::string& name) const {
    return json::str(pod(name), {"status", "phase"});
  }
  std::string ready(const std::string& name) const {
    const Json shown = pod(name);
    const Json* entry = json::findBy(json::array(shown, {"status", "conditions"}), "type", "Ready");
    return entry ? json::str(*entry, "status") : "";
  }
  std::string waitingReason(const std::string& name) const {
    const Json shown = pod(name);
    const Json& statuses = json::array(shown, {"status", "containerStatuses"});
    return statuses.empty() ? "" : json::str(statuses[0], {"state", "waiting", "reason"});
  }
  State state(const std::string& uid) const {
    const auto record = store_.find(uid);
    EXPECT_TRUE(record) << "no record of " << uid;
    return record ? record->state : State::kWaiting;
  }
  std::string lastError(const std::string& uid) const {
    const auto record = store_.find(uid);
    return record ? record->last_error : "(no record)";
  }
  std::ptrdiff_t requests(const std::string& verb) const {
    return std::count_if(home_.requests.begin(), home_.requests.end(), [&](const auto& request) {
      return request.actor == "bridge" && request.verb == verb && request.resource == "pods";
    });
  }
  /// How many times an event with this reason was counted.
  std::int64_t events(const std::string& reason) const {
    std::int64_t result = 0;
    for (const auto& event : home_.all(kube::kEvents)) {
      if (json::str(event->json(), "reason") == reason) {
        result += json::integer(event->json(), {"count"}).value_or(0);
      }
    }
    return result;
  }

  const Changes changes_;
  test::FakeRuntime rt_;
  test::FakeCluster home_{rt_};
  test::FakeProvider provider_{rt_.clock};
  test::MemoryStore store_;
  base::NullLogger logger_;
  base::Metrics metrics_;
  int mass_losses_ = 0;
  bool remakes_lost_ = false;
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<kube::Informer> informer_;
  std::unique_ptr<kube::EventRecorder> events_;
  std::unique_ptr<PollingNotifier> poller_;
  std::unique_ptr<PodController> controller_;
};

}  // namespace vkb::node
