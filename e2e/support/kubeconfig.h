#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "support/cluster.h"
#include "vkbridge/json.h"

namespace vkb::e2e {

/// A kubeconfig's current context with every file inlined. Its parts are reached with
/// clusterOf/userOf; written back it is JSON, which is YAML.
Json readKubeconfig(const Cluster& cluster);
Json& clusterOf(Json& config);
Json& userOf(Json& config);
std::filesystem::path writeKubeconfig(const std::filesystem::path& file, const Json& config);

struct Endpoint {
  std::string host;
  std::uint16_t port = 443;
  std::string prefix;  ///< path behind host and port
};
Endpoint endpointOf(const Json& config);

/// Points it at 127.0.0.1:port, with certificates still checked against the original host.
void pointAtLoopback(Json& config, std::uint16_t port);

/// A JSON Web Token that expired in 2001, signed by nobody.
std::string expiredToken();

/// A loopback port on which nothing listens, and nothing can while this lives.
class ClosedPort {
 public:
  ClosedPort();
  std::uint16_t port() const { return port_; }

 private:
  Fd socket_;
  std::uint16_t port_ = 0;
};
/// One that is free now, for a program that is about to listen on it.
std::uint16_t freePort();

}  // namespace vkb::e2e
