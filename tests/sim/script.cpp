#include "script.h"

#include <array>

#include "support/fake_runtime.h"

namespace vkb::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kKinds = static_cast<std::size_t>(Kind::kCount);

struct KindInfo {
  const char* name;
  unsigned weight;  ///< how often, before a seed exaggerates some and leaves out others
};

constexpr std::array<KindInfo, kKinds> kInfo{{
    {"create a pod", 40},
    {"delete a pod", 12},
    {"force-delete a pod", 8},
    {"recreate a pod", 6},
    {"update a pod", 4},
    {"fail a pod at home", 2},
    {"edit a status at home", 3},
    {"hold a pod by a finalizer", 2},
    {"write or delete the Secret", 3},
    {"end containers", 10},
    {"evict a delegate", 4},
    {"delete a delegate", 5},
    {"force-delete a delegate", 4},
    {"take the labels off a delegate", 4},
    {"replace a delegate by a foreign pod", 3},
    {"run a foreign pod", 3},
    {"meddle with the Secret's copy", 2},
    {"delete the namespace in the target", 1},
    {"lose many delegates", 1},
    {"end containers slowly", 2},
    {"lose answers", 7},
    {"delay writes", 7},
    {"late writes arrive", 5},
    {"cut watches", 5},
    {"cut watches soon", 3},
    {"hold watches", 6},
    {"release watches", 6},
    {"double events", 2},
    {"refuse requests", 8},
    {"cut off", 4},
    {"bring back", 8},
    {"partition", 4},
    {"compact", 4},
    {"tell of a deletion that was none", 4},
    {"an outage", 1},
    {"an orderly end", 1},
    {"crash", 6},
    {"crash soon", 16},
    {"start the bridge", 10},
    {"lose the store", 1},
    {"start the second bridge", 6},
    {"crash the second bridge", 3},
    {"take over", 2},
    {"snapshot of the target", 2},
    {"restore the target", 2},
    {"snapshot of home", 2},
    {"restore home", 2},
    {"home goes back and forth", 3},
    {"swap the target", 2},
    {"swap the target back", 3},
    {"wait", 4},
}};

/// Draws a script: single actions, and episodes (some that belong together, about one pod), which
/// make combinations likely that chance alone would take a million seeds to find.
class Drawer {
 public:
  explicit Drawer(std::uint64_t seed) : random_(seed ^ 0x5eed0fac710e5ULL) { script_.seed = seed; }

  Script draw() {
    chooseCompany();
    script_.long_settling = below(24) == 0;
    script_.hold = below(4) == 0;
    if (below(10) == 0) script_.names = 14 + below(6);
    for (std::size_t i = 0; i < kKinds; ++i) {
      constexpr std::array<unsigned, 5> kExaggeration{0, 1, 1, 2, 4};
      weights_[i] = kInfo[i].weight * kExaggeration[below(kExaggeration.size())];
      total_ += weights_[i];
    }
    const std::size_t count = 25 + below(30);
    if (below(2) == 0) crowd();
    while (script_.actions.size() < count) {
      if (below(5) == 0) {
        episode();
      } else {
        add(anyKind(), below(script_.names), anyPause());
      }
    }
    return std::move(script_);
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_.below(bound); }

  void chooseCompany() {
    constexpr std::array<Company, 8> kCompany{
        Company::kNobody, Company::kNobody,       Company::kNobody,       Company::kNobody,
        Company::kNobody, Company::kBrokenTarget, Company::kSecondBridge, Company::kClonedHome,
    };
    script_.company = kCompany[below(kCompany.size())];
  }

  void add(Kind kind, std::size_t pod, Duration pause) {
    script_.actions.push_back({kind, random_.next(), pod, pause});
  }

  Kind anyKind() {
    if (total_ == 0) return Kind::kCreatePod;
    std::uint64_t left = below(total_);
    for (std::size_t i = 0; i < kKinds; ++i) {
      if (left < weights_[i]) return static_cast<Kind>(i);
      left -= weights_[i];
    }
    return Kind::kCreatePod;
  }

  Duration anyPause() {
    const std::uint64_t choice = below(12);
    if (choice < 6) return milliseconds(below(50));
    return choice < 11 ? Duration(milliseconds(below(3000))) : Duration(seconds(below(60)));
  }
  Duration shortPause() { return milliseconds(below(400)); }

  void crowd() {
    for (std::size_t i = 0; i < script_.names; ++i)
      add(Kind::kCreatePod, i, milliseconds(below(5)));
    add(Kind::kWait, 0, seconds(2));
  }

  void episode() {
    const std::size_t pod = below(script_.names);
    using Step = void (Drawer::*)(std::size_t);
    constexpr std::array<Step, 11> kEpisodes{
        &Drawer::lateCreate,     &Drawer::lateCreate,   &Drawer::replaceUnseen,
        &Drawer::recreateUnseen, &Drawer::otherCluster, &Drawer::massLoss,
        &Drawer::homeBackInTime, &Drawer::endAndForget, &Drawer::lossOfOne,
        &Drawer::deletedUnseen,  &Drawer::twoBridges,
    };
    (this->*kEpisodes[below(kEpisodes.size())])(pod);
  }

  /// A create that arrives when everybody has given it up.
  void lateCreate(std::size_t pod) {
    add(Kind::kForceDeletePod, pod, seconds(1));
    add(Kind::kDelayWrites, pod, {});
    add(Kind::kCreatePod, pod, shortPause());
    if (below(2) == 0) add(Kind::kCrash, pod, shortPause());
    add(below(2) == 0 ? Kind::kDeletePod : Kind::kForceDeletePod, pod, shortPause());
    add(Kind::kStartBridge, pod, seconds(1 + below(4)));
    add(Kind::kLateWritesArrive, pod, shortPause());
  }
  /// Somebody puts his own pod in a delegate's place while the bridge looks away.
  void replaceUnseen(std::size_t pod) {
    add(Kind::kCreatePod, pod, seconds(1));
    add(Kind::kHoldWatches, pod, {});
    add(Kind::kReplaceDelegate, pod, shortPause());
    add(below(2) == 0 ? Kind::kDeletePod : Kind::kForceDeletePod, pod, seconds(1 + below(3)));
    add(Kind::kReleaseWatches, pod, shortPause());
  }
  void recreateUnseen(std::size_t pod) {
    add(Kind::kCreatePod, pod, seconds(1));
    add(Kind::kHoldWatches, pod, {});
    add(Kind::kRecreatePod, pod, {});
    add(below(2) == 0 ? Kind::kEndContainers : Kind::kEvict, pod, seconds(1 + below(3)));
    add(Kind::kReleaseWatches, pod, shortPause());
  }
  void otherCluster(std::size_t pod) {
    add(Kind::kSwapTarget, pod, shortPause());
    for (int i = 0; i < 3; ++i) add(anyKind(), below(script_.names), anyPause());
    add(Kind::kSwapBack, pod, anyPause());
  }
  void massLoss(std::size_t pod) {
    if (script_.names < 14) script_.names = 14 + below(6);
    for (std::size_t i = 0; i < script_.names; ++i) add(Kind::kCreatePod, i, {});
    add(Kind::kWait, pod, seconds(3));
    add(Kind::kLoseMany, pod, seconds(5));
  }
  void homeBackInTime(std::size_t pod) {
    add(Kind::kSnapshotHome, pod, {});
    add(Kind::kCreatePod, pod, seconds(1));
    add(Kind::kFlashbackHome, pod, seconds(2));
  }
  void endAndForget(std::size_t pod) {
    add(Kind::kCreatePod, pod, seconds(1));
    add(Kind::kEndContainers, pod, seconds(1));
    if (below(3) == 0) add(Kind::kLoseStore, pod, {});
    if (below(2) == 0) add(Kind::kForceDeleteDelegate, pod, seconds(1));
    add(Kind::kStartBridge, pod, seconds(1));
  }
  void lossOfOne(std::size_t pod) {
    add(Kind::kCreatePod, pod, seconds(1));
    add(below(2) == 0 ? Kind::kDeleteDelegate : Kind::kForceDeleteDelegate, pod, seconds(2));
  }
  /// What is deleted while watch history is lost is known from the next list alone.
  void deletedUnseen(std::size_t pod) {
    add(Kind::kCreatePod, pod, seconds(1));
    add(Kind::kHoldWatches, pod, {});
    add(below(2) == 0 ? Kind::kForceDeletePod : Kind::kForceDeleteDelegate, pod, {});
    add(Kind::kCompact, pod, {});
    add(Kind::kCutWatches, pod, {});
    add(Kind::kReleaseWatches, pod, seconds(1));
  }
  void twoBridges(std::size_t pod) {
    add(Kind::kSecondStarts, pod, seconds(below(90)));
    add(Kind::kCreatePod, pod, anyPause());
    add(below(3) == 0 ? Kind::kTakeOver : Kind::kWait, pod, seconds(below(90)));
    add(Kind::kDeletePod, pod, anyPause());
  }

  test::FakeRandom random_;
  Script script_;
  std::array<unsigned, kKinds> weights_{};
  std::uint64_t total_ = 0;
};

}  // namespace

const char* toString(Kind kind) { return kInfo[static_cast<std::size_t>(kind)].name; }

Script drawScript(std::uint64_t seed) { return Drawer(seed).draw(); }

}  // namespace vkb::sim
