#include "bridge/target_namespaces.h"

#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "kube/call_gate.h"

namespace vkb::bridge {
namespace {

constexpr std::chrono::seconds kRetry{2};
/// How long what one GET said is written by. One whose UID changed meanwhile is another's: if the
/// namespace is the target's identity, kube::IdentityGuard sees that; else what is made in it is
/// collected as garbage and made anew.
constexpr std::chrono::seconds kFresh{10};

}  // namespace

/// The one namespace that may be read.
class TargetNamespaces::One : public std::enable_shared_from_this<One> {
 public:
  One(Runtime runtime, kube::Client& target, base::Logger& logger, std::string ns)
      : runtime_(runtime), target_(target), logger_(logger), ns_(std::move(ns)) {}

  void start(Duration delay = Duration::zero()) {
    const auto task = [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->gate_.pass([&] { self->firstLook(); });
    };
    const std::lock_guard lock(mutex_);
    next_ = runtime_.executor.postAfter(delay, task);
  }
  void stop() { gate_.close(); }
  void retryNow() {
    Executor::TimerId next;
    {
      const std::lock_guard lock(mutex_);
      next = next_;
    }
    if (runtime_.executor.cancel(next)) start();
  }
  void whenSynced(std::function<void()> callback) {
    {
      const std::lock_guard lock(mutex_);
      if (!read_at_) return when_synced_.push_back(std::move(callback));
    }
    callback();
  }
  json::ObjectPtr seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  /// By several threads at once several GETs are sent: rare, and each is right.
  Result<std::optional<Json>> read() {
    const TimePoint begin = runtime_.clock.now();
    {
      const std::lock_guard lock(mutex_);
      if (seen_ && read_at_ && begin < *read_at_ + kFresh) return std::optional(seen_->parse());
    }
    auto found = target_.get(kube::kNamespaces, "", ns_);
    if (!found) return found;
    const std::lock_guard lock(mutex_);
    seen_ = *found ? json::makeObject(**found) : nullptr;
    read_at_ = begin;
    return found;
  }

 private:
  void firstLook() {
    if (const auto found = read(); !found) {
      VKB_LOG(logger_, Debug, "namespace of the target not read", {"namespace", ns_},
              {"message", found.error().message});
      return start(kRetry);
    }
    std::vector<std::function<void()>> callbacks;
    {
      const std::lock_guard lock(mutex_);
      callbacks.swap(when_synced_);
    }
    for (const auto& callback : callbacks) callback();
  }

  const Runtime runtime_;
  kube::Client& target_;
  base::Logger& logger_;
  const std::string ns_;
  kube::CallGate gate_;
  mutable std::mutex mutex_;
  json::ObjectPtr seen_;
  std::optional<TimePoint> read_at_;
  Executor::TimerId next_ = 0;
  std::vector<std::function<void()>> when_synced_;
};

TargetNamespaces::TargetNamespaces(Runtime runtime, kube::Client& target, base::Logger& logger,
                                   Options options)
    : target_(target), only_(std::move(options.only)) {
  if (!only_.empty()) {
    one_ = std::make_shared<One>(runtime, target, logger, only_);
    return;
  }
  all_.emplace(runtime, target, logger,
               kube::ReflectorOptions{.resource = kube::kNamespaces,
                                      .list = {},
                                      .name = "target namespaces of " + options.node});
  if (options.on_change) all_->addHandler(std::move(options.on_change));
}

TargetNamespaces::~TargetNamespaces() { stop(); }

void TargetNamespaces::start() { one_ ? one_->start() : all_->start(); }
void TargetNamespaces::stop() { one_ ? one_->stop() : all_->stop(); }
void TargetNamespaces::retryNow() { one_ ? one_->retryNow() : all_->retryNow(); }

void TargetNamespaces::whenSynced(std::function<void()> callback) {
  one_ ? one_->whenSynced(std::move(callback)) : all_->whenSynced(std::move(callback));
}

json::ObjectPtr TargetNamespaces::get(const std::string& ns) const {
  if (!one_) return all_->get("", ns);
  return ns == only_ ? one_->seen() : nullptr;
}

Result<std::optional<Json>> TargetNamespaces::read(const std::string& ns) {
  if (one_ && ns == only_) return one_->read();
  if (one_) return target_.get(kube::kNamespaces, "", ns);
  // A namespace that was deleted and made again while the cache was not told has another UID: a
  // delegate owned by the old one would be collected as garbage.
  const auto present = all_->get("", ns);
  if (!present) return std::optional<Json>();
  if (all_->isHealthy()) return std::optional<Json>(present->parse());
  return target_.get(kube::kNamespaces, "", ns);
}

}  // namespace vkb::bridge
