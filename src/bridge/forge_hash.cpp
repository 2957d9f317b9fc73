#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"

namespace vkb::bridge {
namespace {

/// Goes up only when a change of the home-side inputs' meaning must reach running delegates.
constexpr int kHashVersion = 1;

/// They chose the virtual node; those that choose in the target are counted by themselves.
void dropConstraints(Json& spec) {
  if (!spec.is_object()) return;
  spec.erase("nodeSelector");
  spec.erase("tolerations");
  const auto affinity = spec.find("affinity");
  if (affinity == spec.end() || !affinity->is_object()) return;
  affinity->erase("nodeAffinity");
  if (affinity->empty()) spec.erase(affinity);
}

}  // namespace

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  return hash;
}

std::string hex(std::uint64_t value, int digits) {
  std::string text(static_cast<std::size_t>(digits), '0');
  for (auto it = text.rbegin(); it != text.rend(); ++it, value >>= 4) {
    *it = "0123456789abcdef"[value & 0xf];
  }
  return text;
}

std::string inputsHash(const Json& home_pod, bool rekey_labels, const state::PodOptions& pods) {
  // The home side, not the delegate made from it: a release that forges differently must not
  // patch every running pod. Keys of a DOM are sorted, so the dump is canonical.
  Json spec = home_pod.is_object() && home_pod.contains("spec") ? home_pod["spec"] : Json();
  dropSpecFields(spec);
  dropConstraints(spec);
  Json inputs = {{"labels", forgedLabels(home_pod, false)},
                 {"annotations", forgedAnnotations(home_pod)},
                 {"spec", std::move(spec)},
                 {"rekey", rekey_labels}};
  const Json brought = broughtConstraints(home_pod, pods);
  for (const auto& [kind, value] : brought.items()) {
    if (!value.empty()) inputs["brought"][kind] = value;
  }
  const std::string text = inputs.dump(-1, ' ', false, Json::error_handler_t::replace);
  return std::to_string(kHashVersion) + ":" + hex(fnv1a(text), 16);
}

}  // namespace vkb::bridge
