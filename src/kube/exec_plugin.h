#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "kube/kubeconfig.h"
#include "vkbridge/runtime.h"
#include "vkbridge/status.h"

namespace vkb::kube {

/// What a credential plugin answered (ExecCredential.status).
struct ExecCredential {
  std::string token;
  std::string client_cert_pem, client_key_pem;
  std::optional<WallTime> expires{};
};

inline constexpr std::chrono::seconds kExecPluginDeadline{15};

/// Runs `access.exec` once and reads its answer. Blocks until the plugin ends, at most `deadline`:
/// then it and everything it started in its process group is killed. The plugin gets this
/// process's environment plus its own `env` and KUBERNETES_EXEC_INFO, no terminal, /dev/null as
/// stdin, no other open files, and SIGPIPE as a fresh process has it. A failure names the plugin
/// and shows the end of its stderr. Thread-safe.
Result<ExecCredential> runExecPlugin(const ClusterAccess& access,
                                     std::chrono::milliseconds deadline = kExecPluginDeadline);

}  // namespace vkb::kube
