#include "cli/explain_view.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bridge/explain.h"
#include "cli/printer_yaml.h"
#include "json/json.h"
#include "kube/yaml.h"

namespace vkb::cli {
namespace {

using bridge::Change;
using bridge::Difference;

std::string nameOf(const Json& pod) {
  return json::str(pod, {"metadata", "namespace"}) + "/" + json::str(pod, {"metadata", "name"});
}

std::string comments(const std::vector<std::string>& notes) {
  std::string text;
  for (const std::string& note : notes) text += "# note: " + note + "\n";
  return text;
}

std::string asYaml(const Json& home_pod, const Json& delegate, const std::string& cluster,
                   const std::vector<Change>& changes, const std::vector<std::string>& notes) {
  std::string text = "# " + nameOf(home_pod) + " as it runs in " + cluster +
                     "; what is different there, and why:\n";
  for (const Change& change : changes) text += "#   " + change.path + ": " + change.reason + "\n";
  return text + comments(notes) + toYaml(delegate);
}

std::string asJson(const Json& delegate, const std::vector<Change>& changes,
                   const std::vector<std::string>& notes) {
  Json list = Json::array();
  for (const Change& change : changes) {
    list.push_back({{"path", change.path}, {"reason", change.reason}});
  }
  const Json document = {{"delegate", delegate}, {"changes", std::move(list)}, {"notes", notes}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// The change that speaks of the difference most closely.
const Change* reasonFor(const Difference& difference, const std::vector<Change>& changes) {
  const Change* best = nullptr;
  for (const Change& change : changes) {
    if (!bridge::accountsFor(change, difference)) continue;
    if (best == nullptr || change.path.size() > best->path.size()) best = &change;
  }
  return best;
}

std::string asDiff(const Json& home_pod, const Json& delegate, const std::string& cluster,
                   const std::vector<Change>& changes, const std::vector<std::string>& notes) {
  std::string text = "--- " + nameOf(home_pod) + " at home\n+++ " + nameOf(delegate) + " in " +
                     cluster + "\n" + comments(notes);
  std::string reason;
  for (const Difference& difference : bridge::differences(home_pod, delegate)) {
    const Change* const change = reasonFor(difference, changes);
    if (change != nullptr && change->reason != reason) {
      reason = change->reason;
      text += "# " + reason + "\n";
    }
    const auto line = [&](char sign, const std::string& value) {
      if (!value.empty()) text += sign + difference.path + ": " + value + "\n";
    };
    line('-', difference.home);
    line('+', difference.delegate);
  }
  return text;
}

}  // namespace

std::optional<ExplainFormat> parseExplainFormat(std::string_view name) {
  if (name == "yaml") return ExplainFormat::kYaml;
  if (name == "json") return ExplainFormat::kJson;
  if (name == "diff") return ExplainFormat::kDiff;
  return std::nullopt;
}

Result<Json> readPod(std::string_view text, const std::string& file) {
  auto parsed = kube::parseYaml(text);
  if (!parsed) {
    return invalid(file + " cannot be read as YAML or JSON: " + parsed.error().message);
  }
  Json pod = std::move(*parsed);
  if (!pod.is_object()) return invalid(file + " holds no Kubernetes object");
  const std::string kind = json::str(pod, "kind");
  if (kind != "Pod" || json::str(pod, "apiVersion") != "v1") {
    const std::string what = kind.empty() ? "an object without kind"
                                          : "a " + kind + " of " + json::str(pod, "apiVersion");
    return invalid(file + " holds " + what + "; explain takes a Pod of v1");
  }
  if (json::array(pod, {"spec", "containers"}).empty()) {
    return invalid(file + " holds a Pod without spec.containers");
  }
  if (!json::at(pod, "metadata").is_object()) pod["metadata"] = Json::object();
  Json& metadata = pod["metadata"];
  const std::string generate = json::str(metadata, "generateName");
  if (json::str(metadata, "name").empty()) {
    if (generate.empty()) return invalid(file + " holds a Pod without a name");
    metadata["name"] = generate + "xxxxx";
  }
  if (json::str(metadata, "namespace").empty()) metadata["namespace"] = "default";
  if (json::str(metadata, "uid").empty()) metadata["uid"] = "00000000-0000-0000-0000-000000000000";
  return pod;
}

Json explained(Json home_pod) {
  if (!home_pod.is_object()) return home_pod;
  home_pod.erase("status");
  if (json::at(home_pod, "metadata").is_object()) home_pod["metadata"].erase("managedFields");
  return home_pod;
}

std::string renderExplanation(const Json& home_pod, const Json& delegate,
                              const std::string& cluster, const std::vector<Change>& changes,
                              const std::vector<std::string>& notes, ExplainFormat format) {
  switch (format) {
    case ExplainFormat::kYaml:
      return asYaml(home_pod, delegate, cluster, changes, notes);
    case ExplainFormat::kJson:
      return asJson(delegate, changes, notes);
    case ExplainFormat::kDiff:
      return asDiff(home_pod, delegate, cluster, changes, notes);
  }
  return "";
}

}  // namespace vkb::cli
