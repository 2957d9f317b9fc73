#include "bridge/supervisor.h"

#include <atomic>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

#include "bridge/cluster.h"

namespace vkb::bridge {
namespace {

constexpr std::chrono::seconds kRetry{5};

std::string fileContent(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

}  // namespace

struct Supervisor::Impl : std::enable_shared_from_this<Supervisor::Impl> {
  struct Served {
    std::unique_ptr<Cluster> cluster;
    state::ClusterConfig config;
    std::string kubeconfig;  ///< content that it was started with
    bool leaving = false, forgetting = false;
    /// Set from one of its own tasks: nothing is served any more.
    std::shared_ptr<std::atomic<bool>> has_left = std::make_shared<std::atomic<bool>>(false);
  };

  Impl(Deps d, Options o) : deps(std::move(d)), options(std::move(o)) {}

  Deps deps;
  Options options;
  mutable std::mutex mutex;                   ///< held over a whole reconcile()
  std::unique_ptr<HomeObjects> home_objects;  ///< while a cluster is served, which uses it
  std::map<std::string, Served> served;
  bool stopping = false;
  std::atomic<bool> retry_set = false;

  Result<std::unique_ptr<Cluster>> startCluster(const state::ClusterConfig& config) {
    if (!home_objects) {
      auto shared = deps.connect_home();
      if (!shared) return failure(shared.error());
      home_objects = std::make_unique<HomeObjects>(deps.runtime, std::move(*shared), deps.logger);
    }
    auto home = deps.connect_home();
    if (!home) return failure(home.error());
    auto target = deps.connect_target(config);
    if (!target) return failure(target.error());
    auto cluster = std::make_unique<Cluster>(
        Cluster::Deps{.runtime = deps.runtime,
                      .home = std::move(*home),
                      .home_objects = *home_objects,
                      .target = std::move(target->client),
                      .identity_differs = std::move(target->identity_differs),
                      .store = deps.database,
                      .dependencies = deps.database,
                      .publish = [this](const state::ClusterHealth& health) { publish(health); },
                      .logger = deps.logger,
                      .metrics = deps.metrics},
        Cluster::Options{.config = config,
                         .home_id = options.home_id,
                         .installation_id = options.installation_id,
                         .host_ip = options.host_ip,
                         .kubelet = options.kubelet,
                         .folder = &deps.folder});
    if (auto started = cluster->start(); !started) return failure(started.error());
    return cluster;
  }

  void publish(const state::ClusterHealth& health) {
    if (auto written = deps.database.putHealth(health); !written) {
      VKB_LOG(deps.logger, Warn, "cluster health not written", {"cluster", health.name},
              {"message", written.error().message});
    }
  }

  void serveLocked(const state::ClusterConfig& config) {
    const std::string kubeconfig = fileContent(deps.folder.kubeconfigPath(config.name));
    auto found = served.find(config.name);
    if (found != served.end()) {
      const bool same = found->second.kubeconfig == kubeconfig &&
                        found->second.config.options == config.options &&
                        found->second.config.target_id == config.target_id &&
                        found->second.config.identity_namespace == config.identity_namespace;
      const bool stays_after_all = found->second.leaving && !config.leaving;
      if ((!same && !found->second.leaving) || stays_after_all || *found->second.has_left) {
        // New credentials or options: the same pods go on under a new connection.
        VKB_LOG(deps.logger, Info, "cluster changed", {"cluster", config.name});
        served.erase(found);
        found = served.end();
      }
    }
    if (found == served.end()) {
      auto cluster = startCluster(config);
      if (!cluster) {
        VKB_LOG(deps.logger, Error, "cluster not served", {"cluster", config.name},
                {"message", cluster.error().message});
        publish({.name = config.name,
                 .state = "Starting",
                 .message = cluster.error().message,
                 .updated_at = deps.runtime.clock.wallNow()});
        retryLater();
        return;
      }
      VKB_LOG(deps.logger, Info, "serving cluster", {"cluster", config.name});
      found = served
                  .emplace(config.name, Served{.cluster = std::move(*cluster),
                                               .config = config,
                                               .kubeconfig = kubeconfig})
                  .first;
    }
    if (config.losses_confirmed_at > found->second.config.losses_confirmed_at) {
      found->second.cluster->confirmLosses();
      found->second.config.losses_confirmed_at = config.losses_confirmed_at;
    }
    if (config.leaving) leaveLocked(found->second, config);
  }

  /// Who was asked to leave in order may be told later to forget the target.
  void leaveLocked(Served& cluster, const state::ClusterConfig& config) {
    const bool first = !std::exchange(cluster.leaving, true);
    const bool forget = config.forget_target && !std::exchange(cluster.forgetting, true);
    if (!first && !forget) return;
    cluster.cluster->leave(config.forget_target,
                           [this, name = config.name, has_left = cluster.has_left](auto may_run) {
                             left(name, may_run);
                             *has_left = true;
                           });
  }

  /// On an executor task of the cluster that has gone, which its stop() waits for: takes no mutex.
  void left(const std::string& name, const std::vector<PodRecord>& may_still_run) {
    for (const PodRecord& record : may_still_run) {
      VKB_LOG(deps.logger, Warn, "may still run in the forgotten target", {"cluster", name},
              {"delegate", record.place_ns + "/" + record.place_name},
              {"home_pod", record.ns + "/" + record.name});
    }
    // Joined again meanwhile: the next reconcile() serves it anew.
    const auto config = deps.folder.cluster(name);
    if (config && *config && !(*config)->leaving) return retryLater();
    // The folder goes last: whoever waits for `leave` waits for that.
    const auto forgotten = deps.database.forgetCluster(name);
    const auto removed = forgotten ? deps.folder.removeCluster(name) : forgotten;
    if (!removed) {
      VKB_LOG(deps.logger, Error, "cluster left, but not forgotten", {"cluster", name},
              {"message", removed.error().message});
      retryLater();
    } else {
      VKB_LOG(deps.logger, Info, "cluster left", {"cluster", name});
    }
    // Destroyed by the next reconcile(), not here: this is one of its own tasks.
  }

  void retryLater() {
    if (retry_set.exchange(true)) return;
    deps.runtime.executor.postAfter(kRetry, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->retry_set = false;
      if (!self->reconcile()) self->retryLater();
    });
  }

  Result<void> reconcile() {
    std::lock_guard lock(mutex);
    if (stopping) return {};
    auto configs = deps.folder.clusters();
    if (!configs) return failure(configs.error());
    std::map<std::string, const state::ClusterConfig*> wanted;
    for (const auto& config : *configs) wanted[config.name] = &config;
    for (auto it = served.begin(); it != served.end();) {
      it = wanted.contains(it->first) ? std::next(it) : served.erase(it);
    }
    for (const auto& [name, config] : wanted) serveLocked(*config);
    if (served.empty()) home_objects.reset();
    return {};
  }
};

Supervisor::Supervisor(Deps deps, Options options)
    : impl_(std::make_shared<Impl>(std::move(deps), std::move(options))) {}

Supervisor::~Supervisor() { stop(); }

Result<void> Supervisor::reconcile() { return impl_->reconcile(); }

void Supervisor::stop() {
  std::lock_guard lock(impl_->mutex);
  impl_->stopping = true;
  for (auto& [name, served] : impl_->served) served.cluster->stop();
  impl_->served.clear();
  impl_->home_objects.reset();
}

std::size_t Supervisor::serving() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->served.size();
}

}  // namespace vkb::bridge
