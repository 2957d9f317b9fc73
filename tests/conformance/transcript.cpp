#include "transcript.h"

#include <algorithm>

#include "json/json.h"

namespace vkb::test {
namespace {

/// "a=b,c=d", "-" when there are none.
std::string pairs(const Json& map) {
  std::string out;
  for (const auto& [key, value] : map.items()) {
    out += (out.empty() ? "" : ",") + key + "=" +
           (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return out.empty() ? "-" : out;
}

std::string conditions(const Json& object) {
  std::vector<std::string> all;
  for (const Json& condition : json::array(object, {"status", "conditions"})) {
    const std::string type = json::str(condition, "type");
    if (type != "DisruptionTarget") all.push_back(type + "=" + json::str(condition, "status"));
  }
  std::sort(all.begin(), all.end());
  std::string out;
  for (const std::string& one : all) out += (out.empty() ? "" : ",") + one;
  return out;
}

}  // namespace

std::string Transcript::show(const Status& status) {
  std::vector<std::string> causes;
  for (const StatusCause& cause : status.causes) causes.push_back(cause.reason + " " + cause.field);
  // Some servers say the same twice.
  std::sort(causes.begin(), causes.end());
  causes.erase(std::unique(causes.begin(), causes.end()), causes.end());
  std::string out = std::to_string(status.code) + " " + status.reason;
  for (const std::string& cause : causes) out += " [" + cause + "]";
  out += status.retry == Retry::kFast ? " fast" : status.retry == Retry::kSlow ? " slow" : " never";
  return out;
}

std::string Transcript::show(const Json& object) {
  const std::string kind = json::str(object, "kind");
  if (kind == "Status") return "Status " + json::str(object, "status");
  std::string name = json::str(object, {"metadata", "name"});
  const std::string prefix = json::str(object, {"metadata", "generateName"});
  if (!prefix.empty() && name.starts_with(prefix) && name.size() > prefix.size())
    name = prefix + "<random>";
  std::string out =
      kind + " " + name + " labels " + pairs(json::object(object, {"metadata", "labels"}));
  const auto add = [&out](const std::string& what, const std::string& value) {
    if (!value.empty() && value != "-") out += " " + what + " " + value;
  };
  add("annotations", pairs(json::object(object, {"metadata", "annotations"})));
  for (const Json& finalizer : json::array(object, {"metadata", "finalizers"})) {
    add("finalizer", finalizer.get<std::string>());
  }
  if (json::at(object, {"metadata", "deletionTimestamp"}).is_string()) {
    const auto grace = json::integer(object, {"metadata", "deletionGracePeriodSeconds"});
    out += " deleting" + (grace ? " in " + std::to_string(*grace) + " s" : "");
  }
  for (const Json& container : json::array(object, {"spec", "containers"})) {
    add("container", json::str(container, "name") + "=" + json::str(container, "image"));
  }
  add("node", json::str(object, {"spec", "nodeName"}));
  add("holder", json::str(object, {"spec", "holderIdentity"}));
  add("phase", json::str(object, {"status", "phase"}));
  add("conditions", conditions(object));
  add("data", pairs(json::object(object, {"data"})));
  return out;
}

void Transcript::say(const std::string& what, const Result<json::RawList>& result) {
  if (!result) return say(what, show(result.error()));
  std::string names;
  for (const auto& item : result->items) names += (names.empty() ? "" : " ") + item->name;
  say(what, "[" + names + "]" + (result->continue_token.empty() ? "" : " and more"));
}

void Transcript::say(const std::string& what, const std::vector<json::RawEvent>& events) {
  text_ += what + ":\n";
  for (const json::RawEvent& event : events) {
    // How many bookmarks come, and whether one does before a short watch ends, is the server's
    // timer.
    if (event.type == "BOOKMARK") continue;
    text_ += "  " + event.type + " " + show(event.object->parse()) + "\n";
  }
}

}  // namespace vkb::test
