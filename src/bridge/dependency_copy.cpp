#include "bridge/dependency_copy.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "bridge/forge_parts.h"
#include "bridge/names.h"
#include "bridge/service_accounts.h"
#include "json/json.h"
#include "json/time.h"

namespace vkb::bridge {
namespace {

/// What controllers put into every namespace: Kubernetes, OpenShift, Istio.
constexpr std::array<std::string_view, 3> kInEveryNamespace{
    "kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"};
constexpr const char* kOpaque = "Opaque";
constexpr std::size_t kMaxName = 253;
constexpr int kHashDigits = 8;

std::string typeOf(const Json& object) {
  const std::string type = json::str(object, "type");
  return type.empty() ? kOpaque : type;
}

bool isOfAnotherType(const Json& copy, const Json& wanted) {
  return wanted.contains("type") && typeOf(copy) != typeOf(wanted);
}

Json marked(const state::DependencyKey& key, const std::string& home_object,
            const DependencyMarks& marks) {
  const bool secret = key.kind == DependencyKind::kSecret;
  return {{"apiVersion", "v1"},
          {"kind", secret ? "Secret" : "ConfigMap"},
          {"metadata",
           {{"name", key.name},
            {"namespace", key.ns},
            {"labels", {{kLabelHomeCluster, marks.home_id}, {kLabelNode, marks.node}}},
            {"annotations", {{kAnnotationHomeObject, home_object}}}}}};
}

}  // namespace

kube::Resource resourceOf(DependencyKind kind) {
  return kind == DependencyKind::kConfigMap ? kube::kConfigMaps : kube::kSecrets;
}

std::string copyName(const DependencyMarks& marks, const state::PodOptions& options,
                     const std::string& home_ns, const std::string& name) {
  const bool meet = options.namespace_strategy == state::NamespaceStrategy::kSingle;
  const bool everywhere = std::find(kInEveryNamespace.begin(), kInEveryNamespace.end(), name) !=
                          kInEveryNamespace.end();
  return meet || everywhere ? ownName(marks, home_ns, name) : name;
}

std::string ownName(const DependencyMarks& marks, const std::string& home_ns,
                    const std::string& name) {
  std::string cut = name.substr(0, kMaxName - kHashDigits - 1);
  while (!cut.empty() && (cut.back() == '-' || cut.back() == '.')) cut.pop_back();
  const std::string whole = marks.home_id + "/" + marks.node + "/" + home_ns + "/" + name;
  return cut + "-" + hex(fnv1a(whole), kHashDigits);
}

DependencyNames expectedNames(const DependencyMarks& marks, const Json& home_pod,
                              const state::PodOptions& options, const PodPlace& place) {
  const std::string ns = json::str(home_pod, {"metadata", "namespace"});
  const std::string tokens = podTokens(home_pod, options, place).secret;
  Json spec = json::object(home_pod, {"spec"});
  forgeServiceAccount(spec, home_pod, options, place);
  DependencyNames names;
  for (const Reference& reference : references(spec)) {
    if (reference.kind == DependencyKind::kSecret && reference.name == tokens) continue;
    names[{reference.kind, reference.name}] = copyName(marks, options, ns, reference.name);
  }
  return names;
}

bool isLegacyToken(const Json& object) {
  return json::str(object, "type") == "kubernetes.io/service-account-token";
}

Json copyOf(const Json& home_object, const state::DependencyKey& key,
            const DependencyMarks& marks) {
  const std::string home_name = json::str(home_object, {"metadata", "namespace"}) + "/" +
                                json::str(home_object, {"metadata", "name"});
  Json copy = marked(key, home_name, marks);
  for (const char* field : {"data", "binaryData"}) {
    const Json& content = json::object(home_object, {field});
    if (!content.empty()) copy[field] = content;
  }
  if (key.kind == DependencyKind::kSecret) copy["type"] = typeOf(home_object);
  return copy;
}

Json tokenSecret(const state::DependencyKey& key, const std::string& home_pod,
                 const std::string& tokens, const Json& values, WallTime refresh_at,
                 const DependencyMarks& marks) {
  Json secret = marked(key, home_pod, marks);
  secret["metadata"]["annotations"][kAnnotationTokens] = tokens;
  secret["metadata"]["annotations"][kAnnotationRefreshAt] = json::formatTime(refresh_at);
  secret["type"] = kOpaque;
  secret["data"] = values;
  return secret;
}

bool isMarked(const Json& object, const DependencyMarks& marks) {
  const Json& labels = json::object(object, {"metadata", "labels"});
  return json::str(labels, kLabelHomeCluster) == marks.home_id &&
         json::str(labels, kLabelNode) == marks.node;
}

bool isInStep(const Json& copy, const Json& wanted) {
  for (const char* field : {"data", "binaryData"}) {
    if (json::object(copy, {field}) != json::object(wanted, {field})) return false;
  }
  for (const char* field : {"labels", "annotations"}) {
    const Json& there = json::object(copy, {"metadata", field});
    for (const auto& [key, value] : json::object(wanted, {"metadata", field}).items()) {
      if (json::at(there, key) != value) return false;
    }
  }
  return !isOfAnotherType(copy, wanted);
}

bool mustBeMadeAnew(const Json& copy, const Json& wanted) {
  return json::boolean(copy, {"immutable"}) || isOfAnotherType(copy, wanted);
}

Json broughtUp(const Json& copy, const Json& wanted) {
  Json object = copy;
  for (const char* field : {"data", "binaryData"}) object.erase(field);
  for (const char* field : {"data", "binaryData"}) {
    if (wanted.contains(field)) object[field] = wanted[field];
  }
  for (const char* field : {"labels", "annotations"}) {
    Json& pairs = object["metadata"][field];
    if (!pairs.is_object()) pairs = Json::object();
    pairs.update(wanted["metadata"][field]);
  }
  return object;
}

state::DependencyRecord recordFromMarks(DependencyKind kind, const Json& copy) {
  const Json& metadata = json::object(copy, {"metadata"});
  const Json& annotations = json::object(metadata, {"annotations"});
  const std::string home = json::str(annotations, kAnnotationHomeObject);
  const auto slash = home.find('/');
  state::DependencyRecord record{
      .key = {kind, json::str(metadata, "namespace"), json::str(metadata, "name")},
      .home_ns = home.substr(0, slash),
      .home_name = slash == std::string::npos ? "" : home.substr(slash + 1),
      .uid = json::str(metadata, "uid"),
      .tokens = json::str(annotations, kAnnotationTokens)};
  return record;
}

}  // namespace vkb::bridge
