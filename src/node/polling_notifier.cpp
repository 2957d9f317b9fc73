#include "node/polling_notifier.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace vkb::node {
namespace {

using Ownership = ProviderPod::Ownership;

/// Everything that a turn decides from or shows; `observed` is when, not what.
std::size_t printOf(const ProviderPod& pod) {
  const Json state{static_cast<int>(pod.ownership),
                   pod.place.ns,
                   pod.place.name,
                   pod.uid,
                   pod.home_uid,
                   pod.inputs_hash,
                   pod.deleting,
                   pod.terminal,
                   pod.repair,
                   pod.grace_seconds.value_or(-1),
                   pod.gone_seen};
  return std::hash<std::string>{}(state.dump());
}

std::size_t printOf(const Result<Json>& status) {
  return std::hash<std::string>{}(status ? status->dump() : status.error().message);
}

/// What the controller asked with: the same is asked at a poll.
struct Question {
  std::optional<Json> pod;
  std::optional<PodRecord> record;
};

/// What the controller was last given, or told to look for.
struct Known {
  std::shared_ptr<const Question> question = std::make_shared<Question>();
  std::optional<std::size_t> state, status;
};

}  // namespace

struct PollingNotifier::Impl : std::enable_shared_from_this<PollingNotifier::Impl> {
  Impl(Runtime r, PodLifecycleHandler& p, Options o) : runtime(r), provider(p), options(o) {}

  Runtime runtime;
  PodLifecycleHandler& provider;
  const Options options;
  std::mutex mutex;
  std::condition_variable idle;
  std::map<std::string, Known> pods;  ///< by home UID
  std::function<void(const std::string&)> changed;
  std::optional<Executor::TimerId> timer;
  bool polling = false, stopped = false;

  /// Under the mutex.
  void scheduleNext() {
    timer = runtime.executor.postAfter(options.interval, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->poll();
    });
  }

  void poll() {
    std::map<std::string, std::shared_ptr<const Question>> questions;
    {
      std::lock_guard lock(mutex);
      if (stopped) return;
      polling = true;
      for (const auto& [uid, known] : pods) questions[uid] = known.question;
    }
    const auto none = std::make_shared<const Question>();
    for (const auto& pod : provider.getPods()) questions.try_emplace(pod.home_uid, none);
    for (const auto& [uid, question] : questions) look(uid, *question);
    std::lock_guard lock(mutex);
    polling = false;
    if (!stopped) scheduleNext();
    idle.notify_all();
  }

  void look(const std::string& uid, const Question& asked) {
    const Json* pod = asked.pod ? &*asked.pod : nullptr;
    const PodRecord* record = asked.record ? &*asked.record : nullptr;
    const ProviderPod seen = provider.peekPod(pod, uid, record);
    const std::size_t state = printOf(seen);
    std::optional<std::size_t> status;
    if (pod && record && seen.ownership == Ownership::kMine) {
      status = printOf(provider.getPodStatus(*pod, *record));
    }
    std::function<void(const std::string&)> tell;
    {
      std::lock_guard lock(mutex);
      if (stopped) return;
      // Forgotten since this poll began: only what the provider still has is news.
      if (!pods.contains(uid) && seen.ownership == Ownership::kAbsent) return;
      Known& known = pods[uid];
      if (known.state == state && (!status || known.status == status)) return;
      known.state = state;
      if (status) known.status = status;
      tell = changed;
    }
    if (tell) tell(uid);
  }
};

PollingNotifier::PollingNotifier(Runtime runtime, PodLifecycleHandler& provider, Options options)
    : impl_(std::make_shared<Impl>(runtime, provider, options)) {}

PollingNotifier::PollingNotifier(Runtime runtime, PodLifecycleHandler& provider)
    : PollingNotifier(runtime, provider, Options{}) {}

PollingNotifier::~PollingNotifier() { stop(); }

void PollingNotifier::stop() {
  std::unique_lock lock(impl_->mutex);
  impl_->stopped = true;
  if (impl_->timer) impl_->runtime.executor.cancel(*impl_->timer);
  impl_->idle.wait(lock, [this] { return !impl_->polling; });
}

void PollingNotifier::notifyPods(std::function<void(const std::string& home_uid)> changed) {
  std::lock_guard lock(impl_->mutex);
  impl_->changed = std::move(changed);
  if (!impl_->stopped && !impl_->timer) impl_->scheduleNext();
}

Result<ProviderPod> PollingNotifier::createPod(const Json& pod, const PodRecord& record) {
  auto created = impl_->provider.createPod(pod, record);
  if (created) {
    auto question = std::make_shared<Question>(Question{pod, record});
    question->record->provider_uid = created->uid;
    // Its state counts as given, so that one that is gone by the next poll is a change.
    std::lock_guard lock(impl_->mutex);
    Known& known = impl_->pods[record.uid];
    known.question = std::move(question);
    known.state = printOf(*created);
  }
  return created;
}

ProviderPod PollingNotifier::peekPod(const Json* pod, const std::string& home_uid,
                                     const PodRecord* record) {
  ProviderPod seen = impl_->provider.peekPod(pod, home_uid, record);
  std::lock_guard lock(impl_->mutex);
  if (!pod && !record && seen.ownership == Ownership::kAbsent) {
    impl_->pods.erase(home_uid);
    return seen;
  }
  auto question = std::make_shared<Question>();
  if (pod) question->pod = *pod;
  if (record) question->record = *record;
  Known& known = impl_->pods[home_uid];
  known.question = std::move(question);
  known.state = printOf(seen);
  return seen;
}

Result<Json> PollingNotifier::getPodStatus(const Json& pod, const PodRecord& record) {
  auto status = impl_->provider.getPodStatus(pod, record);
  const auto print = printOf(status);
  std::lock_guard lock(impl_->mutex);
  if (const auto known = impl_->pods.find(record.uid); known != impl_->pods.end()) {
    known->second.status = print;
  }
  return status;
}

void PollingNotifier::forgetPod(const PodRecord& record) {
  impl_->provider.forgetPod(record);
  std::lock_guard lock(impl_->mutex);
  impl_->pods.erase(record.uid);
}

Result<PodPlace> PollingNotifier::placePod(const Json& pod) {
  return impl_->provider.placePod(pod);
}
std::string PollingNotifier::inputsHash(const Json& pod) { return impl_->provider.inputsHash(pod); }
Result<void> PollingNotifier::updatePod(const Json& pod, const PodRecord& record) {
  return impl_->provider.updatePod(pod, record);
}
Result<void> PollingNotifier::deletePod(const PodRecord& record,
                                        std::optional<std::int64_t> grace_seconds) {
  return impl_->provider.deletePod(record, grace_seconds);
}
Result<ProviderPod> PollingNotifier::getPod(const PodRecord& record) {
  return impl_->provider.getPod(record);
}
std::vector<ProviderPod> PollingNotifier::getPods() { return impl_->provider.getPods(); }
std::string PollingNotifier::podNode(const PodRecord& record) {
  return impl_->provider.podNode(record);
}

}  // namespace vkb::node
