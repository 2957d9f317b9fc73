#pragma once

#include <string>

#include "vkbridge/json.h"

namespace vkb::bridge {

struct ReflectContext {
  std::string host_ip;  ///< the virtual node's address; home shows it as the pod's hostIP
};

/// The status that home should show for a delegate: design §6 "Reflect". Whole and absolute; the
/// core turns it into a patch. `delegate` is the whole target pod (metadata, spec, status).
/// - phase, message, reason, startTime, pod IPs, container statuses (only containers that the home
///   pod has) as the target says;
/// - PodScheduled is home's own and left out; a delegate that the target cannot schedule shows
///   condition vk-bridge.io/DelegateScheduled=False with the target's message;
/// - Ready = delegate's ContainersReady and home's readiness gates;
/// - a delegate being deleted without home being deleted: Ready=False, DisruptionTarget=True;
/// - never: qosClass, nominatedNodeName, observedGeneration, resize and claim statuses.
Json reflect(const Json& home_pod, const Json& delegate, const ReflectContext& context);

}  // namespace vkb::bridge
