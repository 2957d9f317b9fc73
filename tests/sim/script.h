#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vkbridge/runtime.h"

namespace vkb::sim {

/// What can happen. Each kind is carried out by one method of Actions.
enum class Kind {
  // Users at home.
  kCreatePod,
  kDeletePod,
  kForceDeletePod,
  kRecreatePod,
  kUpdatePod,
  kFailPodAtHome,
  kEditStatusAtHome,
  kHoldByFinalizer,
  kWriteSecret,
  // People and programs in the target.
  kEndContainers,
  kEvict,
  kDeleteDelegate,
  kForceDeleteDelegate,
  kDisownDelegate,
  kReplaceDelegate,
  kMakeForeignPod,
  kMeddleWithCopy,
  kDeleteNamespace,
  kLoseMany,
  kSlowDeletions,
  // Faults of either API server and of the way to it.
  kLoseAnswers,
  kDelayWrites,
  kLateWritesArrive,
  kCutWatches,
  kCutWatchesSoon,
  kHoldWatches,
  kReleaseWatches,
  kDoubleEvents,
  kRefuse,
  kCutOff,
  kBack,
  kPartition,
  kCompact,
  kPhantomDelete,
  kOutage,
  kOrderlyEnd,
  // The bridge.
  kCrash,
  kCrashSoon,
  kStartBridge,
  kLoseStore,
  kSecondStarts,
  kSecondCrashes,
  kTakeOver,
  // Time travel and identity.
  kSnapshotTarget,
  kRestoreTarget,
  kSnapshotHome,
  kRestoreHome,
  kFlashbackHome,
  kSwapTarget,
  kSwapBack,
  kWait,
  kCount,
};
const char* toString(Kind kind);

/// One thing that happens, and how long nothing else does afterwards. Everything it needs to draw
/// comes from its own seed, so that it means the same when others are left out.
struct Action {
  Kind kind = Kind::kWait;
  std::uint64_t seed = 0;
  std::size_t pod = 0;  ///< which of the script's pod names
  Duration pause{};
};

/// Who else is there besides one home, one target, one bridge.
enum class Company {
  kNobody,
  kBrokenTarget,  ///< a second target of the same bridge, out of order all the time
  kSecondBridge,  ///< another installation that serves the same home and target
  kClonedHome,    ///< home restored elsewhere from a backup, with a bridge of its own
};

struct Script {
  std::uint64_t seed = 0;
  Company company = Company::kNobody;
  std::size_t names = 5;  ///< pods pod-0, pod-1, …
  bool long_settling = false;
  bool hold = false;  ///< clusters are joined with --when-unreachable=hold
  std::vector<Action> actions;
};

/// Everything that will happen, from one number.
Script drawScript(std::uint64_t seed);

}  // namespace vkb::sim
