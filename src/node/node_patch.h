#pragma once

#include <optional>
#include <string>

#include "vkbridge/json.h"
#include "vkbridge/provider.h"

namespace vkb::node {

/// What a node says of itself while its target cannot be reached (design §7). Under both its pods
/// are not Ready.
enum class WhenUnreachable {
  kNotReady,  ///< Ready=False: Kubernetes evicts its pods after their tolerations
  kHold,      ///< Ready stays, a NoSchedule taint keeps new pods away, nothing is evicted
};

/// Reason of the node's Ready condition in a given state; its pods give the same.
std::string nodeReadyReason(ProviderState state);

/// The conditions of a virtual node in a given state (design §7), without times.
Json nodeConditions(ProviderState state, const std::string& message,
                    WhenUnreachable policy = WhenUnreachable::kNotReady);

/// The provider's node with the taint that a held node carries in this state, if any.
Json withHoldTaint(Json provided, ProviderState state, WhenUnreachable policy);

/// The node to register: provider's labels, annotations, taints and status, our conditions, all
/// times `now`.
Json newNode(const std::string& name, const std::string& provider_id, const Json& provided,
             const Json& conditions, const std::string& now);

/// Strategic-merge PATCH of nodes/status that brings ours up to date and leaves everything of
/// others as it is: labels, annotations, conditions and resources of other writers, addresses of no
/// provider. What the provider no longer says is taken away if it was ours: the names that we set
/// are kept in an annotation of the node; labels or annotations that `provided` does not have at
/// all are not known yet and stay. Nothing when all is as wanted; heartbeat times alone are no
/// difference unless `heartbeat`. Never a null for a whole map or list (upstream wipes foreign
/// entries with that). `provided` and `conditions` as for newNode().
std::optional<Json> nodePatch(const Json& current, const Json& provided, const Json& conditions,
                              const std::string& now, bool heartbeat);

/// Strategic-merge PATCH of the node itself that brings the provider's taints up to date. A taint
/// of ours that somebody removed or changed stays so until the provider says something else;
/// others' stay. The list is replaced whole, so the PATCH carries the resourceVersion that it was
/// made from (409: look again). Nothing when all is as wanted.
std::optional<Json> taintPatch(const Json& current, const Json& provided);

}  // namespace vkb::node
