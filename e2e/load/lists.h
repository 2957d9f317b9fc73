#pragma once

#include <string>

#include "vkbridge/status.h"

namespace vkb::load {

struct ListsOptions {
  std::string kubeconfig;         ///< home
  std::string node;               ///< the pods bound to it
  std::string second_kubeconfig;  ///< a target: all of its pods
};

/// Reads all of it page by page from both clusters at once, and looks at nothing: what API servers
/// and network alone take of a bridge's start. Prints {"listed_s": seconds, "bytes": …}.
Result<void> runLists(const ListsOptions& options);

}  // namespace vkb::load
