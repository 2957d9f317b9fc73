#pragma once

#include <string>
#include <vector>

#include "json/object.h"

namespace vkb::kubelet {

/// v1.PodList of a node's pods, as bytes: objects are not parsed.
std::string podList(const std::vector<json::ObjectPtr>& pods);
/// Those that run, and of each only what a container runtime would know: name, namespace, UID,
/// containers with their images.
std::string runningPodList(const std::vector<json::ObjectPtr>& pods);

}  // namespace vkb::kubelet
