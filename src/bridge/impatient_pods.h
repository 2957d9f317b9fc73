#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "json/object.h"
#include "vkbridge/json.h"

namespace vkb::bridge {

/// How long a pod with these tolerations stays on a node that is NotReady or that nobody hears of;
/// nothing: for ever.
std::optional<std::chrono::seconds> toleratedOutage(const Json& tolerations);

/// The pods of a virtual node that Kubernetes would evict during a short outage of the target
/// (design §7). Thread-safe.
class ImpatientPods {
 public:
  /// Shorter than this counts.
  static constexpr std::chrono::seconds kShortOutage{60};

  /// As an informer's handler. Tolerations can only be added to: they are looked at once.
  void onPod(const json::ObjectPtr& before, const json::ObjectPtr& after);
  /// One sentence, or empty: none.
  std::string warning() const;

 private:
  struct Pod {
    std::string name;  ///< "<ns>/<name>"
    std::chrono::seconds tolerates{};
  };
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Pod> pods_;  ///< by UID
};

}  // namespace vkb::bridge
