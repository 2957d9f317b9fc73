#include <nlohmann/json.hpp>

#include "kube/base64.h"
#include "kube/kubeconfig.h"
#include "kube/yaml.h"

namespace vkb::kube {
namespace {

void set(Json& map, const char* key, const std::string& value) {
  if (!value.empty()) map[key] = value;
}

void setData(Json& map, const char* key, const std::string& pem) {
  if (!pem.empty()) map[key] = base64Encode(pem);
}

Json execOf(const ExecPlugin& plugin) {
  Json exec = {{"apiVersion", plugin.api_version},
               {"command", plugin.command},
               {"interactiveMode", "Never"},
               {"provideClusterInfo", plugin.provide_cluster_info}};
  if (!plugin.args.empty()) exec["args"] = plugin.args;
  for (const auto& [name, value] : plugin.env) {
    exec["env"].push_back({{"name", name}, {"value", value}});
  }
  set(exec, "installHint", plugin.install_hint);
  return exec;
}

}  // namespace

std::string flatten(const ClusterAccess& access) {
  Json cluster = {{"server", access.server}};
  setData(cluster, "certificate-authority-data", access.ca_pem);
  if (access.insecure_skip_tls_verify) cluster["insecure-skip-tls-verify"] = true;
  set(cluster, "tls-server-name", access.tls_server_name);
  set(cluster, "proxy-url", access.proxy_url);

  Json user = Json::object();
  setData(user, "client-certificate-data", access.client_cert_pem);
  setData(user, "client-key-data", access.client_key_pem);
  set(user, "token", access.token);
  set(user, "tokenFile", access.token_file);
  set(user, "username", access.username);
  set(user, "password", access.password);
  if (access.exec) {
    user["exec"] = execOf(*access.exec);
    // A plugin that was given the cluster's own extension must find it again.
    Json config = Json::parse(access.exec->cluster_config, nullptr, false);
    if (!access.exec->cluster_config.empty() && !config.is_discarded()) {
      cluster["extensions"].push_back(
          {{"name", "client.authentication.k8s.io/exec"}, {"extension", std::move(config)}});
    }
  }

  Json context = {{"cluster", access.context}, {"user", access.context}};
  set(context, "namespace", access.ns);
  const auto named = [&](const char* member, Json value) {
    Json entry = {{"name", access.context}};
    entry[member] = std::move(value);
    Json list = Json::array();
    list.push_back(std::move(entry));
    return list;
  };
  Json document = {{"apiVersion", "v1"}, {"kind", "Config"}};
  document["current-context"] = access.context;
  document["clusters"] = named("cluster", std::move(cluster));
  document["users"] = named("user", std::move(user));
  document["contexts"] = named("context", std::move(context));
  return toYaml(document);
}

}  // namespace vkb::kube
