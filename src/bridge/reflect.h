#pragma once

#include <string>

#include "vkbridge/json.h"

namespace vkb::bridge {

struct ReflectContext {
  std::string host_ip;  ///< the virtual node's address; home shows it as the pod's hostIP
  bool hide_pod_ips = false;
  std::string inputs_hash{};  ///< of home's pod as it is now, see inputsHash()
};

/// The status that home should show for a delegate: design §6 "Reflect". Whole and absolute; the
/// core turns it into a patch. `delegate` is the whole target pod (metadata, spec, status).
/// - phase, message, reason, startTime, pod IPs (unless hidden), container statuses (only
/// containers
///   that the home pod has) as the target says; a restart count never goes down, also where the
///   delegate was made anew;
/// - PodScheduled is home's own and left out; a delegate that the target cannot schedule shows
///   condition vk-bridge.io/DelegateScheduled=False with the target's message;
/// - ContainersReady counts home's containers, not what was injected in the target; Ready = that
/// and
///   home's readiness gates;
/// - a delegate being deleted without home being deleted: Ready=False, DisruptionTarget=True;
/// - observedGeneration is home's own generation, once the delegate is up to date with it and the
///   target's kubelet has seen that; resize conditions only where the resize is home's;
/// - never: qosClass, nominatedNodeName, claim statuses.
Json reflect(const Json& home_pod, const Json& delegate, const ReflectContext& context);

}  // namespace vkb::bridge
