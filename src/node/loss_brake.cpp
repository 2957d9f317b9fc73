#include "node/loss_brake.h"

#include <algorithm>

#include "base/protections.h"

namespace vkb::node {
namespace {
constexpr std::chrono::seconds kWindow{60};
constexpr std::size_t kAlwaysAllowed = 10;
}  // namespace

LossBrake::Verdict LossBrake::allow(const std::string& uid, std::size_t total) {
  std::lock_guard lock(mutex_);
  if (engaged_) return Verdict::kHeld;
  const TimePoint now = clock_.now();
  if (now < believed_until_) return Verdict::kAllowed;
  while (!verdicts_.empty() && verdicts_.front().first + kWindow <= now) verdicts_.pop_front();
  for (const auto& [at, counted] : verdicts_) {
    if (counted == uid) return Verdict::kAllowed;
  }
  verdicts_.emplace_back(now, uid);
  if (!base::protects(base::Protection::kMassLossBrake)) return Verdict::kAllowed;
  engaged_ = verdicts_.size() > std::max(kAlwaysAllowed, total / 10);
  return engaged_ ? Verdict::kTripped : Verdict::kAllowed;
}

bool LossBrake::engaged() const {
  std::lock_guard lock(mutex_);
  return engaged_;
}

void LossBrake::release() {
  std::lock_guard lock(mutex_);
  if (!engaged_) return;
  engaged_ = false;
  verdicts_.clear();
  believed_until_ = clock_.now() + kWindow;
}

}  // namespace vkb::node
