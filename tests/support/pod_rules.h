#pragma once

#include <optional>
#include <string>
#include <vector>

#include "vkbridge/json.h"
#include "vkbridge/status.h"

namespace vkb::test {

/// What the API server adds to a pod that a client creates: defaults (`all`, or the few that decide
/// how it behaves), and `status` as it starts.
void fillPodDefaults(Json& pod, bool all);
/// The projected token volume and its mounts, as ServiceAccount admission adds them.
void addTokenVolume(Json& pod, const std::string& suffix);
/// Problems of a new pod.
std::vector<StatusCause> checkNewPod(const Json& pod);
/// Problems of an update outside the status subresource: the spec may hardly change.
std::vector<StatusCause> checkPodUpdate(const Json& before, const Json& after);
/// Problems of a status update. Puts `after`'s podIPs right, as the server's conversion does.
std::vector<StatusCause> checkPodStatus(const Json& before, Json& after);
/// Guaranteed, Burstable or BestEffort.
std::string qosClassOf(const Json& pod);
/// A lowercase RFC 1123 subdomain?
bool isSubdomain(const std::string& name);

}  // namespace vkb::test
