#pragma once

#include <cstddef>
#include <string>

namespace vkb::bench {

/// Pod number `i` as an API server sends it, about 6 KB: two containers with 15 variables each,
/// four volumes, conditions and container statuses, and managedFields (two fifths of it).
std::string podJson(std::size_t i, const std::string& resource_version = "1000");

/// A PodList of pods [first, first + count).
std::string podListJson(std::size_t first, std::size_t count, const std::string& resource_version,
                        const std::string& continue_token = "");

}  // namespace vkb::bench
