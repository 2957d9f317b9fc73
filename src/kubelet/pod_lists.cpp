#include "kubelet/pod_lists.h"

#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::kubelet {
namespace {

constexpr const char* kBegin = R"({"kind":"PodList","apiVersion":"v1","metadata":{},"items":[)";

Json runningPod(const Json& pod) {
  Json containers = Json::array();
  for (const Json& status : json::array(pod, {"status", "containerStatuses"})) {
    if (json::object(status, {"state", "running"}).empty()) continue;
    containers.push_back({{"name", json::str(status, "name")},
                          {"image", json::str(status, "image")},
                          {"resources", Json::object()}});
  }
  return {{"metadata",
           {{"name", json::str(pod, {"metadata", "name"})},
            {"namespace", json::str(pod, {"metadata", "namespace"})},
            {"uid", json::str(pod, {"metadata", "uid"})}}},
          {"spec", {{"containers", std::move(containers)}}},
          {"status", Json::object()}};
}

}  // namespace

std::string podList(const std::vector<json::ObjectPtr>& pods) {
  std::string text = kBegin;
  for (const json::ObjectPtr& pod : pods) {
    if (text.back() != '[') text += ',';
    text += pod->raw;
  }
  return text + "]}\n";
}

std::string runningPodList(const std::vector<json::ObjectPtr>& pods) {
  std::string text = kBegin;
  for (const json::ObjectPtr& object : pods) {
    const Json pod = object->parse();
    if (json::str(pod, {"status", "phase"}) != "Running") continue;
    if (text.back() != '[') text += ',';
    text += runningPod(pod).dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return text + "]}\n";
}

}  // namespace vkb::kubelet
