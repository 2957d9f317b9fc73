#include <cstdio>
#include <nlohmann/json.hpp>

#include "bridge/dependency_copy.h"
#include "bridge/explain.h"
#include "bridge/names.h"
#include "bridge/target_namespace.h"
#include "cli/commands.h"
#include "cli/explain_view.h"
#include "json/json.h"
#include "kube/files.h"
#include "state/database.h"

namespace vkb::cli {
namespace {

/// All that is put together for one pod.
struct Explanation {
  Json home_pod;
  state::ClusterConfig cluster;
  bridge::ForgeContext context;
  std::vector<std::string> notes;
};

Result<std::string> readFile(const std::string& path) {
  auto text = kube::readTextFile(path == "-" ? "/dev/stdin" : path);
  if (text) return text;
  return invalid("cannot read " + path + ": " + text.error().message);
}

Result<Json> readHomePod(Session& session, const state::StateFolder& folder,
                         const ExplainOptions& options) {
  if (!options.file.empty()) {
    auto text = readFile(options.file);
    if (!text) return failure(text.error());
    return readPod(*text, options.file == "-" ? "standard input" : options.file);
  }
  const auto slash = options.pod.find('/');
  const std::string ns = options.pod.substr(0, slash);
  const std::string name = slash == std::string::npos ? "" : options.pod.substr(slash + 1);
  if (ns.empty() || name.empty() || name.find('/') != std::string::npos) {
    return invalid("\"" + options.pod + "\" is not NAMESPACE/POD");
  }
  auto home = session.connectHome();
  if (!home) return failure(home.error());
  if (const auto known = folder.homeId(); known && *known != home->id) {
    return invalid("the home kubeconfig leads to another cluster than the one that " +
                   folder.path().string() + " belongs to; give --home-kubeconfig or --state-dir");
  }
  auto pod = home->client->get(kube::kPods, ns, name);
  if (!pod) return failure(pod.error());
  if (!*pod) return invalid("the home cluster has no pod " + options.pod);
  return std::move(**pod);
}

Result<state::ClusterConfig> chooseCluster(const state::StateFolder& folder,
                                           const ExplainOptions& options, const Json& pod) {
  auto clusters = folder.clusters();
  if (!clusters) return failure(clusters.error());
  std::string names;
  for (const auto& cluster : *clusters) names += (names.empty() ? "" : ", ") + cluster.name;
  const std::string node = json::str(pod, {"spec", "nodeName"});
  const std::string wanted = options.cluster.empty() ? node : options.cluster;
  for (const auto& cluster : *clusters) {
    if (cluster.name == wanted) return cluster;
  }
  const std::string choice =
      names.empty() ? "no cluster is joined; see: vk-bridge join --help" : "joined are: " + names;
  if (!options.cluster.empty()) {
    return invalid("no cluster " + options.cluster + " is joined; " + choice);
  }
  if (node.empty()) {
    return invalid("the pod is bound to no node; say which cluster with --cluster; " + choice);
  }
  return invalid("the pod is bound to node " + node +
                 ", which stands for no joined cluster; ask for one with --cluster; " + choice);
}

/// Where the running bridge put it, else where it would go.
PodPlace placeOf(const state::StateFolder& folder, const Json& pod,
                 const state::ClusterConfig& cluster) {
  const std::string uid = json::str(pod, {"metadata", "uid"});
  auto database = state::Database::openReadOnly(folder);
  if (database && *database) {
    for (const PodRecord& record : (*database)->loadAll().value_or(std::vector<PodRecord>())) {
      if (record.uid == uid && record.node == cluster.name && !record.place_name.empty()) {
        return {record.place_ns, record.place_name};
      }
    }
  }
  return bridge::choosePlace(pod, cluster.options.pods);
}

/// What the target knows of the namespace, and of the delegate where there is one.
Result<void> askTarget(Session& session, const state::StateFolder& folder, Explanation& e) {
  auto access = kube::loadKubeconfig(folder.kubeconfigPath(e.cluster.name).string());
  if (!access) return failure(access.error());
  auto client = session.connect(*access, e.cluster.name);
  if (!client) return failure(client.error());
  const auto ns = (*client)->get(kube::kNamespaces, "", e.context.place.ns);
  if (!ns) return failure(ns.error());
  if (!*ns) return {};  // it will be made, with our mark
  e.context.namespace_uid = json::str(**ns, {"metadata", "uid"});
  e.context.rekey_labels = bridge::rekeysLabelsIn(**ns, e.context.home_id, e.cluster.options);
  const auto allowed = bridge::checkNamespace(**ns, e.context.place.ns, e.context.home_id,
                                              e.cluster.name, e.cluster.options);
  if (!allowed) e.notes.push_back("it is refused as things are: " + allowed.error().message);
  const auto delegate = (*client)->get(kube::kPods, e.context.place.ns, e.context.place.name);
  if (!delegate) return failure(delegate.error());
  const std::string uid = json::str(e.home_pod, {"metadata", "uid"});
  if (*delegate && bridge::ownershipOf(**delegate, e.context.home_id, uid, "") ==
                       ProviderPod::Ownership::kMine) {
    // Decided when it was made.
    e.context.rekey_labels = bridge::isRekeyed(**delegate).value_or(e.context.rekey_labels);
  }
  return {};
}

}  // namespace

Result<void> explain(Session& session, const ExplainOptions& options) {
  auto folder = state::StateFolder::openExisting(session.options().stateDir());
  if (!folder) return failure(folder.error());
  auto pod = readHomePod(session, *folder, options);
  if (!pod) return failure(pod.error());
  auto cluster = chooseCluster(*folder, options, *pod);
  if (!cluster) return failure(cluster.error());
  Explanation e{.home_pod = explained(std::move(*pod)),
                .cluster = std::move(*cluster),
                .context = {},
                .notes = {}};
  e.context.home_id = folder->homeId().value_or("");
  e.context.node = e.cluster.name;
  e.context.pods = e.cluster.options.pods;
  e.context.place = placeOf(*folder, e.home_pod, e.cluster);
  e.context.dependencies = bridge::expectedNames({e.context.home_id, e.context.node}, e.home_pod,
                                                 e.context.pods, e.context.place);

  if (const auto admitted = bridge::admit(e.home_pod, e.context.pods.use_existing); !admitted) {
    const Status& why = admitted.error();
    if (why.retry == Retry::kNever) {
      return invalid(json::str(e.home_pod, {"metadata", "namespace"}) + "/" +
                     json::str(e.home_pod, {"metadata", "name"}) + " does not go over (" +
                     why.reason + "): " + why.message);
    }
    e.notes.push_back(why.reason + ": " + why.message);
  }
  if (auto asked = askTarget(session, *folder, e); !asked) {
    e.notes.push_back("the target could not be asked about namespace " + e.context.place.ns + " (" +
                      asked.error().message + "); shown as if it were this bridge's own");
  }
  if (e.context.namespace_uid.empty())
    e.context.namespace_uid = "known once the namespace is there";
  std::vector<bridge::Change> changes;
  const Json delegate = bridge::explain(e.home_pod, e.context, changes);
  const std::string text =
      renderExplanation(e.home_pod, delegate, e.cluster.name, changes, e.notes, options.format);
  std::fwrite(text.data(), 1, text.size(), stdout);
  return {};
}

}  // namespace vkb::cli
