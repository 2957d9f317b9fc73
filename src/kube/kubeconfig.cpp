#include "kube/kubeconfig.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "kube/base64.h"
#include "kube/files.h"
#include "kube/kubeconfig_merge.h"
#include "kube/server_url.h"
#include "kube/yaml.h"

namespace vkb::kube {
namespace {

/// One cluster or user while it is being resolved: what messages call it, and where it stands.
struct Item {
  const KubeconfigEntry& entry;
  std::string what;  ///< e.g. user "admin" in kubeconfig /a

  std::string text(std::string_view key) const { return json::str(entry.value(), key); }
  tl::unexpected<Status> error(const std::string& sentence) const {
    return invalid(what + ": " + sentence);
  }
};

/// kubectl's spelling of booleans is YAML's.
Result<bool> boolean(const Item& item, const std::string& key) {
  std::string value = item.text(key);
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (value == "true" || value == "yes" || value == "on") return true;
  if (value.empty() || value == "false" || value == "no" || value == "off") return false;
  return item.error("`" + key + "` is neither true nor false");
}

Result<std::string> fileOf(const Item& item, const std::string& key, const std::string& path) {
  const auto text = readTextFile(path);
  if (!text) {
    return item.error("cannot read its `" + key + "` " + path + ": " + text.error().message);
  }
  if (trimmed(*text).empty()) return item.error("its `" + key + "` " + path + " is empty");
  return *text;
}

/// `key`-data if there, else the file `key`; "" when neither is. `file` is set when it was a file.
Result<std::string> pem(const Item& item, const std::string& key, std::string& file) {
  const std::string data = item.text(key + "-data"), path = item.text(key);
  std::string text, from;
  if (!data.empty()) {
    auto decoded = base64Decode(data);
    if (!decoded) return item.error("`" + key + "-data` is not valid base64");
    text = std::move(*decoded);
    from = "`" + key + "-data`";
  } else if (!path.empty()) {
    const std::string resolved = item.entry.resolve(path);
    auto read = fileOf(item, key, resolved);
    if (!read) return read;
    text = std::move(*read);
    file = resolved;
    from = "`" + key + "` " + file;
  } else {
    return std::string();
  }
  if (text.find("-----BEGIN ") == std::string::npos) {
    return item.error(from + " holds no PEM block (-----BEGIN …)");
  }
  return text;
}

Result<void> refuse(const Item& item, const std::string& key, const std::string& name,
                    const std::string& instead) {
  const Json& value = json::at(item.entry.value(), key);
  if (value.is_null() || value == "" || (value.is_structured() && value.empty())) return {};
  return item.error(name + " (`" + key + "`) is not supported; " + instead);
}

Result<void> resolveServer(const Item& item, ClusterAccess& access) {
  access.server = item.text("server");
  if (access.server.empty()) return item.error("it has no `server`");
  const auto url = parseServerUrl(access.server);
  if (!url) return item.error("its `server` cannot be used: " + url.error().message);
  const bool local =
      url->host == "localhost" || url->host == "::1" || url->host.starts_with("127.");
  if (url->scheme == "http" && !local) {
    return item.error(
        "its `server` is plain http, which is only accepted on this machine "
        "(kubectl proxy); use https");
  }
  if (url->scheme != "https" && url->scheme != "http") {
    return item.error("its `server` has the scheme \"" + url->scheme + "\"; use https");
  }
  if (!url->user_info.empty()) {
    return item.error("its `server` holds a user; put credentials under `users`");
  }
  return {};
}

Result<void> resolveProxy(const Item& item, ClusterAccess& access) {
  access.proxy_url = item.text("proxy-url");
  if (access.proxy_url.empty()) return {};
  const auto url = parseServerUrl(access.proxy_url);
  if (!url) return item.error("its `proxy-url` cannot be used: " + url.error().message);
  if (url->scheme == "http") return {};
  return item.error("a " + url->scheme +
                    " proxy (`proxy-url`) is not supported; use an http:// proxy, which tunnels "
                    "TLS with CONNECT");
}

Result<void> resolveCluster(const Item& item, ClusterAccess& access) {
  if (auto done = resolveServer(item, access); !done) return done;
  if (auto done = resolveProxy(item, access); !done) return done;
  auto ca = pem(item, "certificate-authority", access.ca_file);
  if (!ca) return failure(ca.error());
  access.ca_pem = std::move(*ca);
  const auto insecure = boolean(item, "insecure-skip-tls-verify");
  if (!insecure) return failure(insecure.error());
  access.insecure_skip_tls_verify = *insecure;
  if (*insecure && !access.ca_pem.empty()) {
    return item.error(
        "`certificate-authority` and `insecure-skip-tls-verify: true` contradict "
        "each other; remove one");
  }
  access.tls_server_name = item.text("tls-server-name");
  return {};
}

Result<ExecPlugin> resolveExec(const Item& item, const KubeconfigEntry& cluster) {
  const Json& exec = json::object(item.entry.value(), {"exec"});
  const KubeconfigEntry exec_entry{std::make_shared<const Json>(exec), item.entry.file};
  const Item plugin{exec_entry, item.what};
  ExecPlugin out;
  out.api_version = json::str(exec, "apiVersion");
  if (out.api_version != "client.authentication.k8s.io/v1" &&
      out.api_version != "client.authentication.k8s.io/v1beta1") {
    return item.error("its `exec` plugin speaks apiVersion \"" + out.api_version +
                      "\"; client.authentication.k8s.io/v1 and v1beta1 are supported");
  }
  out.command = json::str(exec, "command");
  if (out.command.empty()) return item.error("its `exec` plugin has no `command`");
  // As kubectl: a bare name is looked up in PATH, anything with a '/' counts from the file's
  // folder.
  if (out.command.find('/') != std::string::npos) out.command = item.entry.resolve(out.command);
  if (json::str(exec, "interactiveMode") == "Always") {
    return item.error(
        "its `exec` plugin needs a terminal (`interactiveMode: Always`), which a "
        "background service does not have; use a plugin that can do without");
  }
  for (const Json& arg : json::array(exec, {"args"})) {
    out.args.push_back(arg.is_string() ? arg.get<std::string>() : "");
  }
  for (const Json& variable : json::array(exec, {"env"})) {
    const std::string name = json::str(variable, "name");
    if (name.empty() || name.find('=') != std::string::npos) {
      return item.error("an `env` entry of its `exec` plugin has no usable name");
    }
    out.env[name] = json::str(variable, "value");
  }
  const auto info = boolean(plugin, "provideClusterInfo");
  if (!info) return failure(info.error());
  out.provide_cluster_info = *info;
  out.install_hint = json::str(exec, "installHint");
  const Json* extension = json::findBy(json::array(cluster.value(), {"extensions"}), "name",
                                       "client.authentication.k8s.io/exec");
  if (extension != nullptr) out.cluster_config = json::at(*extension, "extension").dump();
  return out;
}

Result<void> resolveToken(const Item& item, ClusterAccess& access) {
  access.token = trimmed(item.text("token"));
  if (const std::string file = item.text("tokenFile"); !file.empty()) {
    access.token_file = item.entry.resolve(file);
    if (auto text = fileOf(item, "tokenFile", access.token_file); !text) {
      return failure(text.error());
    }
  }
  const auto control = [](unsigned char c) { return c < 0x21 || c > 0x7e; };
  if (std::any_of(access.token.begin(), access.token.end(), control)) {
    return item.error("its `token` holds white space or unprintable characters");
  }
  return {};
}

Result<void> resolveUser(const Item& item, const KubeconfigEntry& cluster, ClusterAccess& access) {
  for (const auto& [key, name, instead] :
       {std::tuple{"auth-provider", "an auth provider",
                   "use an `exec` plugin, as kubectl 1.26 "
                   "and later do"},
        std::tuple{"as", "impersonation", "use that user's own credentials"},
        std::tuple{"as-uid", "impersonation", "use that user's own credentials"},
        std::tuple{"as-groups", "impersonation", "use that user's own credentials"},
        std::tuple{"as-user-extra", "impersonation", "use that user's own credentials"}}) {
    if (auto done = refuse(item, key, name, instead); !done) return done;
  }
  auto cert = pem(item, "client-certificate", access.client_cert_file);
  if (!cert) return failure(cert.error());
  auto key = pem(item, "client-key", access.client_key_file);
  if (!key) return failure(key.error());
  if (cert->empty() != key->empty()) {
    return item.error(cert->empty() ? "it has a `client-key` but no `client-certificate`"
                                    : "it has a `client-certificate` but no `client-key`");
  }
  access.client_cert_pem = std::move(*cert);
  access.client_key_pem = std::move(*key);
  if (auto done = resolveToken(item, access); !done) return done;
  access.username = item.text("username");
  access.password = item.text("password");
  const bool has_token = !access.token.empty() || !access.token_file.empty();
  if (!access.username.empty() && has_token) {
    return item.error("it has both a token and a `username`; remove one");
  }
  if (!json::at(item.entry.value(), "exec").is_null()) {
    auto exec = resolveExec(item, cluster);
    if (!exec) return failure(exec.error());
    access.exec = std::move(*exec);
  }
  return {};
}

std::string namesOf(const std::map<std::string, KubeconfigEntry>& entries) {
  std::string names;
  for (const auto& [name, entry] : entries) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "none" : names;
}

Result<ClusterAccess> resolve(const MergedKubeconfig& merged, const std::string& wanted) {
  ClusterAccess access;
  access.context = wanted.empty() ? merged.current_context : wanted;
  const std::string where = merged.describe();
  if (access.context.empty()) {
    return invalid(where + " has no current-context; name one of its contexts (" +
                   namesOf(merged.contexts) + ") or run `kubectl config use-context`");
  }
  const auto context = merged.contexts.find(access.context);
  if (context == merged.contexts.end()) {
    return invalid(where + " has no context \"" + access.context +
                   "\"; it has: " + namesOf(merged.contexts));
  }
  const Json& chosen = context->second.value();
  access.ns = json::str(chosen, "namespace");
  const std::string cluster_name = json::str(chosen, "cluster"), user = json::str(chosen, "user");
  const std::string in = "context \"" + access.context + "\" in kubeconfig " + context->second.file;
  if (cluster_name.empty()) return invalid(in + " names no cluster");
  const auto cluster = merged.clusters.find(cluster_name);
  if (cluster == merged.clusters.end()) {
    return invalid(in + " names the cluster \"" + cluster_name + "\", which is not there");
  }
  const Item item{cluster->second,
                  "cluster \"" + cluster_name + "\" in kubeconfig " + cluster->second.file};
  if (auto done = resolveCluster(item, access); !done) return failure(done.error());
  if (user.empty()) return access;  // anonymous, as kubectl
  const auto found = merged.users.find(user);
  if (found == merged.users.end()) {
    return invalid(in + " names the user \"" + user + "\", which is not there");
  }
  const Item user_item{found->second, "user \"" + user + "\" in kubeconfig " + found->second.file};
  if (auto done = resolveUser(user_item, cluster->second, access); !done) {
    return failure(done.error());
  }
  return access;
}

Result<ClusterAccess> inCluster(const KubeconfigSearch& search) {
  ClusterAccess access;
  const bool v6 = search.service_host.find(':') != std::string::npos;
  access.context = "in-cluster";
  access.server = "https://" + (v6 ? "[" + search.service_host + "]" : search.service_host) + ":" +
                  (search.service_port.empty() ? "443" : search.service_port);
  access.token_file = search.service_account_dir + "/token";
  access.ca_file = search.service_account_dir + "/ca.crt";
  if (auto token = readTextFile(access.token_file); !token) {
    return invalid("cannot read the service account's token " + access.token_file + ": " +
                   token.error().message + "; does the pod mount its service account?");
  }
  auto ca = readTextFile(access.ca_file);
  if (!ca) {
    return invalid("cannot read the service account's " + access.ca_file + ": " +
                   ca.error().message);
  }
  access.ca_pem = std::move(*ca);
  access.ns = trimmed(readTextFile(search.service_account_dir + "/namespace").value_or(""));
  return access;
}

std::string fromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// KUBECONFIG's files. Of several, those that do not exist are left out, as kubectl does.
Result<ClusterAccess> fromList(const std::string& list) {
  std::vector<std::string> paths;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    if (end > begin) paths.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  MergedKubeconfig merged;
  for (const std::string& path : paths) {
    if (paths.size() > 1 && fileStamp(path).empty()) continue;
    if (auto done = mergeKubeconfigFile(path, merged); !done) return failure(done.error());
  }
  if (merged.files.empty()) {
    return invalid("KUBECONFIG is \"" + list + "\" and none of its files exists");
  }
  return resolve(merged, "");
}

}  // namespace

Result<ClusterAccess> loadKubeconfig(const std::string& path, const std::string& context) {
  MergedKubeconfig merged;
  if (auto done = mergeKubeconfigFile(path, merged); !done) return failure(done.error());
  return resolve(merged, context);
}

KubeconfigSearch searchFromEnvironment() {
  KubeconfigSearch search;
  search.kubeconfig = fromEnvironment("KUBECONFIG");
  search.home = fromEnvironment("HOME");
  search.service_host = fromEnvironment("KUBERNETES_SERVICE_HOST");
  search.service_port = fromEnvironment("KUBERNETES_SERVICE_PORT");
  return search;
}

Result<ClusterAccess> loadDefaultKubeconfig(const std::string& path,
                                            const KubeconfigSearch& search) {
  if (!path.empty()) return loadKubeconfig(path);
  if (!search.kubeconfig.empty()) return fromList(search.kubeconfig);
  const std::string home_file = search.home + "/.kube/config";
  if (!search.home.empty() && !fileStamp(home_file).empty()) return loadKubeconfig(home_file);
  if (!search.service_host.empty()) return inCluster(search);
  return invalid("no kubeconfig: none was named, KUBECONFIG is not set, " + home_file +
                 " does not exist, and this is not a pod with a service account");
}

Result<ClusterAccess> loadDefaultKubeconfig(const std::string& path) {
  return loadDefaultKubeconfig(path, searchFromEnvironment());
}

}  // namespace vkb::kube
