#include "load/pod_census.h"

#include <nlohmann/json.hpp>
#include <unordered_set>

#include "json/json.h"

namespace vkb::load {

bool isRunningAndReady(const json::Object& pod) {
  // A pod changes several times on its way there; only what may be Ready is worth a DOM.
  if (pod.raw.find("\"Running\"") == std::string::npos) return false;
  const Json status = json::at(pod.parse(), "status");
  const Json* ready = json::findBy(json::array(status, {"conditions"}), "type", "Ready");
  return json::str(status, "phase") == "Running" && ready && json::str(*ready, "status") == "True";
}

PodCensus::PodCensus(Runtime runtime, kube::Client& client, base::Logger& logger,
                     const std::string& ns)
    : clock_(runtime.clock) {
  kube::ReflectorSink& sink = *this;  // converted here, where the private base is known
  reflector_ = std::make_unique<kube::Reflector>(
      runtime, client, sink, logger,
      kube::ReflectorOptions{.resource = kube::kPods, .list = {.ns = ns}, .name = "pods of " + ns});
  reflector_->start();
}

PodCensus::~PodCensus() { reflector_->stop(); }

bool PodCensus::waitUntilReady(std::size_t count, std::chrono::seconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [&] { return synced_ && ready_ >= count; });
}

bool PodCensus::waitUntilEmpty(std::chrono::seconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [&] { return synced_ && pods_.empty(); });
}

std::size_t PodCensus::ready() const {
  const std::lock_guard lock(mutex_);
  return ready_;
}

std::size_t PodCensus::present() const {
  const std::lock_guard lock(mutex_);
  return pods_.size();
}

std::unordered_map<std::string, TimePoint> PodCensus::readySince() const {
  const std::lock_guard lock(mutex_);
  return ready_since_;
}

void PodCensus::noteLocked(const json::Object& object) {
  bool& ready = pods_[object.uid];
  if (ready || !isRunningAndReady(object)) return;
  ready = true;
  ++ready_;
  ready_since_.emplace(object.name, clock_.now());
}

void PodCensus::replace(std::vector<json::ObjectPtr> items) {
  const std::lock_guard lock(mutex_);
  pods_.clear();
  ready_ = 0;
  for (const auto& item : items) noteLocked(*item);
  synced_ = true;
  changed_.notify_all();
}

void PodCensus::upsert(json::ObjectPtr object) {
  const std::lock_guard lock(mutex_);
  const std::size_t before = ready_;
  noteLocked(*object);
  if (ready_ != before) changed_.notify_all();
}

void PodCensus::remove(json::ObjectPtr object) {
  const std::lock_guard lock(mutex_);
  const auto found = pods_.find(object->uid);
  if (found == pods_.end()) return;
  if (found->second) --ready_;
  pods_.erase(found);
  if (pods_.empty()) changed_.notify_all();
}

}  // namespace vkb::load
