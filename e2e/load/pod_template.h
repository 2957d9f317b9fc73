#pragma once

#include <cstddef>
#include <string>

#include "vkbridge/json.h"

namespace vkb::load {

/// The i-th pod of a load: about 6 KB once an API server has filled in its defaults and
/// managedFields; two containers, 30 variables, 4 volumes. `node` "": for the scheduler.
Json loadPod(const std::string& ns, std::size_t i, const std::string& node);

/// The bystanders of a target: small, and told apart by a label.
Json foreignPod(const std::string& ns, const std::string& name, const std::string& node);

}  // namespace vkb::load
