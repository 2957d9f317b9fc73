#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "kube/reflector.h"

namespace vkb::load {

/// Is the pod Running and Ready? Cheap where it is not.
bool isRunningAndReady(const json::Object& pod);

/// Counts the pods of one namespace by one watch, and knows when each was first seen Ready.
/// Thread-safe.
class PodCensus final : private kube::ReflectorSink {
 public:
  PodCensus(Runtime runtime, kube::Client& client, base::Logger& logger, const std::string& ns);
  ~PodCensus() override;

  /// False: not that many pods Running and Ready in time.
  bool waitUntilReady(std::size_t count, std::chrono::seconds time);
  /// False: not empty in time.
  bool waitUntilEmpty(std::chrono::seconds time);
  std::size_t ready() const;
  std::size_t present() const;
  /// Name -> when it was first seen Ready.
  std::unordered_map<std::string, TimePoint> readySince() const;

 private:
  void replace(std::vector<json::ObjectPtr> items) override;
  void upsert(json::ObjectPtr object) override;
  void remove(json::ObjectPtr object) override;
  void noteLocked(const json::Object& object);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool synced_ = false;
  std::unordered_map<std::string, bool> pods_;  ///< UID -> Ready
  std::size_t ready_ = 0;
  std::unordered_map<std::string, TimePoint> ready_since_;
  std::unique_ptr<kube::Reflector> reflector_;  ///< last: it calls the rest
};

}  // namespace vkb::load
