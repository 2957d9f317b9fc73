#include "mock/provider.h"

#include <algorithm>
#include <mutex>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "json/json.h"
#include "mock/pod_status.h"
#include "vkbridge/errors.h"

namespace vkb::mock {
namespace {

using Stage = PodState::Stage;
using Ownership = ProviderPod::Ownership;

bool hasEnded(Stage stage) { return stage == Stage::kExited || stage == Stage::kEvicted; }

}  // namespace

struct Provider::Impl : std::enable_shared_from_this<Provider::Impl> {
  Impl(Runtime r, Options o) : runtime(r), options(std::move(o)) {}

  struct Pod {
    std::string inputs_hash, restart_policy;
    PodScript script;
    PodState state;
    bool deleting = false, gone = false;
    std::optional<std::int64_t> grace;
    TimePoint changed_at{};
    std::optional<Executor::TimerId> timer;
  };

  Runtime runtime;
  const Options options;
  mutable std::mutex mutex;
  std::unordered_map<std::string, Pod> pods;  ///< by home UID; one that is gone until forgotten
  std::unordered_map<std::string, int> failed_creates;
  std::function<void(const std::string&)> changed = [](const std::string&) {};
  bool stopped = false;

  ProviderPod view(const std::string& uid, const Pod& pod) const {
    if (pod.gone) return {.gone_seen = true, .observed = pod.changed_at};
    return {.ownership = Ownership::kMine,
            .uid = uid,
            .home_uid = uid,
            .inputs_hash = pod.inputs_hash,
            .deleting = pod.deleting,
            .terminal = hasEnded(pod.state.stage),
            .grace_seconds = pod.grace,
            .observed = pod.changed_at};
  }

  void cancelTimer(Pod& pod) {
    if (pod.timer) runtime.executor.cancel(*pod.timer);
    pod.timer.reset();
  }

  void inTime(const std::string& uid, Pod& pod, Duration delay,
              std::function<void(Impl&, const std::string&, Pod&)> step) {
    cancelTimer(pod);
    pod.timer =
        runtime.executor.postAfter(delay, [weak = weak_from_this(), uid, step = std::move(step)] {
          const auto self = weak.lock();
          if (!self) return;
          std::lock_guard lock(self->mutex);
          const auto found = self->pods.find(uid);
          if (self->stopped || found == self->pods.end() || found->second.gone) return;
          found->second.timer.reset();
          step(*self, uid, found->second);
        });
  }

  void tell(const std::string& uid, Pod& pod) {
    pod.changed_at = runtime.clock.now();
    changed(uid);
  }

  /// Whatever is due at once happens at once; the rest has its timer.
  void begin(const std::string& uid, Pod& pod) {
    if (!pod.script.waiting.empty()) return tell(uid, pod);
    if (pod.state.stage != Stage::kPending) return becomeReady(uid, pod);
    if (pod.script.run_after == Duration::zero()) return run(uid, pod);
    tell(uid, pod);
    inTime(uid, pod, pod.script.run_after,
           [](Impl& self, const std::string& id, Pod& it) { self.run(id, it); });
  }

  void run(const std::string& uid, Pod& pod) {
    pod.state.stage = Stage::kRunning;
    pod.state.started = runtime.clock.wallNow();
    if (pod.script.ready_after == Duration::zero()) return becomeReady(uid, pod);
    tell(uid, pod);
    inTime(uid, pod, pod.script.ready_after,
           [](Impl& self, const std::string& id, Pod& it) { self.becomeReady(id, it); });
  }

  void becomeReady(const std::string& uid, Pod& pod) {
    pod.state.stage = Stage::kReady;
    tell(uid, pod);
    if (pod.script.vanish_after) {
      inTime(uid, pod, *pod.script.vanish_after, [](Impl& self, const std::string& id, Pod&) {
        const std::string gone = id;
        self.pods.erase(gone);
        self.changed(gone);
      });
    } else if (pod.script.evict_after) {
      inTime(uid, pod, *pod.script.evict_after, [](Impl& self, const std::string& id, Pod& it) {
        self.end(id, it, Stage::kEvicted, 137);
      });
    } else if (pod.script.exit_after) {
      inTime(uid, pod, *pod.script.exit_after,
             [](Impl& self, const std::string& id, Pod& it) { self.exit(id, it); });
    }
  }

  void exit(const std::string& uid, Pod& pod) {
    const bool restarts = pod.restart_policy == "Always" ||
                          (pod.restart_policy == "OnFailure" && pod.script.exit_code != 0);
    if (!restarts) return end(uid, pod, Stage::kExited, pod.script.exit_code);
    ++pod.state.restarts;
    run(uid, pod);
  }

  void end(const std::string& uid, Pod& pod, Stage stage, int exit_code) {
    cancelTimer(pod);
    pod.state.stage = stage;
    pod.state.exit_code = exit_code;
    pod.state.ended = runtime.clock.wallNow();
    tell(uid, pod);
  }

  void remove(const std::string& uid, Pod& pod) {
    cancelTimer(pod);
    pod.gone = true;
    if (!hasEnded(pod.state.stage)) {
      pod.state.exit_code = pod.state.stage == Stage::kPending ? 137 : 0;
      pod.state.stage = Stage::kExited;
      pod.state.ended = runtime.clock.wallNow();
      if (pod.state.started == WallTime{}) pod.state.started = pod.state.ended;
    }
    tell(uid, pod);
  }
};

Provider::Provider(Runtime runtime, Options options)
    : impl_(std::make_shared<Impl>(runtime, std::move(options))) {}

Provider::~Provider() { stop(); }

void Provider::stop() {
  std::lock_guard lock(impl_->mutex);
  impl_->stopped = true;
  for (auto& [uid, pod] : impl_->pods) impl_->cancelTimer(pod);
}

std::size_t Provider::size() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->pods.size();
}

Result<PodPlace> Provider::placePod(const Json& pod) {
  if (const auto script = scriptOf(pod, impl_->options.defaults); !script) {
    return failure(script.error());
  }
  return PodPlace{json::str(pod, {"metadata", "namespace"}), json::str(pod, {"metadata", "name"})};
}

std::string Provider::inputsHash(const Json& pod) {
  std::string inputs;
  for (const auto& container : json::array(pod, {"spec", "containers"})) {
    inputs += json::str(container, "image") + "\n";
  }
  for (const auto& [key, value] : json::object(pod, {"metadata", "annotations"}).items()) {
    if (key.starts_with("mock.vk-bridge.io/") && value.is_string()) {
      inputs += key + "=" + value.get<std::string>() + "\n";
    }
  }
  return std::to_string(std::hash<std::string>{}(inputs));
}

Result<ProviderPod> Provider::createPod(const Json& pod, const PodRecord& record) {
  const auto script = scriptOf(pod, impl_->options.defaults);
  if (!script) return failure(script.error());
  std::lock_guard lock(impl_->mutex);
  if (const auto found = impl_->pods.find(record.uid); found != impl_->pods.end()) {
    return impl_->view(record.uid, found->second);
  }
  if (!script->create_error.empty()) {
    int& failed = impl_->failed_creates[record.uid];
    if (script->create_errors == 0 || failed < script->create_errors) {
      ++failed;
      return failure(scriptedError(*script));
    }
  }
  impl_->failed_creates.erase(record.uid);
  Impl::Pod& made = impl_->pods[record.uid];
  made.inputs_hash = inputsHash(pod);
  made.restart_policy = json::str(pod, {"spec", "restartPolicy"});
  made.script = *script;
  made.state = stateFrom(pod);
  made.state.waiting = script->waiting;
  if (made.state.created == WallTime{}) made.state.created = impl_->runtime.clock.wallNow();
  if (made.state.ip.empty()) made.state.ip = impl_->options.next_ip();
  impl_->begin(record.uid, made);
  return impl_->view(record.uid, made);
}

Result<void> Provider::updatePod(const Json& pod, const PodRecord& record) {
  const auto script = scriptOf(pod, impl_->options.defaults);
  if (!script) return failure(script.error());
  std::lock_guard lock(impl_->mutex);
  const auto found = impl_->pods.find(record.uid);
  if (found == impl_->pods.end()) return failure(errors::retryable("the pod is gone"));
  found->second.script = *script;
  found->second.state.waiting = script->waiting;
  found->second.inputs_hash = inputsHash(pod);
  if (!hasEnded(found->second.state.stage)) impl_->begin(record.uid, found->second);
  return {};
}

Result<void> Provider::deletePod(const PodRecord& record,
                                 std::optional<std::int64_t> grace_seconds) {
  std::lock_guard lock(impl_->mutex);
  const auto found = impl_->pods.find(record.uid);
  if (found == impl_->pods.end() || found->second.gone) return {};
  Impl::Pod& pod = found->second;
  pod.deleting = true;
  pod.grace = grace_seconds.value_or(30);
  const Duration wait =
      std::min<Duration>(pod.script.delete_after, std::chrono::seconds(*pod.grace));
  if (wait == Duration::zero()) {
    impl_->remove(record.uid, pod);
    return {};
  }
  impl_->tell(record.uid, pod);
  impl_->inTime(record.uid, pod, wait,
                [](Impl& self, const std::string& uid, Impl::Pod& it) { self.remove(uid, it); });
  return {};
}

ProviderPod Provider::peekPod(const Json*, const std::string& home_uid, const PodRecord*) {
  std::lock_guard lock(impl_->mutex);
  const auto found = impl_->pods.find(home_uid);
  return found == impl_->pods.end() ? ProviderPod{} : impl_->view(home_uid, found->second);
}

Result<ProviderPod> Provider::getPod(const PodRecord& record) {
  return peekPod(nullptr, record.uid, &record);
}

Result<Json> Provider::getPodStatus(const Json& pod, const PodRecord& record) {
  std::lock_guard lock(impl_->mutex);
  const auto found = impl_->pods.find(record.uid);
  if (found == impl_->pods.end()) return json::object(pod, {"status"});
  return podStatus(pod, found->second.state, impl_->options.host_ip);
}

std::vector<ProviderPod> Provider::getPods() {
  std::lock_guard lock(impl_->mutex);
  std::vector<ProviderPod> result;
  result.reserve(impl_->pods.size());
  for (const auto& [uid, pod] : impl_->pods) {
    if (!pod.gone) result.push_back(impl_->view(uid, pod));
  }
  return result;
}

void Provider::forgetPod(const PodRecord& record) {
  std::lock_guard lock(impl_->mutex);
  impl_->failed_creates.erase(record.uid);
  const auto found = impl_->pods.find(record.uid);
  if (found != impl_->pods.end() && found->second.gone) impl_->pods.erase(found);
}

std::string Provider::podNode(const PodRecord&) { return impl_->options.node; }

void Provider::notifyPods(std::function<void(const std::string& home_uid)> changed) {
  std::lock_guard lock(impl_->mutex);
  impl_->changed = std::move(changed);
}

Json Provider::node() { return *impl_->options.shape; }

}  // namespace vkb::mock
