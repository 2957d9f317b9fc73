#include "support/kubeconfig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <fstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

#include "json/json.h"

namespace vkb::e2e {

Json readKubeconfig(const Cluster& cluster) {
  return Json::parse(
      cluster.must({"config", "view", "--raw", "--flatten", "--minify", "-o", "json"}));
}

Json& clusterOf(Json& config) { return config["clusters"][0]["cluster"]; }
Json& userOf(Json& config) { return config["users"][0]["user"]; }

std::filesystem::path writeKubeconfig(const std::filesystem::path& file, const Json& config) {
  std::ofstream(file) << config.dump(2) << '\n';
  std::filesystem::permissions(
      file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  return file;
}

Endpoint endpointOf(const Json& config) {
  std::string server = json::str(config["clusters"][0], {"cluster", "server"});
  constexpr std::string_view kScheme = "https://";
  if (server.rfind(kScheme, 0) != 0) {
    throw std::runtime_error("the kubeconfig's server must be https: " + server);
  }
  server.erase(0, kScheme.size());
  Endpoint endpoint;
  if (const auto slash = server.find('/'); slash != std::string::npos) {
    endpoint.prefix = server.substr(slash);
    server.erase(slash);
  }
  const auto bracket = server.find(']');
  const auto colon = server.find(':', bracket == std::string::npos ? 0 : bracket);
  if (colon != std::string::npos) {
    endpoint.port = static_cast<std::uint16_t>(std::stoi(server.substr(colon + 1)));
    server.erase(colon);
  }
  endpoint.host = bracket == std::string::npos ? server : server.substr(1, bracket - 1);
  return endpoint;
}

void pointAtLoopback(Json& config, std::uint16_t port) {
  const Endpoint endpoint = endpointOf(config);
  Json& cluster = clusterOf(config);
  if (!cluster.contains("tls-server-name")) cluster["tls-server-name"] = endpoint.host;
  cluster["server"] = "https://127.0.0.1:" + std::to_string(port) + endpoint.prefix;
}

std::string expiredToken() {
  // {"alg":"RS256","kid":"e2e"} . {"iss":"https://kubernetes.default.svc","exp":1000000000,
  // "sub":"system:serviceaccount:default:default"} . a signature that cannot match
  return "eyJhbGciOiJSUzI1NiIsImtpZCI6ImUyZSJ9."
         "eyJpc3MiOiJodHRwczovL2t1YmVybmV0ZXMuZGVmYXVsdC5zdmMiLCJleHAiOjEwMDAwMDAwMDAsInN1YiI6InN5"
         "c3RlbTpzZXJ2aWNlYWNjb3VudDpkZWZhdWx0OmRlZmF1bHQifQ."
         "c2lnbmF0dXJl";
}

ClosedPort::ClosedPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error("cannot reserve a loopback port");
  }
  port_ = ntohs(address.sin_port);
}

std::uint16_t freePort() { return ClosedPort().port(); }

}  // namespace vkb::e2e
