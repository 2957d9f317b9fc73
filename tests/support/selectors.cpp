#include "support/selectors.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "json/json.h"
#include "support/api_errors.h"

namespace vkb::test {
namespace {

std::string trim(const std::string& text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Splits at commas outside parentheses.
std::vector<std::string> splitTop(const std::string& text) {
  std::vector<std::string> parts;
  std::string part;
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (c == ',' && depth == 0) {
      parts.push_back(trim(part));
      part.clear();
    } else {
      part += c;
    }
  }
  if (!trim(part).empty() || !parts.empty()) parts.push_back(trim(part));
  return parts;
}

const std::set<std::string>& selectableFields(const kube::Resource& resource) {
  static const std::map<std::string, std::set<std::string>, std::less<>> kFields{
      {"pods",
       {"metadata.name", "metadata.namespace", "spec.nodeName", "spec.restartPolicy",
        "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork", "status.phase",
        "status.podIP", "status.nominatedNodeName"}},
      {"nodes", {"metadata.name", "spec.unschedulable"}},
      {"namespaces", {"metadata.name", "status.phase"}},
      {"secrets", {"metadata.name", "metadata.namespace", "type"}},
      {"events",
       {"metadata.name", "metadata.namespace", "involvedObject.kind", "involvedObject.namespace",
        "involvedObject.name", "involvedObject.uid", "involvedObject.apiVersion",
        "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type"}}};
  static const std::set<std::string> kOthers{"metadata.name", "metadata.namespace"};
  const auto it = kFields.find(resource.plural);
  return it == kFields.end() ? kOthers : it->second;
}

std::string textAt(const Json& object, const std::vector<std::string>& path) {
  const Json* value = &object;
  for (const std::string& key : path) value = &json::at(*value, key);
  if (value->is_string()) return value->get<std::string>();
  if (value->is_boolean()) return value->get<bool>() ? "true" : "false";
  return "";
}

std::vector<std::string> splitPath(const std::string& path) {
  std::vector<std::string> keys;
  std::size_t start = 0;
  for (std::size_t dot; (dot = path.find('.', start)) != std::string::npos; start = dot + 1)
    keys.push_back(path.substr(start, dot - start));
  keys.push_back(path.substr(start));
  return keys;
}

}  // namespace

Result<LabelSelector::Requirement> LabelSelector::parseOne(const std::string& text) {
  const auto bad = [&] {
    return failure(badRequest("unable to parse requirement: found '" + text +
                              "', expected: in, notin, =, ==, !=, gt, lt"));
  };
  Requirement out;
  if (text.ends_with(')')) {
    const auto open = text.find('(');
    if (open == std::string::npos) return bad();
    const std::string head = trim(text.substr(0, open));
    const auto space = head.find_last_of(' ');
    if (space == std::string::npos) return bad();
    const std::string op = head.substr(space + 1);
    if (op != "in" && op != "notin") return bad();
    out.op = op == "in" ? Op::kIn : Op::kNotIn;
    out.key = trim(head.substr(0, space));
    out.values = splitTop(text.substr(open + 1, text.size() - open - 2));
  } else if (const auto not_equal = text.find("!="); not_equal != std::string::npos) {
    out = {trim(text.substr(0, not_equal)), Op::kNotIn, {trim(text.substr(not_equal + 2))}};
  } else if (const auto equal = text.find('='); equal != std::string::npos) {
    const std::size_t width = text.compare(equal, 2, "==") == 0 ? 2 : 1;
    out = {trim(text.substr(0, equal)), Op::kIn, {trim(text.substr(equal + width))}};
  } else if (text.starts_with('!')) {
    out = {trim(text.substr(1)), Op::kNotExists, {}};
  } else {
    out = {text, Op::kExists, {}};
  }
  if (out.key.empty() || out.key.find_first_of(" !=()") != std::string::npos) return bad();
  return out;
}

Result<LabelSelector> LabelSelector::parse(const std::string& text) {
  LabelSelector out;
  for (const std::string& part : splitTop(text)) {
    auto one = parseOne(part);
    if (!one) return failure(std::move(one).error());
    out.requirements_.push_back(std::move(*one));
  }
  return out;
}

bool LabelSelector::matches(const Json& labels) const {
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& r) {
    const Json& value = json::at(labels, r.key);
    const bool exists = value.is_string();
    if (r.op == Op::kExists) return exists;
    if (r.op == Op::kNotExists) return !exists;
    const bool among =
        exists && std::any_of(r.values.begin(), r.values.end(), [&](const std::string& wanted) {
          return value.get_ref<const std::string&>() == wanted;
        });
    return r.op == Op::kIn ? among : !among;
  });
}

Result<FieldSelector> FieldSelector::parse(const kube::Resource& resource,
                                           const std::string& text) {
  FieldSelector out;
  for (const std::string& part : splitTop(text)) {
    const auto equal = part.find('=');
    if (equal == std::string::npos || equal == 0)
      return failure(badRequest("invalid field selector: '" + part + "': can't understand it"));
    const bool negated = part[equal - 1] == '!';
    const bool twice = part.compare(equal, 2, "==") == 0;
    const std::string path = trim(part.substr(0, negated ? equal - 1 : equal));
    if (!selectableFields(resource).contains(path))
      return failure(badRequest("field label not supported: " + path));
    out.requirements_.push_back(
        {splitPath(path), trim(part.substr(equal + (twice ? 2 : 1))), !negated});
  }
  return out;
}

bool FieldSelector::matches(const Json& object) const {
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& r) {
    return (textAt(object, r.path) == r.value) == r.equal;
  });
}

Result<Selection> Selection::parse(const kube::Resource& resource, const std::string& ns,
                                   const std::string& label_selector,
                                   const std::string& field_selector) {
  auto labels = LabelSelector::parse(label_selector);
  if (!labels) return failure(std::move(labels).error());
  auto fields = FieldSelector::parse(resource, field_selector);
  if (!fields) return failure(std::move(fields).error());
  return Selection{ns, std::move(*labels), std::move(*fields)};
}

bool Selection::matches(const Json& object) const {
  if (!ns.empty() && json::str(object, {"metadata", "namespace"}) != ns) return false;
  return (labels.empty() || labels.matches(json::at(object, {"metadata", "labels"}))) &&
         (fields.empty() || fields.matches(object));
}

}  // namespace vkb::test
