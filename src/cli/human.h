#pragma once

#include <chrono>
#include <string>

#include "vkbridge/runtime.h"

namespace vkb::cli {

/// An age as kubectl prints it (apimachinery's duration.HumanDuration): "42s", "5m12s", "3h", "8d".
/// Slightly negative ones, from clocks that differ, are "0s"; more is "<invalid>".
std::string formatAge(std::chrono::microseconds age);

/// A measured time: "12ms", "1.4s", "35s", from two minutes on as an age.
std::string formatDuration(std::chrono::milliseconds duration);

}  // namespace vkb::cli
