#pragma once

#include <optional>
#include <string>
#include <vector>

#include "state/pod_options.h"
#include "vkbridge/status.h"

namespace vkb::cli {

/// Flags of `join` about how pods become delegates, as typed. Nothing: as joined before. An empty
/// text clears a list.
struct PodFlags {
  std::optional<std::string> namespace_strategy{};          ///< same, prefix[=TEXT], single[=NS]
  std::optional<std::vector<std::string>> node_selector{};  ///< key=value
  std::optional<std::vector<std::string>> tolerations{};    ///< key[=value]:Effect
  std::optional<std::vector<std::string>> allow_node_selector{}, allow_tolerations{};
  std::optional<std::string> pod_ip{};  ///< verbatim, hidden
};

/// `before` with what the flags say. `home_id` names the namespaces that the flags leave unnamed.
/// The error is a sentence that says which flag and what it should look like.
Result<state::PodOptions> applyPodFlags(const PodFlags& flags, state::PodOptions before,
                                        const std::string& home_id);

}  // namespace vkb::cli
