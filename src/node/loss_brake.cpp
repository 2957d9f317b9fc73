#include "node/loss_brake.h"

#include <algorithm>

namespace vkb::node {
namespace {
constexpr std::chrono::seconds kWindow{60};
constexpr std::size_t kAlwaysAllowed = 10;
}  // namespace

bool LossBrake::allow(std::size_t total) {
  std::lock_guard lock(mutex_);
  if (engaged_) return false;
  const TimePoint now = clock_.now();
  while (!verdicts_.empty() && verdicts_.front() + kWindow <= now) verdicts_.pop_front();
  verdicts_.push_back(now);
  engaged_ = verdicts_.size() > std::max(kAlwaysAllowed, total / 10);
  return !engaged_;
}

bool LossBrake::engaged() const {
  std::lock_guard lock(mutex_);
  return engaged_;
}

void LossBrake::release() {
  std::lock_guard lock(mutex_);
  engaged_ = false;
  verdicts_.clear();
}

}  // namespace vkb::node
