#pragma once

#include <mutex>
#include <random>

#include "vkbridge/runtime.h"

namespace vkb::base {

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  TimePoint now() const override;
  WallTime wallNow() const override;
};

/// Seeded once from the operating system. Thread-safe.
class SystemRandom final : public Random {
 public:
  SystemRandom();
  std::uint64_t next() override;

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace vkb::base
