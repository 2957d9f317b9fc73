#include "kubelet/resource_metrics.h"

#include <charconv>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

#include "json/json.h"
#include "json/time.h"

namespace vkb::kubelet {
namespace {

/// One metric's lines.
class Family {
 public:
  Family(const char* name, const char* type, const char* help)
      : name_(name),
        text_(std::string("# HELP ") + name + " [STABLE] " + help + "\n# TYPE " + name + " " +
              type + "\n") {}

  void add(const std::string& labels, const std::string& value, std::optional<WallTime> at) {
    text_ += name_;
    if (!labels.empty()) text_ += "{" + labels + "}";
    text_ += " " + value;
    if (at) {
      const auto since = std::chrono::floor<std::chrono::milliseconds>(at->time_since_epoch());
      text_ += " " + std::to_string(since.count());
    }
    text_ += '\n';
    empty_ = false;
  }
  std::string text() const { return empty_ ? "" : text_; }

 private:
  const std::string name_;
  std::string text_;
  bool empty_ = true;
};

std::string number(double value) {
  char buffer[64];
  const auto done = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, done.ptr};
}

std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (c == '\\' || c == '"') result += '\\';
    result += c == '\n' ? ' ' : c;
  }
  return result;
}

std::string label(const char* name, const std::string& value) {
  return std::string(name) + "=\"" + escaped(value) + "\"";
}

class ResourceMetrics {
 public:
  void addCpu(Family& family, const std::string& labels, const Json& of) {
    const auto used = json::integer(of, {"cpu", "usageCoreNanoSeconds"});
    if (!used) return;
    family.add(labels, number(static_cast<double>(*used) / 1e9),
               json::parseTime(json::str(of, {"cpu", "time"})));
  }
  void addMemory(Family& family, const std::string& labels, const Json& of) {
    const auto used = json::integer(of, {"memory", "workingSetBytes"});
    if (!used) return;
    family.add(labels, std::to_string(*used), json::parseTime(json::str(of, {"memory", "time"})));
  }
  void addPod(const Json& pod) {
    const std::string pod_labels = label("namespace", json::str(pod, {"podRef", "namespace"})) +
                                   "," + label("pod", json::str(pod, {"podRef", "name"}));
    addCpu(pod_cpu, pod_labels, pod);
    addMemory(pod_memory, pod_labels, pod);
    for (const Json& container : json::array(pod, {"containers"})) {
      const std::string labels =
          label("container", json::str(container, "name")) + "," + pod_labels;
      addCpu(container_cpu, labels, container);
      addMemory(container_memory, labels, container);
      const auto start = json::parseTime(json::str(container, "startTime"));
      if (!start) continue;
      const std::chrono::duration<double> since = start->time_since_epoch();
      container_start.add(labels, number(since.count()),
                          json::parseTime(json::str(container, {"cpu", "time"})));
    }
  }
  void addNode(const Json& node) {
    addCpu(node_cpu, "", node);
    addMemory(node_memory, "", node);
  }
  std::string text() const {
    return container_cpu.text() + container_memory.text() + container_start.text() +
           node_cpu.text() + node_memory.text() + pod_cpu.text() + pod_memory.text();
  }

 private:
  Family container_cpu{"container_cpu_usage_seconds_total", "counter",
                       "Cumulative cpu time consumed by the container in core-seconds"};
  Family container_memory{"container_memory_working_set_bytes", "gauge",
                          "Current working set of the container in bytes"};
  Family container_start{"container_start_time_seconds", "gauge",
                         "Start time of the container since unix epoch in seconds"};
  Family node_cpu{"node_cpu_usage_seconds_total", "counter",
                  "Cumulative cpu time consumed by the node in core-seconds"};
  Family node_memory{"node_memory_working_set_bytes", "gauge",
                     "Current working set of the node in bytes"};
  Family pod_cpu{"pod_cpu_usage_seconds_total", "counter",
                 "Cumulative cpu time consumed by the pod in core-seconds"};
  Family pod_memory{"pod_memory_working_set_bytes", "gauge",
                    "Current working set of the pod in bytes"};
};

}  // namespace

std::string resourceMetricsText(const Json& summary, bool complete) {
  ResourceMetrics metrics;
  metrics.addNode(json::object(summary, {"node"}));
  for (const Json& pod : json::array(summary, {"pods"})) metrics.addPod(pod);
  Family error("scrape_error", "gauge",
               "1 if there was an error while getting metrics, 0 otherwise");
  error.add("", complete ? "0" : "1", std::nullopt);
  return metrics.text() + error.text();
}

}  // namespace vkb::kubelet
