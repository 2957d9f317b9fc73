#include <cstdio>

#include "cli/commands.h"
#include "state/database.h"

namespace vkb::cli {

Result<void> status(Session& session, const StatusOptions& options) {
  auto folder = state::StateFolder::openExisting(session.options().stateDir());
  if (!folder) return failure(folder.error());
  StatusData data;
  data.bridge_pid = state::StateLock::holder(*folder);
  data.state_dir = folder->path().string();
  data.now = session.clock().wallNow();
  auto configs = folder->clusters();
  if (!configs) return failure(configs.error());
  auto database = state::Database::openReadOnly(*folder);
  if (!database) return failure(database.error());
  std::vector<state::ClusterHealth> health;
  if (*database) {
    auto pods = (*database)->loadAll();
    if (!pods) return failure(pods.error());
    data.pods = std::move(*pods);
    auto loaded = (*database)->loadHealth();
    if (!loaded) return failure(loaded.error());
    health = std::move(*loaded);
  }
  data.clusters = joinHealth(std::move(*configs), health);
  auto text = renderStatus(data, options.format, options.filter);
  if (!text) return failure(text.error());
  std::fwrite(text->data(), 1, text->size(), stdout);
  return {};
}

}  // namespace vkb::cli
