#include "base/clock.h"

namespace vkb::base {
namespace {

std::uint64_t systemSeed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

}  // namespace

TimePoint SystemClock::now() const { return std::chrono::steady_clock::now(); }

WallTime SystemClock::wallNow() const {
  return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
}

SystemRandom::SystemRandom() : engine_(systemSeed()) {}

std::uint64_t SystemRandom::next() {
  std::lock_guard lock(mutex_);
  return engine_();
}

}  // namespace vkb::base
