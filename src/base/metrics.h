#pragma once

#include <map>
#include <memory>
#include <string>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

namespace vkb::base {

/// The process's metrics: prometheus-cpp's registry, with get-or-create by name and labels.
/// Thread-safe; returned references live as long as this object. Asking for the same name and
/// labels again gives the same metric.
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;

  prometheus::Counter& counter(const std::string& name, const std::string& help, Labels labels);
  prometheus::Gauge& gauge(const std::string& name, const std::string& help, Labels labels);
  prometheus::Histogram& histogram(const std::string& name, const std::string& help, Labels labels,
                                   const prometheus::Histogram::BucketBoundaries& buckets);
  /// Prometheus text format 0.0.4.
  std::string text() const;

 private:
  prometheus::Registry registry_{prometheus::Registry::InsertBehavior::Merge};
};

}  // namespace vkb::base
