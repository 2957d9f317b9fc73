#include "bridge/place.h"

#include <fnmatch.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

using state::NamespaceStrategy;

constexpr std::size_t kHashDigits = 8;
/// Eight hex digits meet by chance about once in four thousand million; more tries than this are
/// not chance.
constexpr int kMaxTries = 4;

bool hashesNames(const state::PodOptions& pods) {
  return pods.namespace_strategy == NamespaceStrategy::kSingle;
}

}  // namespace

std::string hashedName(std::string_view name, std::string_view hashed, std::size_t limit) {
  std::string cut(name.substr(0, limit - kHashDigits - 1));
  while (!cut.empty() && (cut.back() == '-' || cut.back() == '.')) cut.pop_back();
  return cut + "-" + hex(fnv1a(hashed), static_cast<int>(kHashDigits));
}

std::string targetNamespace(const state::PodOptions& pods, const std::string& home_ns) {
  switch (pods.namespace_strategy) {
    case NamespaceStrategy::kSame:
      return home_ns;
    case NamespaceStrategy::kSingle:
      return pods.namespace_text;
    case NamespaceStrategy::kPrefix:
      break;
  }
  std::string name = pods.namespace_text + "-" + home_ns;
  return name.size() <= kMaxNamespaceName ? name : hashedName(name, name, kMaxNamespaceName);
}

PodPlace choosePlace(const Json& home_pod, const state::PodOptions& pods,
                     const std::function<bool(const PodPlace& place)>& taken) {
  const std::string home_ns = json::str(home_pod, {"metadata", "namespace"});
  const std::string name = json::str(home_pod, {"metadata", "name"});
  const std::string whole = home_ns + "/" + name;
  PodPlace place{targetNamespace(pods, home_ns), name};
  if (hashesNames(pods)) {
    place.name = hashedName(name, whole, kMaxPodName);
  } else if (name.size() > kMaxPodName) {
    place.name = hashedName(name, name, kMaxPodName);
  }
  for (int tries = 1; taken && tries <= kMaxTries && taken(place); ++tries) {
    place.name = hashedName(name, whole + "#" + std::to_string(tries), kMaxPodName);
  }
  return place;
}

bool matchesAny(const std::vector<std::string>& globs, const std::string& text) {
  return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) {
    return fnmatch(glob.c_str(), text.c_str(), 0) == 0;
  });
}

}  // namespace vkb::bridge
