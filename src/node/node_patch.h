#pragma once

#include <optional>
#include <string>

#include "vkbridge/json.h"
#include "vkbridge/provider.h"

namespace vkb::node {

/// Reason of the node's Ready condition in a given state; its pods give the same.
std::string nodeReadyReason(ProviderState state);

/// The conditions of a virtual node in a given state (design §7), without times.
Json nodeConditions(ProviderState state, const std::string& message);

/// The node to register: provider's labels, taints and status, our conditions, all times `now`.
Json newNode(const std::string& name, const std::string& provider_id, const Json& provided,
             const Json& conditions, const std::string& now);

/// Strategic-merge PATCH of nodes/status that brings ours up to date and leaves everything of
/// others as it is: labels, annotations and conditions of other writers, taints, addresses of no
/// provider. Nothing when all is as wanted; heartbeat times alone are no difference unless
/// `heartbeat`. Never a null for a whole map or list (upstream wipes foreign entries with that).
/// `provided` and `conditions` as for newNode().
std::optional<Json> nodePatch(const Json& current, const Json& provided, const Json& conditions,
                              const std::string& now, bool heartbeat);

}  // namespace vkb::node
