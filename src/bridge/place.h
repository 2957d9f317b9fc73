#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "state/pod_options.h"
#include "vkbridge/json.h"
#include "vkbridge/provider.h"

namespace vkb::bridge {

/// Kubernetes' limits: a namespace is a DNS label, a pod's name a DNS subdomain.
inline constexpr std::size_t kMaxNamespaceName = 63, kMaxPodName = 253;

/// `<as much of name as fits>-<8 hex of hashed>`, at most `limit` characters.
std::string hashedName(std::string_view name, std::string_view hashed, std::size_t limit);

/// The namespace of the target that pods of a home namespace go to.
std::string targetNamespace(const state::PodOptions& pods, const std::string& home_ns);

/// Where a home pod goes. Strategies `same` and `prefix` keep its name; `single`, where pods of
/// several namespaces meet, hashes namespace and name into it. `taken`: another home pod's delegate
/// is there; then the name is hashed, with another hash each time.
PodPlace choosePlace(const Json& home_pod, const state::PodOptions& pods = {},
                     const std::function<bool(const PodPlace& place)>& taken = {});

/// Does one of the globs match the whole text?
bool matchesAny(const std::vector<std::string>& globs, const std::string& text);

}  // namespace vkb::bridge
