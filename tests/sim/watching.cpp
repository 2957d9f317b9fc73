#include "watching.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "json/json.h"

namespace vkb::sim {
namespace {

using Open = World::Watching::Open;

class Handle final : public kube::WatchHandle {
 public:
  explicit Handle(std::shared_ptr<Open> open) : open_(std::move(open)) {}
  ~Handle() override { open_->handler = nullptr; }
  void set(std::unique_ptr<kube::WatchHandle> inner) { inner_ = std::move(inner); }

 private:
  const std::shared_ptr<Open> open_;
  std::unique_ptr<kube::WatchHandle> inner_;
};

class SimClient final : public kube::Client {
 public:
  SimClient(World::Watching& watching, test::FakeCluster& cluster, const std::string& actor)
      : watching_(watching), cluster_(cluster), actor_(actor), inner_(cluster.client(actor)) {}

  Result<std::optional<Json>> get(const kube::Resource& resource, const std::string& ns,
                                  const std::string& name) override {
    return inner_->get(resource, ns, name);
  }
  Result<json::RawList> list(const kube::Resource& resource,
                             const kube::ListOptions& options) override {
    auto found = inner_->list(resource, options);
    if (!found || resource.plural != "pods") return found;
    // One item is asked for to compare versions.
    if (options.limit == 1) return found;
    for (const auto& item : found->items) watching_.note(actor_, *item);
    return found;
  }
  Result<std::string> getRaw(const std::string& path) override { return inner_->getRaw(path); }
  Result<json::ObjectPtr> create(const kube::Resource& resource, const std::string& ns,
                                 const Json& object, const std::string& name,
                                 const std::string& subresource) override {
    const bool delegate = resource.plural == "pods" && subresource.empty();
    if (delegate && watching_.on_post) watching_.on_post(actor_, object);
    return inner_->create(resource, ns, object, name, subresource);
  }
  Result<json::ObjectPtr> patch(const kube::Resource& resource, const std::string& ns,
                                const std::string& name, kube::PatchType type, const Json& patch,
                                const std::string& subresource) override {
    return inner_->patch(resource, ns, name, type, patch, subresource);
  }
  Result<json::ObjectPtr> update(const kube::Resource& resource, const std::string& ns,
                                 const std::string& name, const Json& object) override {
    return inner_->update(resource, ns, name, object);
  }
  Result<void> remove(const kube::Resource& resource, const std::string& ns,
                      const std::string& name, const kube::DeleteOptions& options) override {
    return inner_->remove(resource, ns, name, options);
  }
  std::unique_ptr<kube::WatchHandle> watch(const kube::Resource& resource,
                                           const kube::WatchOptions& options,
                                           kube::WatchHandler& handler) override {
    auto open = std::make_shared<Open>(watching_, actor_, handler, std::string(resource.plural),
                                       options.field_selector);
    auto handle = std::make_unique<Handle>(open);
    auto& watches = watching_.watches;
    std::erase_if(watches, [](const auto& watch) { return watch.second.expired(); });
    watches.emplace_back(&cluster_, open);
    handle->set(inner_->watch(resource, options, *open));
    return handle;
  }

 private:
  World::Watching& watching_;
  test::FakeCluster& cluster_;
  const std::string actor_;
  const std::unique_ptr<kube::Client> inner_;
};

}  // namespace

std::unique_ptr<kube::Client> World::Watching::client(test::FakeCluster& cluster,
                                                      const std::string& actor) {
  return std::make_unique<SimClient>(*this, cluster, actor);
}

void World::Watching::note(const std::string& actor, const json::Object& pod) {
  told_of.emplace(actor, pod.uid);
  for (const char* end : {"\"phase\":\"Failed\"", "\"phase\":\"Succeeded\""}) {
    if (pod.raw.find(end) != std::string::npos) told_of_end.emplace(actor, pod.uid);
  }
}

bool World::Watching::isWatching(const test::FakeCluster& cluster, const std::string& actor) const {
  for (const auto& [watched, weak] : watches) {
    const auto open = weak.lock();
    if (!open || watched != &cluster || open->actor != actor || open->plural != "pods") continue;
    return true;
  }
  return false;
}

void World::tellDeleted(test::FakeCluster& cluster, const test::VersionPtr& object) {
  const std::string nodes = "spec.nodeName=" + json::str(object->json(), {"spec", "nodeName"});
  Json last = object->json();
  last["metadata"]["resourceVersion"] = std::to_string(cluster.resourceVersion());
  for (const auto& [watched, weak] : std::vector(watching_->watches)) {
    const auto open = weak.lock();
    if (!open || watched != &cluster || open->plural != "pods") continue;
    if (!open->field_selector.empty() && open->field_selector != nodes) continue;
    open->onEvent({"DELETED", json::makeObject(last)});
  }
}

}  // namespace vkb::sim
