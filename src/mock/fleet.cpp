#include "mock/fleet.h"

#include <atomic>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "kube/events.h"
#include "mock/provider.h"
#include "mock/shared_cache.h"
#include "node/node_controller.h"
#include "node/pod_controller.h"

namespace vkb::mock {
namespace {

/// Keeps nothing: the pods of a node in memory and their records end together.
class NoStore final : public PodRecordStore {
 public:
  Result<std::vector<PodRecord>> load(std::string_view) override {
    return std::vector<PodRecord>{};
  }
  Result<void> put(const PodRecord&) override { return {}; }
  Result<void> erase(std::string_view) override { return {}; }
};

Json taintOf(const std::string& text) {
  const auto colon = text.rfind(':'), equals = text.find('=');
  Json taint{{"key", text.substr(0, std::min(colon, equals))},
             {"effect", colon == std::string::npos ? "NoSchedule" : text.substr(colon + 1)}};
  if (equals < colon && equals != std::string::npos) {
    taint["value"] = text.substr(equals + 1, colon - equals - 1);
  }
  return taint;
}

Json shapeOf(const std::string& name, const Fleet::Options& options) {
  Json labels{{"type", "virtual-kubelet"},
              {"kubernetes.io/hostname", name},
              {"kubernetes.io/os", "linux"},
              {"kubernetes.io/arch", "amd64"},
              {"node.kubernetes.io/exclude-from-external-load-balancers", "true"}};
  for (const auto& [key, value] : options.labels) labels[key] = value;
  Json taints = Json::array();
  for (const auto& text : options.taints) taints.push_back(taintOf(text));
  const Json resources{{"cpu", options.cpu}, {"memory", options.memory}, {"pods", options.pods}};
  return {{"metadata", {{"labels", std::move(labels)}}},
          {"spec", {{"taints", std::move(taints)}}},
          {"status",
           {{"capacity", resources},
            {"allocatable", resources},
            {"addresses", Json::array({{{"type", "InternalIP"}, {"address", options.address}},
                                       {{"type", "Hostname"}, {"address", name}}})},
            {"nodeInfo",
             {{"kubeletVersion", "v0.0.0-mock"},
              {"operatingSystem", "linux"},
              {"architecture", "amd64"},
              {"machineID", ""},
              {"systemUUID", ""},
              {"bootID", ""},
              {"kernelVersion", ""},
              {"osImage", "memory"},
              {"containerRuntimeVersion", "mock://0"},
              {"kubeProxyVersion", ""}}}}}};
}

/// One node of the fleet.
struct Node {
  Node(const Fleet::Deps& deps, const Fleet::Options& options, std::string name,
       std::function<std::string()> next_ip, SharedCache& pod_watch, SharedCache& node_watch,
       PodRecordStore& store, kube::EventRecorder& events)
      : provider(deps.runtime, {.node = name,
                                .shape = std::make_shared<const Json>(shapeOf(name, options)),
                                .host_ip = options.address,
                                .defaults = options.defaults,
                                .next_ip = std::move(next_ip)}),
        pods({.runtime = deps.runtime,
              .home = deps.client,
              .home_pods = pod_watch.view(name),
              .provider = provider,
              .notifier = provider,
              .store = store,
              .events = events,
              .logger = deps.logger,
              .metrics = deps.metrics},
             {.node = name, .concurrency = options.concurrency, .delegate_annotation = ""}),
        node({.runtime = deps.runtime,
              .home = deps.client,
              .provider = provider,
              .logger = deps.logger,
              .metrics = deps.metrics,
              .nodes = &node_watch.view(name)},
             {.node = name, .provider_id = "vk-mock://" + name}) {}

  Provider provider;
  node::PodController pods;
  node::NodeController node;
};

std::string nodeNameOf(const json::Object& pod) {
  return json::str(pod.parse(), {"spec", "nodeName"});
}

}  // namespace

struct Fleet::Impl : std::enable_shared_from_this<Fleet::Impl> {
  Impl(Deps d, Options o)
      : deps(d),
        options(std::move(o)),
        events(deps.runtime, deps.client, deps.logger, "vk-mock-node", options.name_prefix),
        pod_watch(deps.runtime, deps.client, deps.logger,
                  {.resource = kube::kPods,
                   .list = {.field_selector = "spec.nodeName!="},
                   .name = "bound pods"},
                  nodeNameOf),
        node_watch(deps.runtime, deps.client, deps.logger,
                   {.resource = kube::kNodes, .list = {}, .name = "nodes"},
                   [](const json::Object& node) { return node.name; }) {
    for (int i = 0; i < options.nodes; ++i) {
      nodes.push_back(std::make_unique<Node>(
          deps, options, options.name_prefix + "-" + std::to_string(i), [this] { return nextIp(); },
          pod_watch, node_watch, store, events));
    }
  }

  std::string nextIp() {
    const std::uint32_t n = ips++ % (64u * 250u * 250u);
    return "100." + std::to_string(64 + n / 62500) + "." + std::to_string(n / 250 % 250) + "." +
           std::to_string(n % 250 + 1);
  }

  void serve() {
    for (const auto& each : nodes) {
      each->pods.setProviderState(ProviderState::kReady, "");
      each->node.setState(ProviderState::kReady, "");
    }
  }

  Deps deps;
  Options options;
  std::atomic<std::uint32_t> ips{0};
  NoStore store;
  kube::EventRecorder events;
  SharedCache pod_watch, node_watch;
  std::vector<std::unique_ptr<Node>> nodes;
};

Fleet::Fleet(Deps deps, Options options)
    : impl_(std::make_shared<Impl>(std::move(deps), std::move(options))) {}

Fleet::~Fleet() { stop(); }

Result<void> Fleet::start() {
  for (const auto& each : impl_->nodes) {
    if (auto started = each->pods.start(); !started) return started;
    each->node.start();
  }
  impl_->node_watch.start(nullptr);
  impl_->pod_watch.start([weak = std::weak_ptr(impl_)] {
    if (const auto self = weak.lock()) self->serve();
  });
  return {};
}

void Fleet::stop() {
  impl_->pod_watch.stop();
  impl_->node_watch.stop();
  for (const auto& each : impl_->nodes) {
    each->node.stop();
    each->pods.stop();
    each->provider.stop();
  }
}

Result<void> Fleet::removeNodes() {
  for (const auto& each : impl_->nodes) {
    if (auto removed = each->node.removeNode(); !removed) return removed;
  }
  return {};
}

std::size_t Fleet::pods() const {
  std::size_t result = 0;
  for (const auto& each : impl_->nodes) result += each->provider.size();
  return result;
}

}  // namespace vkb::mock
