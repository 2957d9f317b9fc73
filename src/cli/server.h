#pragma once

#include <memory>
#include <string>

#include "bridge/supervisor.h"
#include "cli/session.h"
#include "state/database.h"

namespace vkb::cli {

/// A bridge at work on a state folder: lock, database, supervisor and the watch on the folder.
/// `run` is one of these until a signal comes; `leave` starts one when no bridge runs.
class Server {
 public:
  static Result<std::unique_ptr<Server>> start(Session& session, state::StateFolder folder,
                                               const Session::Home& home,
                                               const std::string& node_address,
                                               std::optional<bridge::KubeletOptions> kubelet = {});
  /// As stop().
  ~Server();
  /// Finishes what is under way, starts nothing new.
  void stop();
  std::size_t serving() const { return supervisor_->serving(); }

 private:
  Server(state::StateFolder folder, state::StateLock lock)
      : folder_(std::move(folder)), lock_(std::move(lock)) {}

  state::StateFolder folder_;
  state::StateLock lock_;
  std::unique_ptr<state::Database> database_;
  std::unique_ptr<bridge::Supervisor> supervisor_;
  std::unique_ptr<state::ClusterFolderWatch> watch_;
};

}  // namespace vkb::cli
