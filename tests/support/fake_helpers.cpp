#include "base/check.h"
#include "json/merge_patch.h"
#include "support/fake_cluster_internal.h"

namespace vkb::test {
namespace {

[[noreturn]] void giveUp(const std::string& what, const Status& why) {
  const std::string text = what + ": " + why.message;
  VKB_CHECK(false, text.c_str());
  std::abort();
}

}  // namespace

VersionPtr FakeCluster::find(const kube::Resource& resource, const std::string& ns,
                             const std::string& name) const {
  const VersionPtr* found = lookup(resource, ns, name);
  return found == nullptr ? nullptr : *found;
}

VersionPtr FakeCluster::findPod(const std::string& ns, const std::string& name) const {
  return find(kube::kPods, ns, name);
}

VersionPtr FakeCluster::findPodByUid(const std::string& uid) const {
  for (VersionPtr& pod : all(kube::kPods))
    if (pod->uid() == uid) return std::move(pod);
  return nullptr;
}

std::vector<VersionPtr> FakeCluster::podsIn(const std::string& ns) const {
  return all(kube::kPods, ns);
}

VersionPtr FakeCluster::add(const kube::Resource& resource, const Json& object,
                            const std::string& actor) {
  std::string ns = json::str(object, {"metadata", "namespace"});
  if (resource.namespaced && ns.empty()) ns = "default";
  if (resource.namespaced && !find(kube::kNamespaces, "", ns)) addNamespace(ns);
  const auto made = create(actor, resource, ns, object);
  if (!made) giveUp("a test cannot create its object", made.error());
  return find(resource, ns, json::str(*made, {"metadata", "name"}));
}

VersionPtr FakeCluster::addNamespace(const std::string& name, const Json& labels) {
  Json object{{"metadata", {{"name", name}}}};
  if (labels.is_object()) object["metadata"]["labels"] = labels;
  return add(kube::kNamespaces, object, "admin");
}

VersionPtr FakeCluster::addNamespace(const std::string& name) { return addNamespace(name, Json()); }

VersionPtr FakeCluster::addNode(const std::string& name, const Json& overrides) {
  const Json capacity{{"cpu", "4"}, {"memory", "8Gi"}, {"pods", "110"}};
  Json node{{"metadata",
             {{"name", name},
              {"labels",
               {{"kubernetes.io/hostname", name},
                {"kubernetes.io/os", "linux"},
                {"kubernetes.io/arch", "amd64"}}}}},
            {"spec", Json::object()},
            {"status",
             {{"capacity", capacity},
              {"allocatable", capacity},
              {"conditions", Json::array({{{"type", "Ready"},
                                           {"status", "True"},
                                           {"reason", "KubeletReady"},
                                           {"message", "kubelet is posting ready status"}}})},
              {"addresses", Json::array({{{"type", "InternalIP"}, {"address", "192.0.2.1"}},
                                         {{"type", "Hostname"}, {"address", name}}})},
              {"nodeInfo",
               {{"operatingSystem", "linux"},
                {"architecture", "amd64"},
                {"kubeletVersion", "v1.36.2"}}}}}};
  if (overrides.is_object()) json::applyMergePatch(node, overrides);
  return add(kube::kNodes, node, "kubelet/" + name);
}

VersionPtr FakeCluster::addNode(const std::string& name) { return addNode(name, Json()); }

VersionPtr FakeCluster::addPod(const Json& pod, const std::string& actor) {
  Json object = pod;
  if (!object.contains("spec") || !object["spec"].contains("containers"))
    object["spec"]["containers"] =
        Json::array({{{"name", "c"},
                      {"image", "registry.example/app:1"},
                      {"resources", {{"requests", {{"cpu", "100m"}, {"memory", "64Mi"}}}}}}});
  return add(kube::kPods, object, actor);
}

VersionPtr FakeCluster::setPodStatus(const std::string& ns, const std::string& name,
                                     const Json& status, const std::string& actor) {
  const auto done =
      patch(actor, kube::kPods, ns, name, kube::PatchType::kMerge, {{"status", status}}, "status");
  if (!done) giveUp("a test cannot set a pod's status", done.error());
  return findPod(ns, name);
}

VersionPtr FakeCluster::edit(const kube::Resource& resource, const std::string& ns,
                             const std::string& name, const Json& merge_patch,
                             const std::string& actor) {
  const auto done = patch(actor, resource, ns, name, kube::PatchType::kMerge, merge_patch);
  if (!done) giveUp("a test cannot edit its object", done.error());
  return find(resource, ns, name);
}

}  // namespace vkb::test
