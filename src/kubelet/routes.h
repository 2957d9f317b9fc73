#pragma once

#include <string>
#include <variant>

#include <tl/expected.hpp>

#include "kubelet/http_request_head.h"
#include "vkbridge/streams.h"

namespace vkb::kubelet {

/// What a request asks for, once it is known to be well-formed.
struct Healthz {};
struct Pods {};
struct RunningPods {};
struct StatsSummary {};
struct ResourceMetrics {};
struct Logs {
  ContainerRef container;
  ContainerLogOptions options;
};
using Route =
    std::variant<Healthz, Pods, RunningPods, StatsSummary, ResourceMetrics, Logs, StreamRequest>;

/// What the caller has to be allowed: `verb` on nodes/`subresource` of this node.
struct Attributes {
  std::string verb;
  std::string subresource;
  bool operator==(const Attributes&) const = default;
};
/// As a kubelet derives them: the verb from the method, the subresource (stats, metrics, log, else
/// proxy) from the path alone, so that the question can be asked whether the path exists or not.
Attributes attributesOf(const std::string& method, const std::string& target);

/// By a kubelet's rules: 404 for what is not there, 405, and 400 with a sentence for parameters
/// that make no sense. Names that Kubernetes could not have given are 400.
tl::expected<Route, HeadError> routeOf(const RequestHead& head);

}  // namespace vkb::kubelet
