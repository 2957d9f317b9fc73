#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bridge/forge_reasons.h"
#include "vkbridge/json.h"
#include "vkbridge/status.h"

namespace vkb::cli {

enum class ExplainFormat { kYaml, kJson, kDiff };
std::optional<ExplainFormat> parseExplainFormat(std::string_view name);

/// The one Pod that a file holds, YAML or JSON, as an API server would take it (namespace `default`
/// where none is given). Else the sentence that says what is wrong, naming the file.
Result<Json> readPod(std::string_view text, const std::string& file);

/// A home pod without what only describes the object at home: status and managedFields.
Json explained(Json home_pod);

/// What `vk-bridge explain -o FORMAT` prints; pure. `notes`: sentences about what could not be
/// known.
/// - yaml: the delegate, after comments with the notes and "path: reason" of each change;
/// - json: {"delegate", "changes": [{"path", "reason"}], "notes"};
/// - diff: every value that differs, under its reason.
std::string renderExplanation(const Json& home_pod, const Json& delegate,
                              const std::string& cluster,
                              const std::vector<bridge::Change>& changes,
                              const std::vector<std::string>& notes, ExplainFormat format);

}  // namespace vkb::cli
