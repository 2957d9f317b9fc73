#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "bridge/capacity.h"

namespace vkb::bridge {

/// What the virtual node is made of, and nothing of how it is doing: conditions are the node
/// controller's.
struct VirtualNode {
  std::string name;                             ///< also of the joined cluster
  std::string version;                          ///< the target's gitVersion
  std::string host_ip;                          ///< InternalIP; empty: none
  std::uint16_t kubelet_port = 0;               ///< 0: no kubelet API
  std::string os, arch;                         ///< empty: linux, amd64
  std::map<std::string, std::string> labels{};  ///< of the target's nodes; ours stand over them
  /// Nothing: not known yet; what the node says of it then stays.
  std::optional<Resources> offered{};
};

/// As node::NodeProvider::node() says it: labels, taints, status (design §7).
Json forgeNode(const VirtualNode& node);

}  // namespace vkb::bridge
