#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/log.h"
#include "kube/exec_plugin.h"
#include "kube/kubeconfig.h"

namespace vkb::kube {

/// What a request authenticates with just now.
struct CurrentCredentials {
  std::string authorization;  ///< value of the header; "" without one
  std::string ca_pem, client_cert_pem, client_key_pem;
  std::uint64_t version = 0;      ///< changes with any member
  std::uint64_t tls_version = 0;  ///< changes with the PEM texts
};

/// Keeps one identity's credentials fresh: files are looked at again every 10 s, an exec plugin is
/// run when its answer is about to expire. While a renewal fails the old ones are used as long as
/// they are valid. Thread-safe; current() and renew() block while a plugin runs, one for all.
class Credentials {
 public:
  using PluginRunner = std::function<Result<ExecCredential>(const ClusterAccess&)>;

  Credentials(ClusterAccess access, const Clock& clock, base::Logger& logger,
              PluginRunner run_plugin);

  using Current = std::shared_ptr<const CurrentCredentials>;
  Result<Current> current();
  /// After a 401 to a request that was sent with `version`: looks for newer ones now. True when
  /// there are any (or another thread found some meanwhile), so that trying again makes sense.
  bool renew(std::uint64_t version);

 private:
  struct WatchedFile {
    std::string path, stamp;
  };
  void readFiles();
  bool readIfChanged(WatchedFile& file, std::string& into);
  void readCertificate();
  void readTokenFile();
  Result<void> freshenPlugin(bool force);
  Result<void> runPlugin(WallTime now);
  void rebuild();

  const ClusterAccess access_;
  const Clock& clock_;
  base::Logger& logger_;
  const PluginRunner run_plugin_;

  std::mutex mutex_;
  WatchedFile ca_file_, cert_file_, key_file_, token_file_;
  std::string ca_pem_, cert_pem_, key_pem_, token_;
  std::optional<TimePoint> files_read_;
  std::optional<ExecCredential> plugin_answer_;
  std::optional<WallTime> plugin_refresh_;  ///< when to run it again; nothing: only after a 401
  std::optional<Status> plugin_failure_;
  TimePoint plugin_retry_{};
  std::optional<TimePoint> forced_;  ///< when the plugin was last run because of a 401
  Current current_;
};

}  // namespace vkb::kube
