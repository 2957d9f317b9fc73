#include <algorithm>
#include <set>

#include "json/time.h"
#include "support/fake_cluster_internal.h"

namespace vkb::test {
namespace {

bool isDeleting(const Json& object) {
  return json::at(object, {"metadata", "deletionTimestamp"}).is_string();
}

std::int64_t firstGrace(const Json& pod, const kube::DeleteOptions& options) {
  const std::string phase = json::str(pod, {"status", "phase"});
  if (json::str(pod, {"spec", "nodeName"}).empty() || phase == "Failed" || phase == "Succeeded")
    return 0;
  const std::int64_t period = options.grace_period_seconds.value_or(
      json::integer(pod, {"spec", "terminationGracePeriodSeconds"}).value_or(0));
  return period < 0 ? 1 : period;
}

// Sets the marks of a graceful deletion; returns the grace period, or nothing when one is pending
// already that this request does not shorten.
std::optional<std::int64_t> markPod(Json& pod, const kube::DeleteOptions& options, WallTime now) {
  Json& metadata = pod["metadata"];
  std::int64_t period = 0;
  WallTime at{};
  if (isDeleting(pod)) {
    const std::int64_t pending =
        json::integer(metadata, {"deletionGracePeriodSeconds"}).value_or(0);
    if (options.grace_period_seconds.value_or(pending) >= pending) return std::nullopt;
    period = *options.grace_period_seconds;
    at = json::parseTime(json::str(metadata, "deletionTimestamp")).value_or(now) -
         std::chrono::seconds(pending - period);
  } else {
    period = firstGrace(pod, options);
    at = now + std::chrono::seconds(period);
    if (metadata.contains("generation"))
      metadata["generation"] = metadata["generation"].get<std::int64_t>() + 1;
  }
  metadata["deletionTimestamp"] = json::formatTime(at);
  metadata["deletionGracePeriodSeconds"] = period;
  return period;
}

bool hasFinalizers(const Json& object) {
  return !json::array(object, {"metadata", "finalizers"}).empty();
}

}  // namespace

Result<void> FakeCluster::remove(const std::string& actor, const kube::Resource& resource,
                                 const std::string& ns, const std::string& name,
                                 const kube::DeleteOptions& options) {
  const std::string place = resource.namespaced ? ns : "";
  return removeObject({actor, "delete", resource, place, name, ""}, options);
}

Result<void> FakeCluster::removeObject(const Context& context, const kube::DeleteOptions& options) {
  const VersionPtr before = find(context.resource, context.ns, context.name);
  if (!before) return failure(notFound(context.resource, context.name));
  if (!options.uid.empty() && options.uid != before->uid())
    return failure(
        uidPreconditionFailed(context.resource, context.name, options.uid, before->uid()));
  Json value = before->json();
  if (context.resource.plural == "namespaces") {
    static const std::set<std::string> kKept{"default", "kube-system", "kube-public"};
    if (kKept.contains(context.name))
      return failure(
          forbidden(context.resource, context.name, "this namespace may not be deleted"));
    if (isDeleting(value)) return {};
    value["metadata"]["deletionTimestamp"] = json::formatTime(clock_.wallNow());
    value["status"]["phase"] = "Terminating";
    commit(context, before, std::move(value));
    executor_.post([this, alive = std::weak_ptr<int>(alive_), name = context.name] {
      if (!alive.expired()) emptyNamespace(name);
    });
    return {};
  }
  if (context.resource.plural == "pods") {
    const auto period = markPod(value, options, clock_.wallNow());
    if (!period) return {};
    const VersionPtr marked = commit(context, before, std::move(value));
    if (*period == 0 && !hasFinalizers(marked->json())) commitRemoval(context, marked);
    return {};
  }
  if (!hasFinalizers(value)) {
    commitRemoval(context, before);
  } else if (!isDeleting(value)) {
    value["metadata"]["deletionTimestamp"] = json::formatTime(clock_.wallNow());
    value["metadata"]["deletionGracePeriodSeconds"] = 0;
    commit(context, before, std::move(value));
  }
  return {};
}

void FakeCluster::afterRemoval(const kube::Resource& resource, const VersionPtr& removed) {
  const std::weak_ptr<int> alive = alive_;
  const std::string ns = json::str(removed->json(), {"metadata", "namespace"});
  if (resource.namespaced) {
    const VersionPtr space = find(kube::kNamespaces, "", ns);
    if (space && isDeleting(space->json()))
      executor_.post([this, alive, ns] {
        if (!alive.expired()) finishNamespace(ns);
      });
  }
  if (owned_.contains(removed->uid()))
    executor_.post([this, alive] {
      if (!alive.expired()) collectGarbage();
    });
}

void FakeCluster::collectGarbage() {
  std::set<std::string> present;
  for (const auto& [bucket, objects] : buckets_)
    for (const auto& [key, object] : objects) present.insert(object->uid());
  struct Orphan {
    kube::Resource resource;
    std::string ns, name, uid;
  };
  std::vector<Orphan> orphans;
  for (const auto& [bucket, objects] : buckets_) {
    for (const auto& [key, object] : objects) {
      const Json& owners = json::array(object->json(), {"metadata", "ownerReferences"});
      const bool owned = std::any_of(owners.begin(), owners.end(), [&](const Json& owner) {
        return present.contains(json::str(owner, "uid"));
      });
      if (owners.empty() || owned) continue;
      orphans.push_back({resources_.at(bucket),
                         json::str(object->json(), {"metadata", "namespace"}),
                         json::str(object->json(), {"metadata", "name"}), object->uid()});
    }
  }
  for (const Orphan& orphan : orphans)
    (void)remove("garbage-collector", orphan.resource, orphan.ns, orphan.name, {.uid = orphan.uid});
}

void FakeCluster::emptyNamespace(const std::string& name) {
  struct Content {
    kube::Resource resource;
    std::string name;
  };
  std::vector<Content> contents;
  for (const auto& [bucket, resource] : resources_) {
    if (!resource.namespaced) continue;
    for (const VersionPtr& object : all(resource, name))
      contents.push_back({resource, json::str(object->json(), {"metadata", "name"})});
  }
  for (const Content& content : contents)
    (void)remove("namespace-controller", content.resource, name, content.name);
  finishNamespace(name);
}

void FakeCluster::finishNamespace(const std::string& name) {
  const VersionPtr space = find(kube::kNamespaces, "", name);
  if (!space || !isDeleting(space->json()) || hasFinalizers(space->json())) return;
  for (const Json& finalizer : json::array(space->json(), {"spec", "finalizers"}))
    if (finalizer != "kubernetes") return;
  for (const auto& [bucket, resource] : resources_)
    if (resource.namespaced && !all(resource, name).empty()) return;
  commitRemoval({"namespace-controller", "delete", kube::kNamespaces, "", name, ""}, space);
}

Result<Json> FakeCluster::evict(const Context& context, const Json& body) {
  const VersionPtr before = find(context.resource, context.ns, context.name);
  if (!before) return failure(notFound(context.resource, context.name));
  const Json success{
      {"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Success"}, {"code", 201}};
  kube::DeleteOptions options;
  options.grace_period_seconds = json::integer(body, {"deleteOptions", "gracePeriodSeconds"});
  options.uid = json::str(body, {"deleteOptions", "preconditions", "uid"});
  if (!options.uid.empty() && options.uid != before->uid())
    return failure(
        uidPreconditionFailed(context.resource, context.name, options.uid, before->uid()));
  if (isDeleting(before->json())) return success;
  if (evictionRule)
    if (auto refused = evictionRule(before->json())) return failure(std::move(*refused));
  Json pod = before->json();
  if (firstGrace(pod, options) > 0) {
    Json& conditions = pod["status"]["conditions"];
    if (!conditions.is_array()) conditions = Json::array();
    conditions.push_back({{"type", "DisruptionTarget"},
                          {"status", "True"},
                          {"reason", "EvictionByEvictionAPI"},
                          {"message", "Eviction API: evicting"},
                          {"lastProbeTime", nullptr},
                          {"lastTransitionTime", json::formatTime(clock_.wallNow())}});
    commit(context, before, std::move(pod));
  }
  auto removed = removeObject(context, options);
  if (!removed) return failure(std::move(removed).error());
  return success;
}

}  // namespace vkb::test
