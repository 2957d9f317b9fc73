#include "cli/server.h"

#include <Poco/Net/DatagramSocket.h>
#include <Poco/URI.h>

#include "kube/identity.h"

namespace vkb::cli {
namespace {

/// Between looks at what the watches say, while they say much (measured: with 20 ms an eighth less
/// CPU a pod than without; more saves little).
constexpr std::chrono::milliseconds kWatchPause{20};

/// The address that this machine has towards home's API server: what a node's InternalIP should be.
/// Connecting a datagram socket sends nothing.
std::string localAddressTowards(const std::string& server) {
  try {
    const Poco::URI uri(server);
    Poco::Net::DatagramSocket socket;
    socket.connect(Poco::Net::SocketAddress(uri.getHost(), uri.getPort()));
    return socket.address().host().toString();
  } catch (const Poco::Exception&) {
    return "";  // the node then has no InternalIP; nothing else depends on it
  }
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Session& session, state::StateFolder folder,
                                              const Session::Home& home,
                                              const std::string& node_address,
                                              std::optional<bridge::KubeletOptions> kubelet) {
  auto lock = state::StateLock::acquire(folder);
  if (!lock) return failure(lock.error());
  if (auto bound = folder.bindHome(home.id); !bound) return failure(bound.error());
  std::unique_ptr<Server> server(new Server(std::move(folder), std::move(*lock)));
  auto database = state::Database::open(server->folder_);
  if (!database) return failure(database.error());
  server->database_ = std::move(*database);

  using Guarded = Result<std::unique_ptr<kube::IdentityGuard>>;
  using Thread = std::shared_ptr<net::EventThread>;
  const auto connect = [&session](const kube::ClusterAccess& access, const std::string& name,
                                  const std::string& id, const Thread& watches,
                                  const std::string& ns = kube::kIdentityNamespace) -> Guarded {
    auto proof = std::make_shared<kube::IdentityProof>(ns);
    auto client = session.connect(access, name, proof, watches);
    if (!client) return failure(client.error());
    return std::make_unique<kube::IdentityGuard>(std::move(*client), id, std::move(proof));
  };
  const std::string home_id = home.id;
  // For all clusters together, however many there are. Home has one of its own: no target can keep
  // it busy.
  const auto home_watches = std::make_shared<net::EventThread>("vkb-watch-home", kWatchPause);
  const auto target_watches = std::make_shared<net::EventThread>("vkb-watch-there", kWatchPause);
  if (kubelet) kubelet->thread = std::make_shared<net::EventThread>("vkb-kubelet");
  server->supervisor_ = std::make_unique<bridge::Supervisor>(
      bridge::Supervisor::Deps{
          .runtime = session.runtime(),
          .folder = server->folder_,
          .database = *server->database_,
          .connect_home = [connect, home_id, home_watches,
                           access = home.access]() -> Result<std::unique_ptr<kube::Client>> {
            auto guard = connect(access, "home", home_id, home_watches);
            if (!guard) return failure(guard.error());
            return std::move(*guard);
          },
          .connect_target =
              [connect, target_watches, folder_ptr = &server->folder_](
                  const state::ClusterConfig& config) -> Result<bridge::Supervisor::Target> {
            auto access = kube::loadKubeconfig(folder_ptr->kubeconfigPath(config.name).string());
            if (!access) return failure(access.error());
            auto guard = connect(*access, config.name, config.target_id, target_watches,
                                 config.identity_namespace);
            if (!guard) return failure(guard.error());
            const kube::IdentityGuard* identity = guard->get();
            return bridge::Supervisor::Target{
                .client = std::move(*guard),
                .identity_differs = [identity] { return identity->identityDiffers(); }};
          },
          .logger = session.logger(),
          .metrics = session.metrics()},
      bridge::Supervisor::Options{
          .home_id = home.id,
          .installation_id = server->folder_.installationId(),
          .host_ip = node_address.empty() ? localAddressTowards(home.access.server) : node_address,
          .kubelet = std::move(kubelet)});

  const auto reconcile = [supervisor = server->supervisor_.get(), &session] {
    if (auto done = supervisor->reconcile(); !done) {
      VKB_LOG(session.logger(), Error, "state folder cannot be read",
              {"message", done.error().message});
    }
  };
  server->watch_ = std::make_unique<state::ClusterFolderWatch>(server->folder_, reconcile);
  if (auto first = server->supervisor_->reconcile(); !first) return failure(first.error());
  return server;
}

Server::~Server() { stop(); }

void Server::stop() {
  watch_.reset();
  if (supervisor_) supervisor_->stop();
}

}  // namespace vkb::cli
