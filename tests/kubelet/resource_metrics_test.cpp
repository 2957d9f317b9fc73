// /metrics/resource, read as metrics-server (0.6 and later) reads it.
#include "kubelet/resource_metrics.h"

#include <gmock/gmock.h>

#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

namespace vkb::kubelet {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// metrics-server's MetricsPoint.
struct Point {
  double start_seconds = 0;
  double cpu_seconds = 0;
  double memory_bytes = 0;
  std::int64_t timestamp_ms = 0;
};
struct Batch {
  Point node;
  std::map<std::string, Point> containers;  ///< ns/pod/container
};

std::string labelIn(const std::string& labels, const std::string& name) {
  const auto at = labels.find(name + "=\"");
  if (at == std::string::npos) return "";
  const auto begin = at + name.size() + 2;
  return labels.substr(begin, labels.find('"', begin) - begin);
}

/// pkg/scraper/client/resource/decode.go: five names by their prefix, labels found by their text,
/// the sample's own timestamp; a container without CPU, memory or time is dropped, and its pod with
/// it.
Batch decode(const std::string& text) {
  Batch batch;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto brace = line.find('{'), close = line.find('}');
    const bool labelled = brace != std::string::npos;
    const std::string name = line.substr(0, labelled ? brace : line.find(' '));
    const std::string labels = labelled ? line.substr(brace, close - brace) : "";
    std::istringstream rest(line.substr(labelled ? close + 1 : name.size()));
    double value = 0;
    std::int64_t timestamp = 0;
    rest >> value >> timestamp;
    const std::string key = labelIn(labels, "namespace") + "/" + labelIn(labels, "pod") + "/" +
                            labelIn(labels, "container");
    if (name == "node_cpu_usage_seconds_total") {
      batch.node.cpu_seconds = value;
      batch.node.timestamp_ms = timestamp;
    } else if (name == "node_memory_working_set_bytes") {
      batch.node.memory_bytes = value;
    } else if (name == "container_cpu_usage_seconds_total") {
      batch.containers[key].cpu_seconds = value;
      batch.containers[key].timestamp_ms = timestamp;
    } else if (name == "container_memory_working_set_bytes") {
      batch.containers[key].memory_bytes = value;
    } else if (name == "container_start_time_seconds") {
      batch.containers[key].start_seconds = value;
    }
  }
  std::erase_if(batch.containers, [](const auto& entry) {
    const Point& point = entry.second;
    return point.timestamp_ms == 0 || point.cpu_seconds == 0 || point.memory_bytes == 0;
  });
  return batch;
}

/// pkg/storage/types.go, resourceUsage(): cores between two scrapes; negative: refused.
double cores(const Point& last, const Point& before) {
  if (last.start_seconds < before.start_seconds || last.cpu_seconds < before.cpu_seconds) return -1;
  return (last.cpu_seconds - before.cpu_seconds) /
         (static_cast<double>(last.timestamp_ms - before.timestamp_ms) / 1000);
}

Json usage(const std::string& time, std::int64_t nanoseconds, std::int64_t bytes) {
  return {{"cpu", {{"time", time}, {"usageCoreNanoSeconds", nanoseconds}}},
          {"memory", {{"time", time}, {"workingSetBytes", bytes}}}};
}

Json summaryAt(const std::string& time, std::int64_t nanoseconds) {
  Json container = usage(time, nanoseconds, 64 << 20);
  container["name"] = "main";
  container["startTime"] = "2026-01-01T00:00:00Z";
  Json pod = usage(time, nanoseconds, 64 << 20);
  pod["podRef"] = {{"name", "web-1"}, {"namespace", "demo"}, {"uid", "u"}};
  pod["containers"] = Json::array({container});
  Json node = usage(time, nanoseconds, 64 << 20);
  node["nodeName"] = "gpu-eu";
  return {{"node", node}, {"pods", Json::array({pod})}};
}

TEST(ResourceMetricsTest, MetricsServerGetsTheCoresBetweenTwoScrapes) {
  const Batch before =
      decode(resourceMetricsText(summaryAt("2026-01-01T00:10:00Z", 100'000'000'000), true));
  const Batch last =
      decode(resourceMetricsText(summaryAt("2026-01-01T00:10:15Z", 103'750'000'000), true));
  ASSERT_EQ(last.containers.count("demo/web-1/main"), 1U);
  const Point& container = last.containers.at("demo/web-1/main");
  EXPECT_DOUBLE_EQ(cores(container, before.containers.at("demo/web-1/main")), 0.25);
  EXPECT_DOUBLE_EQ(container.memory_bytes, 64 << 20);
  EXPECT_DOUBLE_EQ(container.start_seconds, 1767225600);
  EXPECT_DOUBLE_EQ(cores(last.node, before.node), 0.25);
}

TEST(ResourceMetricsTest, WhatIsNotKnownIsLeftOutAndSaidSo) {
  const std::string nothing = resourceMetricsText(Json(), false);
  EXPECT_THAT(nothing, HasSubstr("\nscrape_error 1\n"));
  EXPECT_THAT(nothing, Not(HasSubstr("container_")));
  Json partial = summaryAt("2026-01-01T00:10:00Z", 1);
  partial["pods"][0]["containers"][0].erase("cpu");
  partial["node"].erase("memory");
  const std::string text = resourceMetricsText(partial, true);
  EXPECT_THAT(text, Not(HasSubstr("container_cpu_usage")));
  EXPECT_THAT(text, HasSubstr("container_memory_working_set_bytes{container=\"main\","
                              "namespace=\"demo\",pod=\"web-1\"} 67108864 1767226200000\n"));
  EXPECT_THAT(text, Not(HasSubstr("node_memory")));
  EXPECT_THAT(text, HasSubstr("\nscrape_error 0\n"));
}

TEST(ResourceMetricsTest, EachNameHasItsTypeOnce) {
  Json two = summaryAt("2026-01-01T00:10:00Z", 1'000'000'000);
  two["pods"].push_back(two["pods"][0]);
  const std::string text = resourceMetricsText(two, true);
  const std::string type = "# TYPE container_cpu_usage_seconds_total counter\n";
  ASSERT_THAT(text, HasSubstr(type));
  EXPECT_EQ(text.find(type, text.find(type) + 1), std::string::npos);
}

}  // namespace
}  // namespace vkb::kubelet
