#include <algorithm>
#include <set>

#include "base/check.h"
#include "json/merge_patch.h"
#include "json/strategic_merge.h"
#include "json/time.h"
#include "support/fake_cluster_internal.h"
#include "support/pod_rules.h"

namespace vkb::test {
namespace {

bool hasStatusSubresource(const kube::Resource& resource) {
  static const std::set<std::string, std::less<>> kKinds{"pods",
                                                         "nodes",
                                                         "namespaces",
                                                         "persistentvolumeclaims",
                                                         "persistentvolumes",
                                                         "deployments",
                                                         "statefulsets",
                                                         "daemonsets",
                                                         "replicasets",
                                                         "jobs",
                                                         "services",
                                                         "resourcequotas",
                                                         "poddisruptionbudgets",
                                                         "certificatesigningrequests"};
  return kKinds.contains(resource.plural);
}

void copyField(const Json& from, Json& to, const char* key) {
  if (from.contains(key)) {
    to[key] = from[key];
  } else {
    to.erase(key);
  }
}

// The same, without the copy where nothing differs.
void keepField(const Json& from, Json& to, const char* key) {
  if (json::at(from, key) != json::at(to, key)) copyField(from, to, key);
}

// ConfigMaps and Secrets: a Secret's type never changes; with `immutable` nothing of them does.
std::vector<StatusCause> immutableContent(const Json& before, const Json& after) {
  std::vector<StatusCause> causes;
  if (json::at(before, "type") != json::at(after, "type"))
    causes.push_back(immutable("type", json::str(after, "type")));
  if (!json::boolean(before, {"immutable"})) return causes;
  for (const char* field : {"immutable", "data", "binaryData"})
    if (json::at(before, field) != json::at(after, field))
      causes.push_back(
          {"FieldValueForbidden", field, "Forbidden: field is immutable when `immutable` is set"});
  return causes;
}

// Go's omitempty.
void dropEmpty(Json& metadata) {
  for (const char* key : {"labels", "annotations", "finalizers", "ownerReferences"})
    if (metadata.contains(key) && metadata[key].empty()) metadata.erase(key);
}

std::optional<Status> checkMicroTimes(const Json& lease) {
  for (const char* key : {"acquireTime", "renewTime"}) {
    const std::string text = json::str(lease, {"spec", key});
    const auto dot = text.find('.');
    if (text.empty() || (dot != std::string::npos && text.size() >= dot + 7)) continue;
    return badRequest(
        "Lease in version \"v1\" cannot be handled as a Lease: parsing time \"" + text +
        "\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"Z\" as \".000000\"");
  }
  return std::nullopt;
}

std::optional<Status> checkEvent(const kube::Resource& resource, const Json& event) {
  const std::string ns = json::str(event, {"metadata", "namespace"});
  const std::string about = json::str(event, {"involvedObject", "namespace"});
  if (about == ns || (about.empty() && ns == "default")) return std::nullopt;
  return invalidObject(resource, json::str(event, {"metadata", "name"}),
                       {{"FieldValueInvalid", "involvedObject.namespace",
                         "Invalid value: \"" + about + "\": does not match event.namespace"}});
}

// What every write of an object of this resource must satisfy.
std::optional<Status> checkKind(const kube::Resource& resource, const Json& object) {
  if (resource.plural == "leases") return checkMicroTimes(object);
  if (resource.plural == "events" && resource.group.empty()) return checkEvent(resource, object);
  return std::nullopt;
}

std::vector<StatusCause> checkMetadata(const Json& before, const Json& after) {
  if (!json::at(before, {"metadata", "deletionTimestamp"}).is_string()) return {};
  const Json& old = json::array(before, {"metadata", "finalizers"});
  for (const Json& finalizer : json::array(after, {"metadata", "finalizers"}))
    if (std::find(old.begin(), old.end(), finalizer) == old.end())
      return {{"FieldValueForbidden", "metadata.finalizers",
               "Forbidden: no new finalizers can be added if the object is being deleted"}};
  return {};
}

std::vector<StatusCause> checkUpdate(const kube::Resource& resource, const Json& before,
                                     Json& after, const std::string& subresource) {
  std::vector<StatusCause> problems = checkMetadata(before, after);
  std::vector<StatusCause> more;
  if (resource.plural == "pods" && subresource == "status") more = checkPodStatus(before, after);
  if (resource.plural == "pods" && subresource.empty()) more = checkPodUpdate(before, after);
  if (resource.plural == "nodes") {
    const std::string old = json::str(before, {"spec", "providerID"});
    if (!old.empty() && json::str(after, {"spec", "providerID"}) != old)
      more.push_back({"FieldValueForbidden", "spec.providerID",
                      "Forbidden: node updates may not change providerID except from \"\" to "
                      "valid"});
  }
  problems.insert(problems.end(), more.begin(), more.end());
  return problems;
}

// `old` with `patch` applied. Copies what is not patched once only: patches are what simulations
// spend their time on. A patch of the status subresource is cut down to what that may change.
Result<Json> applyPatch(const Json& old, kube::PatchType type, const Json& patch, bool to_status) {
  const auto allowed = [&](const std::string& key) {
    return !to_status || key == "metadata" || key == "status";
  };
  Json cut;
  const Json* effective = &patch;
  for (const auto& [key, value] : patch.items()) {
    if (allowed(key)) continue;
    cut = patch;
    for (const auto& [other, ignored] : patch.items())
      if (!allowed(other)) cut.erase(other);
    effective = &cut;
    break;
  }
  Json wanted = Json::object();
  for (const char* key : {"kind", "metadata"})
    if (old.contains(key)) wanted[key] = old[key];
  for (const auto& [key, value] : effective->items())
    if (old.contains(key)) wanted[key] = old[key];
  if (type == kube::PatchType::kMerge) {
    json::applyMergePatch(wanted, *effective);
  } else if (auto applied = json::applyStrategicMerge(wanted, *effective); !applied) {
    return failure(badRequest(applied.error().message));
  }
  for (const auto& [key, value] : old.items())
    if (!effective->contains(key)) wanted[key] = value;
  return wanted;
}

// The part of `wanted` that a write to this (sub)resource may change, on top of `old`.
Json allowedPart(const kube::Resource& resource, const std::string& subresource, const Json& old,
                 Json wanted) {
  if (subresource.empty() || subresource == "status") {
    const bool object_itself = subresource.empty();
    if (object_itself && hasStatusSubresource(resource)) keepField(old, wanted, "status");
    keepField(old, wanted, "kind");
    keepField(old, wanted, "apiVersion");
    Json metadata = old["metadata"];
    for (const char* key : {"labels", "annotations", "finalizers"})
      copyField(wanted["metadata"], metadata, key);
    if (object_itself) copyField(wanted["metadata"], metadata, "ownerReferences");
    wanted["metadata"] = std::move(metadata);
    return wanted;
  }
  Json out = old;
  if (subresource == "ephemeralcontainers") {
    copyField(wanted["spec"], out["spec"], "ephemeralContainers");
  } else if (subresource == "resize") {
    for (Json& container : out["spec"]["containers"]) {
      const Json* with = json::findBy(json::array(wanted, {"spec", "containers"}), "name",
                                      json::str(container, "name"));
      if (with != nullptr) copyField(*with, container, "resources");
    }
  }
  return out;
}

}  // namespace

std::optional<Status> FakeCluster::admitNamespace(const kube::Resource& resource,
                                                  const std::string& ns, const Json& object) const {
  if (!resource.namespaced) return std::nullopt;
  const VersionPtr found = find(kube::kNamespaces, "", ns);
  if (!found) return notFound(kube::kNamespaces, ns);
  if (!json::at(found->json(), {"metadata", "deletionTimestamp"}).is_string()) return std::nullopt;
  return namespaceTerminating(resource, ns, json::str(object, {"metadata", "name"}));
}

std::optional<Status> FakeCluster::prepareForCreate(const std::string& actor,
                                                    const kube::Resource& resource, Json& object) {
  const std::string name = json::str(object, {"metadata", "name"});
  std::vector<StatusCause> problems;
  if (resource.plural != "events" && !isSubdomain(name))
    problems.push_back({"FieldValueInvalid", "metadata.name",
                        "Invalid value: \"" + name +
                            "\": a lowercase RFC 1123 subdomain must consist of lower case "
                            "alphanumeric characters, '-' or '.', and must start and end with an "
                            "alphanumeric character"});
  if (resource.plural == "pods") {
    fillPodDefaults(object, options_.pod_defaults);
    const std::string account = json::str(object, {"spec", "serviceAccountName"});
    const std::string ns = json::str(object, {"metadata", "namespace"});
    constexpr kube::Resource kServiceAccounts{"", "v1", "serviceaccounts", true};
    if (options_.require_service_account && !find(kServiceAccounts, ns, account))
      return forbidden(resource, name,
                       "error looking up service account " + ns + "/" + account +
                           ": serviceaccount \"" + account + "\" not found");
    if (options_.token_volume) addTokenVolume(object, newUid().substr(0, 5));
    const auto more = checkNewPod(object);
    problems.insert(problems.end(), more.begin(), more.end());
  }
  if (resource.plural == "nodes" && options_.taint_new_nodes) {
    Json& taints = object["spec"]["taints"];
    if (!taints.is_array()) taints = Json::array();
    taints.push_back({{"key", "node.kubernetes.io/not-ready"}, {"effect", "NoSchedule"}});
  }
  if (resource.plural == "namespaces") {
    object["status"] = {{"phase", "Active"}};
    object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
    Json& spec = object["spec"];
    if (!spec.contains("finalizers")) spec["finalizers"] = {"kubernetes"};
  }
  if (admission)
    if (auto refused = admission(actor, resource, object)) return refused;
  if (!problems.empty()) return invalidObject(resource, name, problems);
  return checkKind(resource, object);
}

Result<Json> FakeCluster::create(const std::string& actor, const kube::Resource& resource,
                                 const std::string& ns, const Json& object, const std::string& name,
                                 const std::string& subresource) {
  if (!object.is_object()) return failure(badRequest("the object provided is unrecognized"));
  const std::string slash = subresource.empty() ? "" : "/" + subresource;
  const auto answerer = answerers.find(std::string(resource.plural) + slash);
  if (answerer != answerers.end()) return answerer->second(actor, object);
  if (!subresource.empty())
    return createSubresource({actor, "create", resource, ns, name, subresource}, object);

  Json value = object;
  const std::string kind = kindOf(resource);
  if (const std::string given = json::str(value, "kind"); !given.empty() && given != kind)
    return failure(badRequest(given + " in version \"v1\" cannot be handled as a " + kind));
  value["kind"] = kind;
  value["apiVersion"] = apiVersionOf(resource);
  Json& metadata = value["metadata"];
  if (!metadata.is_object()) metadata = Json::object();
  for (const char* key : {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp",
                          "deletionGracePeriodSeconds", "generation", "managedFields", "selfLink"})
    metadata.erase(key);
  if (resource.namespaced) {
    const std::string given = json::str(metadata, "namespace");
    if (ns.empty() || (!given.empty() && given != ns))
      return failure(badRequest(
          "the namespace of the provided object does not match the namespace sent on the request"));
    metadata["namespace"] = ns;
  } else {
    metadata.erase("namespace");
  }
  std::string final_name = json::str(metadata, "name");
  if (final_name.empty() && !json::str(metadata, "generateName").empty()) {
    final_name = json::str(metadata, "generateName") + newUid().substr(0, 5);
    metadata["name"] = final_name;
  }
  if (final_name.empty())
    return failure(invalidObject(resource, "",
                                 {{"FieldValueRequired", "metadata.name",
                                   "Required value: name or generateName is required"}}));
  if (auto refused = admitNamespace(resource, ns, value)) return failure(std::move(*refused));
  if (auto refused = prepareForCreate(actor, resource, value)) return failure(std::move(*refused));
  if (const VersionPtr* present = lookup(resource, ns, final_name))
    return failure(
        alreadyExists(resource, final_name,
                      json::at((*present)->json(), {"metadata", "deletionTimestamp"}).is_string()));
  value["metadata"]["uid"] = newUid();
  value["metadata"]["creationTimestamp"] = json::formatTime(clock_.wallNow());
  if (resource.plural == "pods") value["metadata"]["generation"] = 1;
  dropEmpty(value["metadata"]);
  const std::string place = resource.namespaced ? ns : "";
  return commit({actor, "create", resource, place, final_name, ""}, nullptr, std::move(value))
      ->json();
}

Result<Json> FakeCluster::replace(const Context& context, const VersionPtr& before, Json wanted) {
  const Json& old = before->json();
  const std::string rv = json::str(wanted, {"metadata", "resourceVersion"});
  if (!rv.empty() && rv != json::str(old, {"metadata", "resourceVersion"}))
    return failure(staleResourceVersion(context.resource, context.name));
  if (json::str(wanted, {"metadata", "name"}) != context.name)
    return failure(badRequest("the name of the object does not match the name on the URL (" +
                              context.name + ")"));
  Json value = allowedPart(context.resource, context.subresource, old, std::move(wanted));
  dropEmpty(value["metadata"]);
  const auto problems = checkUpdate(context.resource, old, value, context.subresource);
  if (!problems.empty()) return failure(invalidObject(context.resource, context.name, problems));
  if (auto refused = checkKind(context.resource, value)) return failure(std::move(*refused));
  if (value == old) return value;
  if (context.subresource != "status" && value["metadata"].contains("generation") &&
      json::at(value, "spec") != json::at(old, "spec"))
    value["metadata"]["generation"] = value["metadata"]["generation"].get<std::int64_t>() + 1;
  const bool unheld =
      json::at(old, {"metadata", "deletionTimestamp"}).is_string() &&
      json::array(value, {"metadata", "finalizers"}).empty() &&
      json::integer(old, {"metadata", "deletionGracePeriodSeconds"}).value_or(0) == 0;
  if (unheld && context.resource.plural != "namespaces") {
    // The last finalizer went: the server deletes instead of writing the update.
    commitRemoval(context, before);
    return value;
  }
  Json out = commit(context, before, std::move(value))->json();
  if (unheld) finishNamespace(context.name);
  return out;
}

Result<Json> FakeCluster::patch(const std::string& actor, const kube::Resource& resource,
                                const std::string& ns, const std::string& name,
                                kube::PatchType type, const Json& patch,
                                const std::string& subresource) {
  const std::string place = resource.namespaced ? ns : "";
  const VersionPtr before = find(resource, place, name);
  if (!before) return failure(notFound(resource, name));
  if (!patch.is_object()) return failure(badRequest("the patch is not an object"));
  auto wanted = applyPatch(before->json(), type, patch, subresource == "status");
  if (!wanted) return failure(std::move(wanted).error());
  const std::string uid = json::str(*wanted, {"metadata", "uid"});
  if (uid != before->uid())
    return failure(invalidObject(resource, name, {immutable("metadata.uid", uid)}));
  return replace({actor, "patch", resource, place, name, subresource}, before, std::move(*wanted));
}

Result<Json> FakeCluster::update(const std::string& actor, const kube::Resource& resource,
                                 const std::string& ns, const std::string& name,
                                 const Json& object) {
  const std::string place = resource.namespaced ? ns : "";
  const VersionPtr before = find(resource, place, name);
  if (!before) return failure(notFound(resource, name));
  const std::string uid = json::str(object, {"metadata", "uid"});
  if (!uid.empty() && uid != before->uid())
    return failure(storageConflict(resource, objectKey(place, name), name, uid, before->uid()));
  // A body that cannot be decoded is refused before its versions are looked at.
  if (auto refused = checkKind(resource, object)) return failure(std::move(*refused));
  if (resource.plural == "leases" && json::str(object, {"metadata", "resourceVersion"}).empty())
    return failure(invalidObject(resource, name,
                                 {{"FieldValueInvalid", "metadata.resourceVersion",
                                   "Invalid value: 0: must be specified for an update"}}));
  if (resource.plural == "configmaps" || resource.plural == "secrets") {
    const auto causes = immutableContent(before->json(), object);
    if (!causes.empty()) return failure(invalidObject(resource, name, causes));
  }
  return replace({actor, "update", resource, place, name, ""}, before, object);
}

Result<Json> FakeCluster::createSubresource(const Context& context, const Json& body) {
  if (context.resource.plural == "pods" && context.subresource == "eviction")
    return evict(context, body);
  if (context.resource.plural == "pods" && context.subresource == "binding")
    return bind(context, body);
  return failure(notFound(context.resource, context.name));
}

Result<Json> FakeCluster::bind(const Context& context, const Json& body) {
  const VersionPtr before = find(context.resource, context.ns, context.name);
  if (!before) return failure(notFound(context.resource, context.name));
  Json pod = before->json();
  const std::string node = json::str(pod, {"spec", "nodeName"});
  if (!node.empty()) return failure(staleResourceVersion(context.resource, context.name));
  pod["spec"]["nodeName"] = json::str(body, {"target", "name"});
  Json condition{{"type", "PodScheduled"},
                 {"status", "True"},
                 {"lastProbeTime", nullptr},
                 {"lastTransitionTime", json::formatTime(clock_.wallNow())}};
  Json& conditions = pod["status"]["conditions"];
  if (!conditions.is_array()) conditions = Json::array();
  std::erase_if(conditions.get_ref<Json::array_t&>(),
                [](const Json& present) { return json::str(present, "type") == "PodScheduled"; });
  conditions.push_back(std::move(condition));
  commit(context, before, std::move(pod));
  return Json{{"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Success"}, {"code", 201}};
}

}  // namespace vkb::test
