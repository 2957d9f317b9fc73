#pragma once

#include <sys/types.h>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "state/pod_options.h"
#include "vkbridge/runtime.h"
#include "vkbridge/status.h"

namespace vkb::state {

/// What an operator chose at `join` for one target cluster.
struct ClusterOptions {
  std::vector<std::string> allow_namespaces;  ///< globs; namespaces not ours that pods may go to
  bool keep_labels = false;                   ///< --labels=keep: no re-keying in those
  PodOptions pods{};
  /// Namespace of the claim's Lease in the target.
  std::string claim_namespace = "vk-bridge";
  bool recreate_lost = false;       ///< --on-delegate-lost=recreate
  bool hold_unreachable = false;    ///< --when-unreachable=hold
  bool metrics_from_nodes = false;  ///< --metrics=nodes: through nodes/proxy of the target
  /// --limit: at most so much is offered; resource name -> quantity that can be parsed.
  std::map<std::string, std::string> limits{};
  /// `join` found that the credentials may act in the namespace of strategy `single` alone: nothing
  /// else of the target is looked at, and `limits` are all that the node offers.
  bool one_namespace = false;

  bool operator==(const ClusterOptions&) const = default;
};

/// clusters/NAME/cluster.json.
struct ClusterConfig {
  std::string name;       ///< also the virtual node's
  std::string target_id;  ///< UID of the target's identity_namespace
  /// kube-system; where that may not be read, the one namespace that may.
  std::string identity_namespace = "kube-system";
  /// What stood behind this name before (join --different-cluster): its node may still be there.
  std::vector<std::string> former_target_ids{};
  std::string server;  ///< for people
  WallTime joined_at{};
  bool leaving = false;        ///< `leave` asked the running bridge to let go
  bool forget_target = false;  ///< leave --force: the target no longer exists
  /// `gc --confirm`: losses that the bridge held back until then are real.
  WallTime losses_confirmed_at{};
  ClusterOptions options{};
};

/// A DNS label of at most 40 characters, as cluster and node names are; else the sentence that says
/// what is wrong.
Result<void> checkClusterName(const std::string& name);

/// The state folder: clusters/NAME/{kubeconfig,cluster.json}, state.db, installation, home, lock.
/// Folders are 0700, files 0600, each written whole under another name and renamed. One instance
/// per process; methods are thread-safe in so far as the file system is.
class StateFolder {
 public:
  /// `path` empty: $XDG_STATE_HOME/vk-bridge, else ~/.local/state/vk-bridge (root:
  /// /var/lib/vk-bridge).
  static std::filesystem::path defaultPath();
  /// Makes it when missing. A folder that others may read is an error that says which chmod.
  static Result<StateFolder> open(const std::filesystem::path& path);
  /// For readers such as `status`: makes nothing; a missing folder is an error that names `join`.
  /// The installation id is empty where nothing ever wrote.
  static Result<StateFolder> openExisting(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path database() const { return path_ / "state.db"; }
  /// Random, made once.
  const std::string& installationId() const { return installation_id_; }

  /// The home cluster's identity is recorded by the first that knows it; another one later is an
  /// error that says so.
  Result<void> bindHome(const std::string& home_id);
  std::optional<std::string> homeId() const;

  /// Sorted by name. A cluster.json that cannot be read is an error that names the file.
  Result<std::vector<ClusterConfig>> clusters() const;
  Result<std::optional<ClusterConfig>> cluster(const std::string& name) const;
  std::filesystem::path kubeconfigPath(const std::string& name) const;
  /// Writes the kubeconfig first, cluster.json last: a folder without cluster.json does not exist.
  Result<void> writeCluster(const ClusterConfig& config, const std::string& kubeconfig);
  Result<void> writeConfig(const ClusterConfig& config);
  /// A small file of one cluster's node, which `run` alone writes and which goes with the cluster;
  /// `file` is one of the names below.
  static constexpr const char* kKubeletPort = "kubelet-port";
  static constexpr const char* kKubeletCertificate = "kubelet.pem";
  Result<std::optional<std::string>> readNodeFile(const std::string& name,
                                                  const std::string& file) const;
  Result<void> writeNodeFile(const std::string& name, const std::string& file,
                             const std::string& content) const;
  Result<void> removeCluster(const std::string& name);

 private:
  explicit StateFolder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
  std::string installation_id_;
};

/// Held by `run` for its life: an open file description lock on <folder>/lock (as flock, but others
/// can ask for it without taking it), pid inside. Released by the kernel when the process dies.
class StateLock {
 public:
  /// The error names the pid that holds it.
  static Result<StateLock> acquire(const StateFolder& folder);
  /// The pid of the bridge that runs on this folder, if one does.
  static std::optional<pid_t> holder(const StateFolder& folder);
  StateLock(StateLock&& other) noexcept;
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock();

 private:
  explicit StateLock(int fd) : fd_(fd) {}
  int fd_;
};

/// Calls `changed` after anything below clusters/ changed (inotify; bursts within 200 ms are one).
/// Once too often does no harm: `changed` looks at what is there. Where the kernel has no inotify
/// watch left, it is called every 2 s. One thread, "cluster-watch", runs it; the destructor joins
/// that thread, so it must not be called from `changed`.
class ClusterFolderWatch {
 public:
  ClusterFolderWatch(const StateFolder& folder, std::function<void()> changed);
  ~ClusterFolderWatch();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vkb::state
