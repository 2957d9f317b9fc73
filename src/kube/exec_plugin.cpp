#include "kube/exec_plugin.h"

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "json/time.h"
#include "kube/base64.h"
#include "kube/child_process.h"
#include "kube/files.h"

namespace vkb::kube {
namespace {

/// KUBERNETES_EXEC_INFO, as client-go's exec package fills it.
std::string execInfo(const ClusterAccess& access) {
  const ExecPlugin& plugin = *access.exec;
  Json spec = {{"interactive", false}};
  if (plugin.provide_cluster_info) {
    Json cluster = {{"server", access.server}};
    if (!access.ca_pem.empty()) {
      cluster["certificate-authority-data"] = base64Encode(access.ca_pem);
    }
    if (!access.tls_server_name.empty()) cluster["tls-server-name"] = access.tls_server_name;
    if (access.insecure_skip_tls_verify) cluster["insecure-skip-tls-verify"] = true;
    if (!access.proxy_url.empty()) cluster["proxy-url"] = access.proxy_url;
    Json config = Json::parse(plugin.cluster_config, nullptr, false);
    if (!config.is_discarded()) cluster["config"] = std::move(config);
    spec["cluster"] = std::move(cluster);
  }
  return Json{{"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", spec}}
      .dump();
}

/// A failure that somebody has to mend on this machine: slow retries.
tl::unexpected<Status> pluginError(const ExecPlugin& plugin, const std::string& what) {
  return failure({.code = 0,
                  .reason = "CredentialPlugin",
                  .message = "credential plugin \"" + plugin.command + "\" " + what,
                  .retry = Retry::kSlow});
}

std::string shown(const std::string& err) {
  const std::string text = trimmed(err);
  return text.empty() ? " and wrote nothing to stderr" : ": " + text;
}

Result<ExecCredential> readAnswer(const ExecPlugin& plugin, const std::string& text) {
  const auto answer = json::parse(text);
  if (!answer || json::str(*answer, "kind") != "ExecCredential") {
    return pluginError(plugin, "did not print an ExecCredential object");
  }
  if (const std::string version = json::str(*answer, "apiVersion"); version != plugin.api_version) {
    return pluginError(plugin, "answered in apiVersion \"" + version +
                                   "\" where the kubeconfig "
                                   "says \"" +
                                   plugin.api_version + "\"");
  }
  ExecCredential credential;
  credential.token = trimmed(json::str(*answer, {"status", "token"}));
  credential.client_cert_pem = json::str(*answer, {"status", "clientCertificateData"});
  credential.client_key_pem = json::str(*answer, {"status", "clientKeyData"});
  if (credential.client_cert_pem.empty() != credential.client_key_pem.empty()) {
    return pluginError(plugin, "gave only one of clientCertificateData and clientKeyData");
  }
  if (credential.token.empty() && credential.client_cert_pem.empty()) {
    return pluginError(plugin, "gave neither a token nor a client certificate");
  }
  for (const char c : credential.token) {
    if (c < 0x21 || c > 0x7e) {
      return pluginError(plugin, "gave a token with white space or unprintable characters");
    }
  }
  const std::string expires = json::str(*answer, {"status", "expirationTimestamp"});
  credential.expires = json::parseTime(expires);
  if (!expires.empty() && !credential.expires) {
    return pluginError(plugin, "gave an expirationTimestamp that is no RFC 3339 time");
  }
  return credential;
}

}  // namespace

Result<ExecCredential> runExecPlugin(const ClusterAccess& access,
                                     std::chrono::milliseconds deadline) {
  const ExecPlugin& plugin = *access.exec;
  auto env = plugin.env;
  env["KUBERNETES_EXEC_INFO"] = execInfo(access);
  const auto outcome = runChild(plugin.command, plugin.args, env, deadline);
  if (!outcome) {
    const std::string hint = plugin.install_hint.empty() ? "" : "; " + plugin.install_hint;
    return pluginError(plugin, "cannot be started: " + outcome.error().message + hint);
  }
  if (outcome->timed_out) {
    return pluginError(plugin, "did not end within " + std::to_string(deadline.count() / 1000) +
                                   " s and was killed" + shown(outcome->err));
  }
  if (outcome->exit_code != 0) {
    const std::string how = outcome->exit_code < 0
                                ? "was ended by a signal"
                                : "failed with exit code " + std::to_string(outcome->exit_code);
    return pluginError(plugin, how + shown(outcome->err));
  }
  return readAnswer(plugin, outcome->out);
}

}  // namespace vkb::kube
