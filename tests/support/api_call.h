#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "net/tls_test_server.h"
#include "support/fake_cluster.h"

namespace vkb::test {

/// One HTTP request to a Kubernetes API, understood.
struct ApiCall {
  Request what;  ///< verb "raw": no resource, `what.resource` is the path
  kube::Resource resource{};
  std::map<std::string, std::string> query;
  std::string content_type, body;

  std::string param(const std::string& key) const {
    const auto it = query.find(key);
    return it == query.end() ? "" : it->second;
  }
};

/// Nothing: a method that the path does not have. Resource texts live as long as the program.
std::optional<ApiCall> parseApiCall(const ReceivedRequest& request, const std::string& actor);

/// Value of a header, any case; "" when absent.
std::string headerOf(const ReceivedRequest& request, const std::string& name);

/// The body that goes with a failure, as API servers write it.
Json statusBody(const Status& status);

}  // namespace vkb::test
