#pragma once

#include <map>
#include <string>

#include "json/quantity.h"
#include "vkbridge/json.h"

namespace vkb::bridge {

/// Amounts by resource name ("cpu", "memory", "pods", "nvidia.com/gpu", …).
using Resources = std::map<std::string, json::Quantity>;

/// Amounts from texts; what is no quantity is left out.
Resources parseResources(const std::map<std::string, std::string>& texts);

/// status.allocatable of a target node, if it counts: Ready and schedulable. Else empty.
Resources allocatableOf(const Json& node);
bool isReady(const Json& node);

/// What the scheduler reserves for a pod: max(init containers, sidecars + containers) + overhead,
/// requests of the pod as a whole before those of its containers, and one of "pods". Terminal pods
/// reserve nothing.
Resources requestsOf(const Json& pod);

void add(Resources& total, const Resources& other);
/// Resources that `total` does not have stay out of it (a GPU asked for where no node offers one):
/// add up what there is first, then take away. May go below zero.
void subtract(Resources& total, const Resources& other);
void clampAtZero(Resources& total);
/// No more than `limits` of what it has (`join --limit`); resources without a limit stay.
void capAt(Resources& total, const Resources& limits);
/// Limits that stand for nodes that are not looked at: with as many pods as a kubelet takes by
/// default, where they do not say how many.
Resources withPodLimit(Resources limits);

/// As it stands in a node's capacity: clamped at 0, extended resources in whole units; resources
/// that no node offers are left out.
Json toCapacity(const Resources& total);

}  // namespace vkb::bridge
