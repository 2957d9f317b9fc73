#include "load/crowd.h"

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "load/pod_template.h"

namespace vkb::load {

Crowd::Crowd(Runtime runtime, kube::Client& client, base::Logger& logger, Options options)
    : runtime_(runtime),
      client_(client),
      logger_(logger),
      options_(std::move(options)),
      census_(runtime, client, logger, options_.ns) {}

void Crowd::make() {
  forEach([this](std::size_t i) -> Result<void> {
    const Json pod = loadPod(options_.ns, i, options_.node);
    {
      const std::lock_guard lock(mutex_);
      asked_.emplace(json::str(pod, {"metadata", "name"}), runtime_.clock.now());
    }
    const auto made = client_.create(kube::kPods, options_.ns, pod);
    if (!made) return failure(made.error());
    return {};
  });
}

void Crowd::remove() {
  forEach([this](std::size_t i) -> Result<void> {
    auto removed = client_.remove(kube::kPods, options_.ns, "load-" + std::to_string(i), {});
    if (!removed && removed.error().isNotFound()) return {};
    return removed;
  });
}

bool Crowd::waitUntilAsked(std::chrono::seconds time) {
  std::unique_lock lock(mutex_);
  const bool all =
      changed_.wait_for(lock, time, [&] { return answered_ + failed_ == options_.pods; });
  return all && failed_ == 0;
}

std::unordered_map<std::string, TimePoint> Crowd::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

void Crowd::forEach(std::function<Result<void>(std::size_t)> each) {
  {
    const std::lock_guard lock(mutex_);
    answered_ = failed_ = 0;
  }
  if (options_.rate > 0) {
    for (std::size_t i = 0; i < options_.pods; ++i) {
      const std::chrono::duration<double> due(static_cast<double>(i) / options_.rate);
      runtime_.executor.postAfter(std::chrono::duration_cast<Duration>(due),
                                  [this, each, i] { runOne(each, i); });
    }
    return;
  }
  next_ = 0;
  for (std::size_t worker = 0; worker < options_.workers; ++worker) {
    runtime_.executor.post([this, each] {
      for (std::size_t i = next_++; i < options_.pods; i = next_++) runOne(each, i);
    });
  }
}

void Crowd::runOne(const std::function<Result<void>(std::size_t)>& each, std::size_t i) {
  const auto done = each(i);
  if (!done) {
    VKB_LOG(logger_, Error, "request failed", {"pod", i}, {"message", done.error().message});
  }
  const std::lock_guard lock(mutex_);
  ++(done ? answered_ : failed_);
  if (answered_ + failed_ == options_.pods) changed_.notify_all();
}

}  // namespace vkb::load
