#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

/// Goes up only when a change of the home-side inputs' meaning must reach running delegates.
constexpr int kHashVersion = 1;

std::string textOf(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// The pod's own constraints chose the virtual node; those that choose in the target are counted by
/// themselves.
bool isConstraint(std::string_view field) {
  return field == "nodeSelector" || field == "tolerations";
}

/// What goes over of the spec, as the dump of an object that has only that: to copy the spec, the
/// largest part of a pod, would cost more than all the rest.
std::string specText(const Json& spec) {
  if (!spec.is_object()) return textOf(spec);
  std::string text = "{";
  const auto add = [&text](const std::string& field, const Json& value) {
    if (text.size() > 1) text += ',';
    text += textOf(field) + ':' + textOf(value);
  };
  for (const auto& [field, value] : spec.items()) {
    if (isDroppedSpecField(field) || isConstraint(field)) continue;
    if (field != "affinity" || !value.is_object()) {
      add(field, value);
      continue;
    }
    Json others = value;
    others.erase("nodeAffinity");
    if (!others.empty()) add(field, others);
  }
  return text + '}';
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
  Json inputs = {{"labels", forgedLabels(home_pod, false)},
                 {"annotations", forgedAnnotations(home_pod)},
                 {"rekey", rekey_labels}};
  const Json brought = broughtConstraints(home_pod, pods);
  for (const auto& [kind, value] : brought.items()) {
    if (!value.empty()) inputs["brought"][kind] = value;
  }
  std::string text = textOf(inputs);
  text.back() = ',';
  text += "\"spec\":" + specText(json::at(home_pod, {"spec"})) + '}';
  return std::to_string(kHashVersion) + ":" + hex(fnv1a(text), 16);
}

}  // namespace vkb::bridge
