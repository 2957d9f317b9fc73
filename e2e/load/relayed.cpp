#include "load/relayed.h"

#include <cstdio>
#include <fstream>

#include "kube/kubeconfig.h"
#include "kube/server_url.h"
#include "load/workplace.h"
#include "relay/relay.h"

namespace vkb::load {

Result<void> runRelay(const std::string& kubeconfig, const std::string& out,
                      std::chrono::milliseconds rtt) {
  blockSignals();
  auto access = kube::loadKubeconfig(kubeconfig);
  if (!access) return failure(access.error());
  const auto server = kube::parseServerUrl(access->server);
  if (!server) return failure(server.error());
  e2e::Relay relay(server->host, server->port);
  relay.delay(e2e::Relay::Direction::kToServer, rtt / 2);
  relay.delay(e2e::Relay::Direction::kToClient, rtt - rtt / 2);
  // Certificates are checked against the server's own name.
  if (access->tls_server_name.empty()) access->tls_server_name = server->host;
  access->server = "https://127.0.0.1:" + std::to_string(relay.port());
  std::ofstream(out) << kube::flatten(*access);
  std::printf("ready\n");
  std::fflush(stdout);
  waitForSignal();
  return {};
}

}  // namespace vkb::load
