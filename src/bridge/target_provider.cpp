#include "bridge/target_provider.h"

#include <nlohmann/json.hpp>

#include "base/protections.h"
#include "bridge/names.h"
#include "bridge/reflect.h"
#include "bridge/target_namespace.h"
#include "bridge/virtual_node.h"
#include "json/json.h"
#include "json/object_parts.h"
#include "kube/features.h"
#include "kube/version.h"
#include "vkbridge/errors.h"

namespace vkb::bridge {

using base::Protection;
using base::protects;
using Ownership = ProviderPod::Ownership;

namespace {

std::string keyOf(const PodPlace& place) { return place.ns + "/" + place.name; }

/// "<ns>/<name>" of the home pod that a delegate was made for.
std::string homePodOf(const json::Object& delegate) {
  return json::str(delegate, {"metadata", "annotations", kAnnotationHomePod});
}

}  // namespace

TargetProvider::TargetProvider(Deps deps, Options options)
    : deps_(deps),
      options_(std::move(options)),
      limits_(parseResources(options_.cluster.limits)),
      pods_(deps.runtime.clock,
            {.home_id = options_.home_id,
             .node = options_.node,
             .on_delegate = [this](const std::string& uid) { pod_changed_(uid); },
             .on_foreign_usage = [this] { node_changed_(); }}),
      dependencies_({.runtime = deps.runtime,
                     .home = deps.home,
                     .home_objects = deps.home_objects,
                     .target = deps.target,
                     .store = deps.dependencies,
                     .delegates = pods_,
                     .logger = deps.logger,
                     .metrics = deps.metrics},
                    {.home_id = options_.home_id,
                     .node = options_.node,
                     .pods = options_.cluster.pods,
                     .only_namespace = onlyNamespace(options_.cluster),
                     .changed =
                         [this](const std::string& uid) {
                           pods_.touch(uid);
                           pod_changed_(uid);
                         },
                     .on_mass_loss = options_.on_mass_loss}),
      pod_reflector_(deps.runtime, deps.target, pods_, deps.logger,
                     {.resource = kube::kPods,
                      .list = {.ns = onlyNamespace(options_.cluster)},
                      .name = "target pods of " + options_.node,
                      .on_sync =
                          [this](bool synced, const Status&) {
                            if (synced && !std::exchange(pods_synced_, true)) on_synced_();
                          }}),
      nodes_({.selector = options_.cluster.pods.node_selector,
              .on_change = [this] { node_changed_(); }}),
      node_reflector_(deps.runtime, deps.target, nodes_, deps.logger,
                      {.resource = kube::kNodes,
                       .list = {},
                       .name = "target nodes of " + options_.node,
                       .on_sync =
                           [this](bool synced, const Status&) {
                             if (synced && !nodes_synced_.exchange(true)) onNodesSynced();
                           }}),
      namespaces_(deps.runtime, deps.target, deps.logger,
                  {.only = onlyNamespace(options_.cluster),
                   .node = options_.node,
                   .on_change = [this](const auto& before,
                                       const auto& after) { onNamespace(before, after); }}),
      warnings_({.runtime = deps.runtime, .target = deps.target, .logger = deps.logger},
                options_.on_warning) {}

TargetProvider::~TargetProvider() { stop(); }

Result<void> TargetProvider::start(const std::vector<PodRecord>& known,
                                   std::function<void()> on_synced) {
  std::set<std::string> pods;
  for (const PodRecord& record : known) {
    pods.insert(record.uid);
    if (!record.provider_uid.empty()) pods_.remember(record.provider_uid, record.uid);
  }
  if (auto started = dependencies_.start(pods); !started) return started;
  // Pods last: what placePod and createPod ask the other caches for is there when pods are acted
  // on.
  on_synced_ = std::move(on_synced);
  namespaces_.start();
  if (onlyNamespace(options_.cluster).empty()) {
    node_reflector_.start();
  } else {
    onNodesSynced();  // nodes are not looked at
  }
  return {};
}

void TargetProvider::onNodesSynced() {
  node_changed_();  // even a target without nodes offers something: nothing
  namespaces_.whenSynced([this] { pod_reflector_.start(); });
}

void TargetProvider::setState(ProviderState state) {
  dependencies_.setActive(state == ProviderState::kReady || state == ProviderState::kLeaving);
}

bool TargetProvider::isEmpty() { return getPods().empty() && dependencies_.empty(); }

void TargetProvider::stop() {
  warnings_.stop();
  pod_reflector_.stop();
  namespaces_.stop();
  node_reflector_.stop();
  dependencies_.stop();
}

void TargetProvider::retryNow() {
  dependencies_.retryNow();
  node_reflector_.retryNow();
  namespaces_.retryNow();
  pod_reflector_.retryNow();
}

Result<void> TargetProvider::checkNamespace(const std::string& ns, const Json& object) const {
  return bridge::checkNamespace(object, ns, options_.home_id, options_.node, options_.cluster);
}

Result<PodPlace> TargetProvider::placePod(const Json& pod) {
  if (auto admitted = admit(pod, options_.cluster.pods.use_existing); !admitted) {
    return failure(admitted.error());
  }
  PodPlace place = placeFor(pod);
  if (const auto present = namespaces_.get(place.ns)) {
    if (auto allowed = checkNamespace(place.ns, present->parse()); !allowed) {
      return failure(allowed.error());
    }
  }
  return place;
}

PodPlace TargetProvider::placeFor(const Json& pod) const {
  const std::string uid = json::str(pod, {"metadata", "uid"});
  const std::string who =
      json::str(pod, {"metadata", "namespace"}) + "/" + json::str(pod, {"metadata", "name"});
  return choosePlace(pod, options_.cluster.pods, [&](const PodPlace& place) {
    const auto other = pods_.at(place.ns, place.name);
    // A predecessor of the same name is waited for, not evaded.
    return other && other->home_uid != uid && homePodOf(*other->pod) != who;
  });
}

bool TargetProvider::rekeysLabels(const std::string& home_uid, const std::string& recorded_uid,
                                  const PodPlace& place) const {
  const auto delegate = pods_.find(home_uid, recorded_uid, keyOf(place));
  if (delegate && delegate->rekeyed) return *delegate->rekeyed;
  const auto ns = namespaces_.get(place.ns);
  return ns && rekeysLabelsIn(ns->parse(), options_.home_id, options_.cluster);
}

std::string TargetProvider::inputsHash(const Json& pod) {
  const state::PodOptions& options = options_.cluster.pods;
  const std::string uid = json::str(pod, {"metadata", "uid"});
  return bridge::inputsHash(pod, rekeysLabels(uid, "", choosePlace(pod, options)), options);
}

Result<TargetProvider::Namespace> TargetProvider::ensureNamespace(const std::string& ns) {
  auto known = namespaces_.read(ns);
  if (!known) return failure(known.error());
  std::optional<Json> object = std::move(*known);
  if (!object) {
    auto made = json::parsed(
        deps_.target.create(kube::kNamespaces, "", newNamespace(ns, options_.home_id)));
    if (!made && made.error().reason != "AlreadyExists") return failure(made.error());
    if (made) {
      object = std::move(*made);
    } else {
      auto read = deps_.target.get(kube::kNamespaces, "", ns);
      if (!read) return failure(read.error());
      if (!*read) return failure(made.error());
      object = std::move(*read);
    }
  }
  if (auto allowed = checkNamespace(ns, *object); !allowed) return failure(allowed.error());
  if (json::str(*object, {"status", "phase"}) == "Terminating") {
    return failure({.code = 403,
                    .reason = "NamespaceTerminating",
                    .message = "namespace " + ns + " is being deleted in the target"});
  }
  return Namespace{.uid = json::str(*object, {"metadata", "uid"}),
                   .rekey = rekeysLabelsIn(*object, options_.home_id, options_.cluster)};
}

ForgeContext TargetProvider::forgeContext(const PodRecord& record, std::string namespace_uid,
                                          bool rekey) const {
  return {.home_id = options_.home_id,
          .node = options_.node,
          .place = {record.place_ns, record.place_name},
          .namespace_uid = std::move(namespace_uid),
          .rekey_labels = rekey,
          .pods = options_.cluster.pods};
}

std::optional<TargetPods::Delegate> TargetProvider::find(const PodRecord& record) const {
  return pods_.find(record.uid, record.provider_uid, keyOf({record.place_ns, record.place_name}));
}

Result<ProviderPod> TargetProvider::createPod(const Json& pod, const PodRecord& record) {
  const PodPlace place{record.place_ns, record.place_name};
  const auto wanted = dependencies_.look(pod);
  if (!wanted) return failure(wanted.error());
  auto ns = ensureNamespace(record.place_ns);
  if (!ns) return failure(ns.error());
  if (auto claims = checkClaims(pod, place.ns); !claims) return failure(claims.error());
  auto names = dependencies_.provide(pod, place, *wanted);
  if (!names) return failure(names.error());
  ForgeContext context = forgeContext(record, std::move(ns->uid), ns->rekey);
  context.dependencies = std::move(*names);
  context.restarts = restartsAtHome(pod);
  const Json delegate = forge(pod, context);
  auto made = deps_.target.create(kube::kPods, record.place_ns, delegate);
  if (made) {
    pods_.made(*made, record.uid);
    return describe(**made, record);
  }
  if (made.error().reason != "AlreadyExists") {
    return failure(explained(made.error(), pod, place));
  }

  // An earlier attempt whose answer was lost, or somebody else: its own marks decide.
  auto found = getPod(record);
  if (!found) return failure(found.error());
  const std::string where = record.place_ns + "/" + record.place_name;
  switch (found->ownership) {
    case Ownership::kMine:
      pods_.remember(found->uid, record.uid);
      return found;
    case Ownership::kAbsent:  // gone between the two requests
      return failure({.code = 409,
                      .reason = "PredecessorExists",
                      .message = "pod " + where + " was just deleted in the target"});
    case Ownership::kPredecessor:
      if (!protects(Protection::kPredecessorWait)) return found;
      return failure({.code = 409,
                      .reason = "PredecessorExists",
                      .message = "the delegate " + where +
                                 " of an earlier pod of this name is still being deleted"});
    case Ownership::kForeign:
      if (!protects(Protection::kOwnershipFirst)) {
        pods_.remember(found->uid, record.uid);
        return found;
      }
      break;
  }
  return failure({.code = 409,
                  .reason = kReasonNameTaken,
                  .message = "a pod " + where +
                             " that is not this bridge's exists in the target; it is left alone",
                  .retry = Retry::kNever});
}

Result<void> TargetProvider::deletePod(const PodRecord& record,
                                       std::optional<std::int64_t> grace_seconds) {
  // The one that peekPod() speaks of: after a backup was put back, not the recorded UID.
  const auto delegate = find(record);
  const std::string uid = delegate ? delegate->pod->uid : record.provider_uid;
  if (uid.empty()) {
    return failure({.reason = reasons::kInternal,
                    .message = "the delegate " + record.place_ns + "/" + record.place_name +
                               " is not deleted: its UID is not known"});
  }
  pods_.endAsked(uid);
  auto asked = deps_.target.remove(kube::kPods, record.place_ns, record.place_name,
                                   {.grace_period_seconds = grace_seconds,
                                    .uid = protects(Protection::kUidOnDelete) ? uid : ""});
  // 409: the UID precondition failed, so ours is gone and another pod has its name.
  if (!asked && !asked.error().isNotFound() && asked.error().code != 409) return asked;
  return {};
}

ProviderPod TargetProvider::describe(const json::Object& delegate, const PodRecord& record) const {
  const std::string phase = json::str(delegate, {"status", "phase"});
  return {.ownership = ownershipOf(delegate, options_.home_id, record.uid, record.provider_uid),
          .place = {delegate.ns, delegate.name},
          .uid = delegate.uid,
          .home_uid = json::str(delegate, {"metadata", "labels", kLabelHomeUid}),
          .inputs_hash = json::str(delegate, {"metadata", "annotations", kAnnotationInputsHash}),
          .deleting = !json::str(delegate, {"metadata", "deletionTimestamp"}).empty(),
          .terminal = phase == "Succeeded" || phase == "Failed",
          .grace_seconds = json::integer(delegate, {"metadata", "deletionGracePeriodSeconds"}),
          .observed = deps_.runtime.clock.now()};
}

ProviderPod TargetProvider::describe(const TargetPods::Delegate& delegate) const {
  ProviderPod result = describe(*delegate.pod, PodRecord{});
  result.ownership = Ownership::kMine;
  result.home_uid = delegate.home_uid;
  const std::string home_pod = homePodOf(*delegate.pod);
  const auto slash = home_pod.find('/');
  if (slash != std::string::npos) {
    result.home_ns = home_pod.substr(0, slash);
    result.home_name = home_pod.substr(slash + 1);
  }
  result.repair = !delegate.labelled;
  result.observed = delegate.observed;
  return result;
}

ProviderPod TargetProvider::peekPod(const Json* pod, const std::string& home_uid,
                                    const PodRecord* record) {
  PodPlace place;
  if (record && !record->place_name.empty()) {
    place = {record->place_ns, record->place_name};
  } else if (pod) {
    place = placeFor(*pod);
  }
  const std::string recorded_uid = record ? record->provider_uid : "";
  pods_.dropEnded(home_uid, recorded_uid);
  if (const auto own = pods_.find(home_uid, recorded_uid, keyOf(place))) {
    if (!own->gone) return describe(*own);
    ProviderPod absent;
    absent.gone_seen = own->gone_seen;
    absent.observed = own->observed;
    return absent;
  }
  if (!pod) return {};
  if (const auto other = pods_.at(place.ns, place.name)) {
    ProviderPod predecessor = describe(*other);
    predecessor.ownership = Ownership::kPredecessor;
    return predecessor;
  }
  return {};
}

std::uint64_t TargetProvider::podVersion(const std::string& home_uid) {
  return pods_.versionOf(home_uid);
}

Result<ProviderPod> TargetProvider::getPod(const PodRecord& record) {
  // Before the GET, so that an end that the watch tells of meanwhile is not missed.
  if (!record.provider_uid.empty()) pods_.remember(record.provider_uid, record.uid);
  auto found = deps_.target.get(kube::kPods, record.place_ns, record.place_name);
  if (!found) return failure(found.error());
  if (!*found) return ProviderPod{};
  const json::ObjectPtr object = json::makeObject(**found);
  ProviderPod pod = describe(*object, record);
  // Without our labels, and with a record that was rebuilt, the cache took it for somebody else's.
  if (pod.ownership == Ownership::kMine && pod.uid == record.provider_uid) {
    pods_.learn(object, record.uid);
  }
  return pod;
}

Result<Json> TargetProvider::getPodStatus(const Json& pod, const PodRecord& record) {
  const auto delegate = find(record);
  if (!delegate) return json::object(pod, {"status"});
  const Json there = delegate->pod->parse();
  if (!delegate->gone) warnings_.observe(pod, there);
  return reflect(pod, there,
                 {.host_ip = options_.host_ip,
                  .hide_pod_ips = options_.cluster.pods.hide_pod_ips,
                  .inputs_hash = record.inputs_hash});
}

std::vector<ProviderPod> TargetProvider::getPods() {
  std::vector<ProviderPod> result;
  pods_.forEachDelegate(
      [&](const TargetPods::Delegate& delegate) { result.push_back(describe(delegate)); });
  return result;
}

void TargetProvider::forgetPod(const PodRecord& record) {
  warnings_.forget(record.uid);
  pods_.forget(record.provider_uid);
  dependencies_.release(record.uid);
}

std::string TargetProvider::podNode(const PodRecord& record) {
  const auto delegate = find(record);
  return delegate ? json::str(*delegate->pod, {"spec", "nodeName"}) : "";
}

void TargetProvider::notifyPods(std::function<void(const std::string&)> changed) {
  pod_changed_ = std::move(changed);
}

void TargetProvider::notifyNode(std::function<void()> changed) {
  node_changed_ = std::move(changed);
}

void TargetProvider::onNamespace(const json::ObjectPtr& before, const json::ObjectPtr& after) {
  if (!before || !options_.on_refusals_outdated) return;
  const bool gone = !after;
  const auto ours = [&](const json::ObjectPtr& ns) {
    return isOurNamespace(ns->parse(), options_.home_id);
  };
  const bool marked_now = after && !ours(before) && ours(after);
  if (gone || marked_now) options_.on_refusals_outdated();
}

Result<void> TargetProvider::ping() {
  // The first path that the server has and our rights allow speaks for it.
  Result<std::string> answer = deps_.target.getRaw("/readyz");
  if (!answer && (answer.error().code == 404 || answer.error().code == 403)) {
    answer = deps_.target.getRaw("/healthz");
  }
  const bool refused = !answer && (answer.error().code == 404 || answer.error().code == 403);
  if (!answer && !refused) return failure(answer.error());
  {
    std::lock_guard lock(mutex_);
    if (!version_.empty() && !refused) return {};
  }
  const auto version = kube::readServerVersion(deps_.target);
  if (!version) return failure(version.error());
  {
    std::lock_guard lock(mutex_);
    version_ = version->git_version;
  }
  node_changed_();
  return {};
}

std::string TargetProvider::version() const {
  std::lock_guard lock(mutex_);
  return version_;
}

TargetNodes::View TargetProvider::nodes() const {
  return nodes_.view(
      [this](const std::string& node, Resources& of) { pods_.subtractForeign(node, of); });
}

void TargetProvider::setKubeletPort(std::uint16_t port) {
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(kubelet_port_, port) == port) return;
  }
  node_changed_();
}

std::optional<Resources> TargetProvider::offered(Resources of_nodes) const {
  if (!onlyNamespace(options_.cluster).empty()) return withPodLimit(limits_);
  if (!nodes_synced_) return std::nullopt;
  capAt(of_nodes, limits_);
  return of_nodes;
}

Json TargetProvider::node() {
  TargetNodes::View nodes = this->nodes();
  VirtualNode result{.name = options_.node,
                     .version = version(),
                     .host_ip = options_.host_ip,
                     .os = nodes.os,
                     .arch = nodes.arch,
                     .labels = std::move(nodes.labels)};
  result.offered = offered(std::move(nodes.offered));
  std::lock_guard lock(mutex_);
  result.kubelet_port = kubelet_port_;
  return forgeNode(result);
}

}  // namespace vkb::bridge
