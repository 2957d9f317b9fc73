#pragma once

#include <string>

#include "json/json.h"

namespace vkb::e2e {

// The names that users and other clusters rely on (design: "Contract of names and numbers"),
// spelled again on purpose and not taken from the product: a test must notice when one changes.
inline constexpr const char* kHomeClusterLabel = "vk-bridge.io/home-cluster";
inline constexpr const char* kHomeUidLabel = "vk-bridge.io/home-uid";
inline constexpr const char* kNodeLabel = "vk-bridge.io/node";
inline constexpr const char* kHomePodAnnotation = "vk-bridge.io/home-pod";
inline constexpr const char* kDelegateAnnotation = "vk-bridge.io/delegate";
inline constexpr const char* kClusterLabel = "vk-bridge.io/cluster";
inline constexpr const char* kTaintKey = "virtual-kubelet.io/provider";
inline constexpr const char* kHostnameLabel = "kubernetes.io/hostname";
/// What tests put on namespaces they make, in either cluster.
inline constexpr const char* kTestLabel = "e2e.vk-bridge.io/test";

inline std::string label(const Json& object, const char* key) {
  return json::str(object, {"metadata", "labels", key});
}
inline std::string annotation(const Json& object, const char* key) {
  return json::str(object, {"metadata", "annotations", key});
}
inline std::string uidOf(const Json& object) { return json::str(object, {"metadata", "uid"}); }
inline std::string nameOf(const Json& object) { return json::str(object, {"metadata", "name"}); }

}  // namespace vkb::e2e
