#pragma once

#include <string>

#include "vkbridge/json.h"

namespace vkb::kubelet {

/// /metrics/resource of a kubelet from a Summary (stats.k8s.io/v1alpha1): CPU seconds, working set
/// and start time of containers, CPU and working set of pods and node, each sample with the time it
/// was taken; the names and labels that metrics-server reads. What a summary lacks is left out;
/// `complete` false shows as scrape_error 1.
std::string resourceMetricsText(const Json& summary, bool complete);

}  // namespace vkb::kubelet
