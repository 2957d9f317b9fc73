#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "json/json.h"

namespace vkb::bridge {

Json forgedAnnotations(const Json& home_pod, const Reasons& why) {
  Json annotations = Json::object();
  for (const auto& [key, value] : json::object(home_pod, {"metadata", "annotations"}).items()) {
    if (const char* reason = whyKeyStays(key)) {
      why.add({"metadata.annotations[", key, "]"}, reason);
    } else {
      annotations[key] = value;
    }
  }
  return annotations;
}

}  // namespace vkb::bridge
