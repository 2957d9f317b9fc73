#pragma once

#include <string>

#include "vkbridge/json.h"

namespace vkb::e2e {

/// Waits for SIGTERM without using the processor, and goes at once when it comes.
inline constexpr const char* kIdle = "trap 'exit 0' TERM; sleep 100000 & wait";

/// What a test's pod does. Image busybox:e2e; the target must have it (the rig makes it).
struct Shape {
  std::string script = kIdle;
  int grace_seconds = 2;
  std::string restart_policy = "Always";
  std::string ready_file{};  ///< Ready once this file exists in the container
};

/// A pod spec that is bound to virtual node `node` by its hostname label and tolerates its taint.
Json podSpec(const std::string& node, const Shape& shape = {});
Json makePod(const std::string& ns, const std::string& name, const std::string& node,
             const Shape& shape = {});
/// The same without node and toleration: for pods that a test puts into the target itself.
Json makePlainPod(const std::string& ns, const std::string& name, const Shape& shape = {});
/// `kind` Deployment, StatefulSet, DaemonSet; label and selector app=<name>.
Json makeWorkload(const std::string& kind, const std::string& ns, const std::string& name,
                  const std::string& node, int replicas, const Shape& shape = {});
Json makeJob(const std::string& ns, const std::string& name, const std::string& node,
             int completions, const Shape& shape);
Json makeNamespace(const std::string& name);

std::string phaseOf(const Json& pod);
bool isReady(const Json& pod);  ///< condition Ready=True and not being deleted
bool isRunningAndReady(const Json& pod);
/// status of condition `type` of a pod or node: "True", "False", "Unknown", or "".
std::string conditionOf(const Json& object, const std::string& type);
std::string waitingReasonOf(const Json& pod);  ///< of the first container

}  // namespace vkb::e2e
