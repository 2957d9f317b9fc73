#include "bridge/virtual_node.h"

#include <nlohmann/json.hpp>

#include "bridge/names.h"

namespace vkb::bridge {
namespace {

Json labelsOf(const VirtualNode& node) {
  Json labels = Json::object();
  for (const auto& [key, value] : node.labels) labels[key] = value;
  labels.update({{"type", "virtual-kubelet"},
                 {"kubernetes.io/hostname", node.name},
                 {"kubernetes.io/os", node.os.empty() ? "linux" : node.os},
                 {"kubernetes.io/arch", node.arch.empty() ? "amd64" : node.arch},
                 {"node.kubernetes.io/exclude-disruption", "true"},
                 {"node.kubernetes.io/exclude-from-external-load-balancers", "true"},
                 {kLabelCluster, node.name}});
  return labels;
}

Json addressesOf(const VirtualNode& node) {
  Json addresses = Json::array();
  if (!node.host_ip.empty()) {
    addresses.push_back({{"type", "InternalIP"}, {"address", node.host_ip}});
  }
  addresses.push_back({{"type", "Hostname"}, {"address", node.name}});
  return addresses;
}

}  // namespace

Json forgeNode(const VirtualNode& node) {
  Json labels = labelsOf(node);
  Json status{{"nodeInfo",
               {{"kubeletVersion", node.version},
                {"operatingSystem", labels["kubernetes.io/os"]},
                {"architecture", labels["kubernetes.io/arch"]}}},
              {"addresses", addressesOf(node)}};
  if (node.kubelet_port != 0) {
    status["daemonEndpoints"]["kubeletEndpoint"]["Port"] = node.kubelet_port;
  }
  if (node.offered) {
    status["capacity"] = toCapacity(*node.offered);
    status["allocatable"] = status["capacity"];
  }
  return {{"metadata", {{"labels", std::move(labels)}}},
          {"spec",
           {{"taints", Json::array({{{"key", "virtual-kubelet.io/provider"},
                                     {"value", "vk-bridge"},
                                     {"effect", "NoSchedule"}}})}}},
          {"status", std::move(status)}};
}

}  // namespace vkb::bridge
