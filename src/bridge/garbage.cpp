#include "bridge/garbage.h"

#include <nlohmann/json.hpp>

#include "bridge/dependency_copy.h"
#include "bridge/names.h"
#include "json/json.h"

namespace vkb::bridge {
namespace {

/// A kind that can be in a namespace, from discovery.
struct Kind {
  std::string group, version, plural;
  kube::Resource resource() const { return {group, version, plural, true}; }
};

/// They come and go by themselves, or come with every namespace.
bool isIncidental(const std::string& plural, const Json& object) {
  static const std::set<std::string> kOfNoWeight{"events", "endpoints", "endpointslices"};
  if (kOfNoWeight.contains(plural)) return true;
  const std::string name = json::str(object, {"metadata", "name"});
  if (plural == "configmaps") return name == "kube-root-ca.crt";
  if (plural == "serviceaccounts") return name == "default";
  if (plural != "secrets") return false;
  return json::str(object, "type") == "kubernetes.io/service-account-token" &&
         json::str(object, {"metadata", "annotations", "kubernetes.io/service-account.name"}) ==
             "default";
}

Result<void> addKinds(kube::Reader& target, const std::string& path, const std::string& group,
                      const std::string& version, std::vector<Kind>& kinds) {
  auto body = target.getRaw(path);
  if (!body) return failure(body.error());
  auto list = json::parse(*body);
  if (!list) return failure(list.error());
  for (const Json& entry : json::array(*list, {"resources"})) {
    const std::string plural = json::str(entry, "name");
    if (!json::boolean(entry, {"namespaced"}) || plural.find('/') != std::string::npos) continue;
    for (const Json& verb : json::array(entry, {"verbs"})) {
      if (verb == "list") kinds.push_back({group, version, plural});
    }
  }
  return {};
}

/// Every kind that has a namespace. A group whose server is down is an error: what it holds is not
/// known.
Result<std::vector<Kind>> namespacedKinds(kube::Reader& target) {
  std::vector<Kind> kinds;
  if (auto core = addKinds(target, "/api/v1", "", "v1", kinds); !core) return failure(core.error());
  auto body = target.getRaw("/apis");
  if (!body) return failure(body.error());
  auto groups = json::parse(*body);
  if (!groups) return failure(groups.error());
  for (const Json& group : json::array(*groups, {"groups"})) {
    const std::string name = json::str(group, "name");
    const std::string version = json::str(group, {"preferredVersion", "version"});
    auto added = addKinds(target, "/apis/" + name + "/" + version, name, version, kinds);
    if (!added) return failure(added.error());
  }
  return kinds;
}

Result<bool> isEmpty(kube::Reader& target, const std::vector<Kind>& kinds, const std::string& ns) {
  for (const Kind& kind : kinds) {
    auto list = kube::listAll(target, kind.resource(), {.ns = ns});
    if (!list) return failure(list.error());
    for (const auto& object : list->items) {
      if (!isIncidental(kind.plural, object->parse())) return false;
    }
  }
  return true;
}

/// Proof that no home pod needs this delegate any more.
Result<bool> isUnused(kube::Reader& home, const Garbage& delegate, const std::string& home_uid) {
  const auto slash = delegate.home_pod.find('/');
  if (slash == std::string::npos) return false;  // marks edited away: not ours to judge
  auto pod = home.get(kube::kPods, delegate.home_pod.substr(0, slash),
                      delegate.home_pod.substr(slash + 1));
  if (!pod) return failure(pod.error());
  if (!*pod || json::str(**pod, {"metadata", "uid"}) != home_uid) return true;
  const std::string phase = json::str(**pod, {"status", "phase"});
  return phase == "Succeeded" || phase == "Failed";
}

Result<void> removed(Result<void> answer) {
  // 409: another object has the name by now.
  if (!answer && !answer.error().isNotFound() && answer.error().code != 409) return answer;
  return {};
}

}  // namespace

Result<GarbageSearch> findGarbage(kube::Reader& home, kube::Reader& target,
                                  const GarbageScope& scope) {
  auto pods = kube::listAll(
      target, kube::kPods,
      {.ns = scope.ns, .label_selector = std::string(kLabelHomeCluster) + "=" + scope.home_id});
  if (!pods) return failure(pods.error());
  GarbageSearch result;
  for (const auto& object : pods->items) {
    const Json pod = object->parse();
    const Json& metadata = json::object(pod, {"metadata"});
    Garbage found{.ns = object->ns,
                  .name = object->name,
                  .uid = object->uid,
                  .node = json::str(metadata, {"labels", kLabelNode}),
                  .home_pod = json::str(metadata, {"annotations", kAnnotationHomePod})};
    if (found.node.empty() || scope.joined.contains(found.node)) continue;
    auto unused = isUnused(home, found, json::str(metadata, {"labels", kLabelHomeUid}));
    if (!unused) return failure(unused.error());
    if (*unused) {
      result.delegates.push_back(std::move(found));
    } else {
      ++result.in_use;
    }
  }
  return result;
}

Result<void> removeGarbage(kube::Writer& target, const Garbage& garbage) {
  const kube::Resource resource = garbage.kind ? resourceOf(*garbage.kind) : kube::kPods;
  return removed(target.remove(resource, garbage.ns, garbage.name, {.uid = garbage.uid}));
}

Result<std::vector<Garbage>> findEmptyNamespaces(
    kube::Reader& target, const std::string& home_id,
    const std::function<void(const std::string&)>& progress) {
  auto ours = kube::listAll(target, kube::kNamespaces,
                            {.label_selector = std::string(kLabelHomeCluster) + "=" + home_id});
  if (!ours) return failure(ours.error());
  std::vector<Garbage> result;
  if (ours->items.empty()) return result;
  auto kinds = namespacedKinds(target);
  if (!kinds) return failure(kinds.error());
  for (const auto& object : ours->items) {
    if (json::str(object->parse(), {"status", "phase"}) == "Terminating") continue;
    progress(object->name);
    auto empty = isEmpty(target, *kinds, object->name);
    if (!empty) return failure(empty.error());
    if (*empty) result.push_back({.ns = "", .name = object->name, .uid = object->uid});
  }
  return result;
}

Result<void> removeNamespace(kube::Writer& target, const Garbage& ns) {
  return removed(target.remove(kube::kNamespaces, "", ns.name, {.uid = ns.uid}));
}

}  // namespace vkb::bridge
