#include "support/api_errors.h"

#include <map>
#include <nlohmann/json.hpp>

#include "kube/rest_client.h"

namespace vkb::test {
namespace {

Json details(const kube::Resource& resource, const std::string& name, const std::string& kind) {
  Json out{{"kind", kind}};
  if (!name.empty()) out["name"] = name;
  if (!resource.group.empty()) out["group"] = resource.group;
  return out;
}

Status error(int code, const std::string& reason, const std::string& message, Json why = Json(),
             std::optional<std::chrono::seconds> retry_after = std::nullopt) {
  Json body{{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", Json::object()},
            {"status", "Failure"}, {"message", message}, {"code", code}};
  if (!reason.empty()) body["reason"] = reason;
  if (!why.is_null()) body["details"] = std::move(why);
  if (retry_after) body["details"]["retryAfterSeconds"] = retry_after->count();
  return answer(code, body, retry_after);
}

std::string plural(const kube::Resource& resource) { return std::string(resource.plural); }

Status conflict(const kube::Resource& resource, const std::string& what, const std::string& name,
                const std::string& kind, const std::string& why) {
  return error(409, "Conflict",
               "Operation cannot be fulfilled on " + what + " \"" + name + "\": " + why,
               details(resource, name, kind));
}

}  // namespace

std::string qualified(const kube::Resource& resource) {
  if (resource.group.empty()) return plural(resource);
  return plural(resource) + "." + std::string(resource.group);
}

std::string kindOf(const kube::Resource& resource) {
  static const std::map<std::string, std::string, std::less<>> kKinds{
      {"pods", "Pod"},
      {"nodes", "Node"},
      {"namespaces", "Namespace"},
      {"events", "Event"},
      {"configmaps", "ConfigMap"},
      {"secrets", "Secret"},
      {"services", "Service"},
      {"serviceaccounts", "ServiceAccount"},
      {"persistentvolumeclaims", "PersistentVolumeClaim"},
      {"persistentvolumes", "PersistentVolume"},
      {"leases", "Lease"},
      {"deployments", "Deployment"},
      {"replicasets", "ReplicaSet"},
      {"statefulsets", "StatefulSet"},
      {"daemonsets", "DaemonSet"},
      {"jobs", "Job"},
      {"poddisruptionbudgets", "PodDisruptionBudget"},
      {"resourcequotas", "ResourceQuota"},
      {"runtimeclasses", "RuntimeClass"},
      {"priorityclasses", "PriorityClass"},
      {"certificatesigningrequests", "CertificateSigningRequest"},
      {"selfsubjectaccessreviews", "SelfSubjectAccessReview"},
      {"subjectaccessreviews", "SubjectAccessReview"},
      {"tokenreviews", "TokenReview"}};
  const auto it = kKinds.find(resource.plural);
  if (it != kKinds.end()) return it->second;
  std::string kind = plural(resource);
  if (kind.ends_with('s')) kind.pop_back();
  if (!kind.empty()) kind[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(kind[0])));
  return kind;
}

std::string apiVersionOf(const kube::Resource& resource) {
  const std::string version(resource.version);
  return resource.group.empty() ? version : std::string(resource.group) + "/" + version;
}

Status answer(int code, const Json& body, std::optional<std::chrono::seconds> retry_after) {
  return kube::statusFromAnswer(code, body.dump(), retry_after);
}

Status notFound(const kube::Resource& resource, const std::string& name) {
  return error(404, "NotFound", qualified(resource) + " \"" + name + "\" not found",
               details(resource, name, plural(resource)));
}

Status alreadyExists(const kube::Resource& resource, const std::string& name, bool being_deleted) {
  return error(409, "AlreadyExists",
               (being_deleted ? "object is being deleted: " : "") + qualified(resource) + " \"" +
                   name + "\" already exists",
               details(resource, name, plural(resource)));
}

Status staleResourceVersion(const kube::Resource& resource, const std::string& name) {
  return conflict(resource, qualified(resource), name, plural(resource),
                  "the object has been modified; please apply your changes to the latest version "
                  "and try again");
}

Status storageConflict(const kube::Resource& resource, const std::string& key,
                       const std::string& name, const std::string& given,
                       const std::string& stored) {
  return conflict(resource, qualified(resource), name, plural(resource),
                  "StorageError: invalid object, Code: 4, Key: /registry/" + plural(resource) +
                      "/" + key +
                      ", ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in "
                      "precondition: " +
                      given + ", UID in object meta: " + stored);
}

Status uidPreconditionFailed(const kube::Resource& resource, const std::string& name,
                             const std::string& given, const std::string& stored) {
  const std::string kind = kindOf(resource);
  return conflict(resource, kind, name, kind,
                  "the UID in the precondition (" + given + ") does not match the UID in record (" +
                      stored + "). The object might have been deleted and then recreated");
}

StatusCause immutable(const std::string& field, const std::string& value) {
  return {"FieldValueInvalid", field, "Invalid value: \"" + value + "\": field is immutable"};
}

Status invalidObject(const kube::Resource& resource, const std::string& name,
                     const std::vector<StatusCause>& causes) {
  const std::string kind = kindOf(resource);
  const bool single = causes.size() == 1;
  std::string text;
  Json list = Json::array();
  for (const StatusCause& cause : causes) {
    if (!text.empty()) text += ", ";
    text += cause.field + ": " + cause.message;
    list.push_back({{"reason", cause.reason}, {"message", cause.message}, {"field", cause.field}});
  }
  if (!single) text = "[" + text + "]";
  const std::string what = resource.group.empty() ? kind : kind + "." + std::string(resource.group);
  Json why = details(resource, name, kind);
  why["causes"] = std::move(list);
  return error(422, "Invalid", what + " \"" + name + "\" is invalid: " + text, std::move(why));
}

Status badRequest(const std::string& message) { return error(400, "BadRequest", message); }

Status forbidden(const kube::Resource& resource, const std::string& name, const std::string& why) {
  return error(403, "Forbidden", qualified(resource) + " \"" + name + "\" is forbidden: " + why,
               details(resource, name, plural(resource)));
}

Status unauthorizedFor(const kube::Resource& resource, const std::string& user,
                       const std::string& verb, const std::string& ns, const std::string& name) {
  const std::string where =
      ns.empty() ? " at the cluster scope" : " in the namespace \"" + ns + "\"";
  return error(403, "Forbidden",
               qualified(resource) + (name.empty() ? "" : " \"" + name + "\"") +
                   " is forbidden: User \"" + user + "\" cannot " + verb + " resource \"" +
                   plural(resource) + "\" in API group \"" + std::string(resource.group) + "\"" +
                   where,
               details(resource, name, plural(resource)));
}

Status namespaceTerminating(const kube::Resource& resource, const std::string& ns,
                            const std::string& name) {
  Json why = details(resource, name, plural(resource));
  why["causes"] = Json::array({{{"reason", "NamespaceTerminating"},
                                {"message", "namespace " + ns + " is being terminated"},
                                {"field", "metadata.namespace"}}});
  return error(403, "Forbidden",
               qualified(resource) + " \"" + name +
                   "\" is forbidden: unable to create new content in namespace " + ns +
                   " because it is being terminated",
               std::move(why));
}

Status expired(const std::string& message) { return error(410, "Expired", message); }

Status tooManyRequests(std::optional<std::chrono::seconds> retry_after) {
  return error(429, "TooManyRequests", "Too many requests, please try again later.", Json::object(),
               retry_after);
}

Status disruptionBudget(const std::string& budget) {
  return error(
      429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget.",
      {{"causes", Json::array({{{"reason", "DisruptionBudget"},
                                {"message", "The disruption budget " + budget +
                                                " needs 1 healthy pods and has 1 currently"}}})}});
}

Status internalError(const std::string& message) {
  return error(500, "InternalError", "Internal error occurred: " + message,
               {{"causes", Json::array({{{"message", message}}})}});
}

Status serverTimeout() {
  return error(504, "Timeout", "Timeout: request did not complete within the allotted timeout",
               Json::object());
}

Status unanswered() {
  return {.code = 0,
          .reason = reasons::kUnanswered,
          .message = "the connection broke before the server's answer was read",
          .retry = Retry::kFast};
}

Status unreachable() {
  return {.code = 0,
          .reason = reasons::kUnreachable,
          .message = "cannot connect to the API server: connection refused",
          .retry = Retry::kFast};
}

}  // namespace vkb::test
