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
  std::optional<std::string> pod_ip{};            ///< verbatim, hidden
  std::optional<std::string> service_accounts{};  ///< none, target, home
  std::optional<std::string> home_api_server{};   ///< https://host[:port]
  std::optional<std::string> existing_objects{};  ///< refuse, use
};

/// Can pods in a target go to this URL of home's API server? The error says what is wrong with it.
Result<void> checkHomeApi(const std::string& url);

/// `before` with what the flags say. `home_id` names the namespaces that the flags leave unnamed,
/// `home_server` is where home's API server is for pods that are to talk to it, unless a flag says.
/// The error is a sentence that says which flag and what it should look like.
Result<state::PodOptions> applyPodFlags(const PodFlags& flags, state::PodOptions before,
                                        const std::string& home_id,
                                        const std::string& home_server = "");

}  // namespace vkb::cli
