#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vkbridge/status.h"

namespace vkb::kube {

/// An exec credential plugin's `user.exec` (client.authentication.k8s.io v1, v1beta1).
struct ExecPlugin {
  std::string api_version, command;
  std::vector<std::string> args;
  std::map<std::string, std::string> env;
  bool provide_cluster_info = false;
  /// JSON of the cluster's extension "client.authentication.k8s.io/exec", handed to the plugin with
  /// the cluster info; "" when there is none.
  std::string cluster_config;
  std::string install_hint;
};

/// Everything needed to talk to one API server as one identity: one context of a kubeconfig, files
/// already resolved against the kubeconfig's folder. PEM members hold text, whether it came inline
/// or from a file. Never logged.
struct ClusterAccess {
  std::string context;  ///< name of the context chosen
  std::string server;   ///< https://host:port[/prefix]
  std::string ca_pem;   ///< empty: the system's roots
  bool insecure_skip_tls_verify = false;
  std::string tls_server_name;
  std::string proxy_url;
  std::string client_cert_pem, client_key_pem;
  /// Where the PEM texts came from when they were not inline: re-read when they change.
  std::string ca_file, client_cert_file, client_key_file;
  std::string token;
  std::string token_file;  ///< re-read when it changes
  std::string username, password;
  std::optional<ExecPlugin> exec;
  std::string ns;  ///< the context's default namespace
};

/// Reads `path` as kubectl would and resolves `context` ("": current-context). Errors are one
/// sentence that names the file and what to do; what is not supported is refused by name.
Result<ClusterAccess> loadKubeconfig(const std::string& path, const std::string& context = "");

/// The home cluster's: `path` if given, else $KUBECONFIG (several files merge by kubectl's rules),
/// else ~/.kube/config, else the in-cluster service account.
Result<ClusterAccess> loadDefaultKubeconfig(const std::string& path);

/// What loadDefaultKubeconfig takes from its surroundings; tests hand in their own.
struct KubeconfigSearch {
  std::string kubeconfig;                  ///< $KUBECONFIG
  std::string home;                        ///< $HOME
  std::string service_host, service_port;  ///< $KUBERNETES_SERVICE_HOST, _PORT
  std::string service_account_dir = "/var/run/secrets/kubernetes.io/serviceaccount";
};
KubeconfigSearch searchFromEnvironment();
Result<ClusterAccess> loadDefaultKubeconfig(const std::string& path,
                                            const KubeconfigSearch& search);

/// The chosen context alone with every file inlined: a kubeconfig that stands on its own, for the
/// state folder. An exec plugin or tokenFile stays a reference.
std::string flatten(const ClusterAccess& access);

}  // namespace vkb::kube
