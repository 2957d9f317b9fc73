#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "kube/client.h"
#include "vkbridge/status.h"

namespace vkb::test {

/// Failures with the bodies that real API servers send, turned into a Status by the product's own
/// kube::statusFromAnswer. Wording follows the recordings of 1.36.

/// "pods", "leases.coordination.k8s.io": how messages name a resource.
std::string qualified(const kube::Resource& resource);
/// "Pod", "Lease": how messages and objects name it.
std::string kindOf(const kube::Resource& resource);
/// "v1", "coordination.k8s.io/v1".
std::string apiVersionOf(const kube::Resource& resource);

Status notFound(const kube::Resource& resource, const std::string& name);
Status alreadyExists(const kube::Resource& resource, const std::string& name, bool being_deleted);
/// 409: the object has been modified.
Status staleResourceVersion(const kube::Resource& resource, const std::string& name);
/// 409 of a PUT: the storage holds another UID.
Status storageConflict(const kube::Resource& resource, const std::string& key,
                       const std::string& name, const std::string& given,
                       const std::string& stored);
/// 409 of a DELETE precondition.
Status uidPreconditionFailed(const kube::Resource& resource, const std::string& name,
                             const std::string& given, const std::string& stored);
/// 422 with one cause for each problem.
Status invalidObject(const kube::Resource& resource, const std::string& name,
                     const std::vector<StatusCause>& causes);
/// "Invalid value: …: field is immutable".
StatusCause immutable(const std::string& field, const std::string& value);
Status badRequest(const std::string& message);
/// 403 by admission: `pods "x" is forbidden: <why>`.
Status forbidden(const kube::Resource& resource, const std::string& name, const std::string& why);
/// 403 by authorization.
Status unauthorizedFor(const kube::Resource& resource, const std::string& user,
                       const std::string& verb, const std::string& ns, const std::string& name);
Status namespaceTerminating(const kube::Resource& resource, const std::string& ns,
                            const std::string& name);
/// 410 Expired.
Status expired(const std::string& message);
/// 429, from flow control.
Status tooManyRequests(std::optional<std::chrono::seconds> retry_after = std::nullopt);
/// 429 of a disruption budget.
Status disruptionBudget(const std::string& budget = "pdb");
Status internalError(const std::string& message = "etcdserver: request timed out");
Status serverTimeout();
/// Any body.
Status answer(int code, const Json& body,
              std::optional<std::chrono::seconds> retry_after = std::nullopt);

/// No answer was read: sent, effect unknown.
Status unanswered();
/// No connection: not sent.
Status unreachable();

}  // namespace vkb::test
