#include "bridge/cluster_kubelet.h"

#include <charconv>
#include <mutex>
#include <set>

#include "kube/call_gate.h"
#include "net/listener.h"

namespace vkb::bridge {
namespace {

constexpr std::chrono::seconds kRetry{5};
constexpr int kPortsTried = 1000;

/// 0: none, or nothing that is one.
std::uint16_t portIn(const std::optional<std::string>& text) {
  if (!text) return 0;
  unsigned port = 0;
  std::from_chars(text->data(), text->data() + text->size(), port);
  return port <= 65535 ? static_cast<std::uint16_t>(port) : 0;
}

}  // namespace

struct ClusterKubelet::Impl : std::enable_shared_from_this<Impl> {
  Impl(Deps d, KubeletOptions o, std::string n, std::string a)
      : deps(std::move(d)), options(std::move(o)), node(std::move(n)), address(std::move(a)) {}

  const Deps deps;
  const KubeletOptions options;
  const std::string node, address;
  kube::CallGate tasks;
  std::unique_ptr<kubelet::Server> server;  ///< only tasks, and stop() after the last of them
  std::string told;                         ///< the trouble that was logged last

  std::unique_ptr<kubelet::ServingCertificate> certificate() const {
    if (!options.cert_file.empty()) {
      return kubelet::certificateFromFiles(options.cert_file, options.key_file);
    }
    kubelet::SelfSignedOptions self_signed{.node = node, .load = {}, .save = {}};
    if (!address.empty()) self_signed.ips = {address};
    self_signed.load = [folder = &deps.folder, name = node] {
      return folder->readNodeFile(name, state::StateFolder::kKubeletCertificate);
    };
    self_signed.save = [folder = &deps.folder, name = node](const std::string& text) {
      return folder->writeNodeFile(name, state::StateFolder::kKubeletCertificate, text);
    };
    return kubelet::selfSignedCertificate(deps.runtime.clock, std::move(self_signed));
  }

  Result<std::unique_ptr<kubelet::Server>> serveOn(const std::string& where, std::uint16_t port) {
    return kubelet::Server::start({.runtime = deps.runtime,
                                   .home = deps.home,
                                   .logs = &deps.logs,
                                   .streams = &deps.streams,
                                   .stats = &deps.stats,
                                   .pods = deps.pods,
                                   .certificate = certificate(),
                                   .logger = deps.logger,
                                   .metrics = deps.metrics,
                                   .thread = options.thread},
                                  {.node = node,
                                   .address = where,
                                   .port = port,
                                   .client_ca_file = options.client_ca_file,
                                   .anonymous = options.anonymous});
  }

  /// An address that the machine does not have (a load balancer's, a translated one) leads here all
  /// the same.
  Result<std::unique_ptr<kubelet::Server>> serveAt(std::uint16_t port) {
    auto served = serveOn(address, port);
    if (!served && served.error().reason == net::kReasonNoSuchAddress) served = serveOn("", port);
    return served;
  }

  Result<std::set<std::uint16_t>> portsOfOthers() const {
    const auto clusters = deps.folder.clusters();
    if (!clusters) return failure(clusters.error());
    std::set<std::uint16_t> ports;
    for (const state::ClusterConfig& other : *clusters) {
      if (other.name == node) continue;
      const auto recorded = deps.folder.readNodeFile(other.name, state::StateFolder::kKubeletPort);
      if (!recorded) return failure(recorded.error());
      ports.insert(portIn(*recorded));
    }
    return ports;
  }

  /// The first port that nobody has, nor had.
  Result<std::unique_ptr<kubelet::Server>> serveAtNewPort() {
    const auto taken = portsOfOthers();
    if (!taken) return failure(taken.error());
    for (int port = options.port_base; port < options.port_base + kPortsTried && port <= 65535;
         ++port) {
      if (taken->contains(static_cast<std::uint16_t>(port))) continue;
      auto served = serveAt(static_cast<std::uint16_t>(port));
      if (!served && served.error().reason == net::kReasonAddressInUse) continue;
      if (!served) return served;
      const auto recorded = deps.folder.writeNodeFile(node, state::StateFolder::kKubeletPort,
                                                      std::to_string(port) + "\n");
      if (!recorded) return failure(recorded.error());
      return served;
    }
    return invalid("no free port from " + std::to_string(options.port_base) +
                   " on; choose another range with --kubelet-port-base");
  }

  Result<std::unique_ptr<kubelet::Server>> serveAtItsPort() {
    const auto recorded = deps.folder.readNodeFile(node, state::StateFolder::kKubeletPort);
    if (!recorded) return failure(recorded.error());
    const std::uint16_t port = portIn(*recorded);
    return port == 0 ? serveAtNewPort() : serveAt(port);
  }

  void serve() {
    auto served = serveAtItsPort();
    if (served) {
      server = std::move(*served);
      VKB_LOG(deps.logger, Info, "kubelet API listens", {"node", node}, {"address", address},
              {"port", server->port()});
      deps.on_port(server->port());
      return;
    }
    if (std::exchange(told, served.error().message) != served.error().message) {
      VKB_LOG(deps.logger, Warn, "no kubelet API yet: logs and exec do not work", {"node", node},
              {"message", served.error().message});
    }
    later(kRetry);
  }

  void later(Duration delay) {
    deps.runtime.executor.postAfter(delay, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->tasks.pass([&] { self->serve(); });
    });
  }
};

ClusterKubelet::ClusterKubelet(Deps deps, KubeletOptions options, std::string node,
                               std::string address)
    : impl_(std::make_shared<Impl>(std::move(deps), std::move(options), std::move(node),
                                   std::move(address))) {}

ClusterKubelet::~ClusterKubelet() { stop(); }

void ClusterKubelet::start() { impl_->later(Duration::zero()); }

void ClusterKubelet::stop() {
  impl_->tasks.close();
  impl_->server.reset();
}

}  // namespace vkb::bridge
