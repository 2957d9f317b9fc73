#include <nlohmann/json.hpp>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

bool hasRun(const Json& status) {
  return json::integer(status, {"restartCount"}).value_or(0) > 0 ||
         !json::str(status, "containerID").empty() ||
         !json::at(status, {"state", "running"}).is_null() ||
         !json::at(status, {"state", "terminated"}).is_null();
}

}  // namespace

std::map<std::string, std::int64_t> restartsAtHome(const Json& home_pod) {
  std::map<std::string, std::int64_t> result;
  // Ephemeral containers are never restarted, and init containers that ended are run again.
  for (const char* list : {"containerStatuses", "initContainerStatuses"}) {
    for (const Json& status : json::array(home_pod, {"status", list})) {
      const std::string name = json::str(status, "name");
      if (name.empty() || !hasRun(status)) continue;
      result[name] = json::integer(status, {"restartCount"}).value_or(0) + 1;
    }
  }
  return result;
}

std::int64_t restartsBefore(const Json& delegate, const std::string& container) {
  const std::string text =
      json::str(delegate, {"metadata", "annotations", kAnnotationRestartsBefore});
  if (text.empty()) return 0;  // nearly all delegates
  const auto counts = json::parse(text);
  const auto before = counts ? json::integer(*counts, {container}) : std::nullopt;
  // Anybody in the target may write it; the API takes 32 bits.
  return before && *before > 0 && *before < 1'000'000 ? *before : 0;
}

}  // namespace vkb::bridge
