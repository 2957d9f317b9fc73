#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

/// Annotations by which somebody acts on home's object and would misread its copy. A name that ends
/// in '/' or '.' stands for all that begin so.
constexpr std::array<std::string_view, 3> kSkipped{
    "vk-bridge.io/",                                     // ours alone
    "kubectl.kubernetes.io/last-applied-configuration",  // kubectl apply of the home object
    "kubernetes.io/config.",                             // kubelet: where a static pod came from
};

bool isSkipped(std::string_view key) {
  return std::any_of(kSkipped.begin(), kSkipped.end(), [&](std::string_view skipped) {
    const bool is_prefix = skipped.ends_with('/') || skipped.ends_with('.');
    return is_prefix ? key.starts_with(skipped) : key == skipped;
  });
}

}  // namespace

Json forgedAnnotations(const Json& home_pod) {
  Json annotations = Json::object();
  for (const auto& [key, value] : json::object(home_pod, {"metadata", "annotations"}).items()) {
    if (!isSkipped(key)) annotations[key] = value;
  }
  return annotations;
}

}  // namespace vkb::bridge
