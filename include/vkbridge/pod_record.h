#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vkbridge/runtime.h"
#include "vkbridge/status.h"

namespace vkb {

/// What the store remembers of one home pod: what the API servers cannot tell (intent, existence,
/// finality), and what `status` shows while nothing runs. Keyed by the home pod's UID.
struct PodRecord {
  enum class State {
    kWaiting,   ///< nothing was ever sent to the provider; last_error says why
    kCreating,  ///< a create may be under way or may have taken effect unseen
    kCreated,   ///< the provider's pod exists, or existed: its UID is known
    kTerminal,  ///< containers ended and home was told; they never start again under this UID
    kDeleting,  ///< home's object is gone; the provider's pod has to go too
  };

  // Identity of the home pod.
  std::string uid, ns, name;
  std::string node;  ///< virtual node (= joined cluster) that serves it

  State state = State::kWaiting;
  // The provider's pod: place decided once, before the first attempt; UID once known.
  std::string place_ns, place_name, provider_uid;
  /// Until then a create that was never answered may still take effect: "never made" is not
  /// believed before, and the delegate's name is not set free.
  WallTime attempt_expires{};
  std::string inputs_hash;  ///< home-side inputs that the provider's pod was last made from

  // For people only; nothing is decided from these.
  std::string phase;
  bool ready = false;
  int restarts = 0;
  std::string provider_node;  ///< node in the target
  WallTime home_created{};
  std::optional<std::chrono::milliseconds> lag{};  ///< last delegate change -> home told
  std::string last_error;                          ///< reason and message; empty when all is well
  WallTime last_error_at{};

  bool operator==(const PodRecord&) const = default;
};

const char* toString(PodRecord::State state);

/// Durable store of pod records; implemented by `state` on SQLite and by tests in memory.
/// Thread-safe; every call blocks until done.
class PodRecordStore {
 public:
  virtual ~PodRecordStore() = default;
  /// Every record of one virtual node; called once, before its pod controller starts.
  virtual Result<std::vector<PodRecord>> load(std::string_view node) = 0;
  /// Inserts or replaces. When it returns, the record survives a crash of this process.
  virtual Result<void> put(const PodRecord& record) = 0;
  /// Forgets; no error when there is none.
  virtual Result<void> erase(std::string_view uid) = 0;
};

}  // namespace vkb
