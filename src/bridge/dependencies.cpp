#include "bridge/dependencies.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bridge/names.h"
#include "bridge/service_accounts.h"
#include "json/json.h"
#include "vkbridge/errors.h"

namespace vkb::bridge {
namespace {

using node::Outcome;
using State = DependencyBook::State;

constexpr const char* kSweep = "sweep";
constexpr std::chrono::minutes kSweepInterval{10};
/// Copies of a few thousand pods at once must not take all threads of the process.
constexpr std::size_t kConcurrency = 8;

std::string textOf(const DependencyKey& key) {
  return std::to_string(static_cast<int>(key.kind)) + "/" + key.ns + "/" + key.name;
}

DependencyKey keyOf(const std::string& text) {
  const auto first = text.find('/'), second = text.find('/', first + 1);
  return {text.starts_with("1/") ? DependencyKind::kConfigMap : DependencyKind::kSecret,
          text.substr(first + 1, second - first - 1), text.substr(second + 1)};
}

/// `wait` is what it waits for, of namespace `ns` at home.
Status missing(const Reference& wait, const std::string& ns, const std::string& why) {
  return errors::waiting("the pod waits for " + std::string(toString(wait.kind)) + " " + ns + "/" +
                             wait.name + " (" + wait.where + "): " + why,
                         kReasonDependencyMissing);
}

}  // namespace

Dependencies::Dependencies(Deps deps, Options options)
    : deps_(deps),
      options_(std::move(options)),
      book_(deps.store, options_.node),
      brake_(deps.runtime.clock),
      config_map_copies_(deps.runtime, deps.target, deps.logger,
                         ownCopies(kube::kConfigMaps, "copied config maps of ")),
      secret_copies_(deps.runtime, deps.target, deps.logger,
                     ownCopies(kube::kSecrets, "copied secrets of ")),
      context_{.runtime = deps.runtime,
               .home = deps.home,
               .target = deps.target,
               .logger = deps.logger,
               .book = book_,
               .marks = {options_.home_id, options_.node},
               .use_existing = options_.pods.use_existing,
               .wake = [this](const std::set<std::string>& pods) { wake(pods); },
               .may_remove = [this](const std::string& uid) { return mayRemove(uid); }},
      queue_(deps.runtime, deps.metrics, {"dependencies-" + options_.node, kConcurrency},
             [this](const std::string& key) { return handle(key); }) {
  for (const DependencyKind kind : {DependencyKind::kConfigMap, DependencyKind::kSecret}) {
    copies(kind).addHandler(
        [this, kind](const auto& before, const auto& after) { onCopy(kind, before, after); });
  }
}

Dependencies::~Dependencies() { stop(); }

kube::ReflectorOptions Dependencies::ownCopies(const kube::Resource& resource,
                                               const std::string& name) const {
  return {.resource = resource,
          .list = {.ns = options_.only_namespace,
                   .label_selector = std::string(kLabelHomeCluster) + "=" + options_.home_id + "," +
                                     kLabelNode + "=" + options_.node,
                   .metadata_only = true},
          .name = name + options_.node};
}

kube::Informer& Dependencies::copies(DependencyKind kind) {
  return kind == DependencyKind::kConfigMap ? config_map_copies_ : secret_copies_;
}

Result<void> Dependencies::start(const std::set<std::string>& pods) {
  if (auto loaded = book_.load(pods); !loaded) return loaded;
  home_changes_ = deps_.home_objects.follow(
      [this](DependencyKind kind, const std::string& key) { onHome(kind, key); });
  config_map_copies_.start();
  secret_copies_.start();
  for (const DependencyKind kind : {DependencyKind::kConfigMap, DependencyKind::kSecret}) {
    copies(kind).whenSynced([this] { queue_.enqueueNow(kSweep); });
  }
  return {};
}

void Dependencies::stop() {
  secret_copies_.stop();
  config_map_copies_.stop();
  home_changes_.reset();
  queue_.shutdown();
}

void Dependencies::retryNow() {
  secret_copies_.retryNow();
  config_map_copies_.retryNow();
}

void Dependencies::setActive(bool active) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(active_, active) || !active) return;
  }
  for (const DependencyKey& key : book_.keys()) enqueue(key);
  queue_.enqueueNow(kSweep);
}

void Dependencies::enqueue(const DependencyKey& key) { queue_.enqueueNow(textOf(key)); }

Outcome Dependencies::handle(const std::string& key) {
  {
    const std::lock_guard lock(mutex_);
    if (!active_) return Outcome::done();
  }
  return key == kSweep ? sweep() : DependencyTurn(context_, keyOf(key)).run();
}

void Dependencies::wake(const std::set<std::string>& pods) {
  for (const std::string& pod : pods) options_.changed(pod);
}

void Dependencies::onHome(DependencyKind kind, const std::string& key) {
  const auto slash = key.find('/');
  for (const auto& copy : book_.copiesOf(kind, key.substr(0, slash), key.substr(slash + 1))) {
    enqueue(copy);
  }
  std::set<std::string> pods;
  {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find({kind, key});
    if (found == waiting_.end()) return;
    pods = std::move(found->second);
    waiting_.erase(found);
  }
  wake(pods);
}

void Dependencies::onCopy(DependencyKind kind, const json::ObjectPtr& before,
                          const json::ObjectPtr& after) {
  const json::Object& object = after ? *after : *before;
  const DependencyKey key{kind, object.ns, object.name};
  const auto entry = book_.find(key);
  if (entry) {
    // Our own writes come back to us; what others do, or undo, is put right.
    if (!after || after->resource_version != entry->version) enqueue(key);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (!after || !rebuilt_) return;
  }
  if (book_.rebuild(recordFromMarks(kind, after->parse()))) enqueue(key);
}

Outcome Dependencies::sweep() {
  if (!config_map_copies_.hasSynced() || !secret_copies_.hasSynced()) return Outcome::done();
  if (auto done = rebuild(); !done) return Outcome::failed(done.error());
  for (const DependencyKind kind : {DependencyKind::kConfigMap, DependencyKind::kSecret}) {
    for (const auto& copy : copies(kind).list()) onCopy(kind, nullptr, copy);
  }
  for (const DependencyKey& key : book_.unused()) queue_.enqueue(textOf(key));
  return Outcome::after(kSweepInterval);
}

Result<void> Dependencies::rebuild() {
  {
    const std::lock_guard lock(mutex_);
    if (rebuilt_) return {};
  }
  Result<void> done;
  deps_.delegates.forEachDelegate([&](const TargetPods::Delegate& delegate) {
    if (done) done = rebuildUsers(delegate);
  });
  if (!done) return done;
  const std::lock_guard lock(mutex_);
  rebuilt_ = true;
  return {};
}

bool Dependencies::mayRemove(const std::string& uid) {
  const auto verdict = brake_.allow(uid, book_.size());
  if (verdict == node::LossBrake::Verdict::kTripped && options_.on_mass_loss) {
    options_.on_mass_loss();
  }
  return verdict == node::LossBrake::Verdict::kAllowed;
}

void Dependencies::releaseBrake() {
  brake_.release();
  for (const DependencyKey& key : book_.unused()) enqueue(key);
}

Result<void> Dependencies::rebuildUsers(const TargetPods::Delegate& delegate) {
  if (book_.isUser(delegate.home_uid)) return {};
  const Json pod = delegate.pod->parse();
  for (const Reference& reference : references(json::at(pod, "spec"))) {
    const auto copy = copies(reference.kind).get(delegate.pod->ns, reference.name);
    if (!copy) continue;
    auto used = book_.use(recordFromMarks(reference.kind, copy->parse()), delegate.home_uid);
    if (!used) return failure(used.error());
    enqueue(used->record.key);
  }
  return {};
}

Result<bool> Dependencies::isAtHome(DependencyKind kind, const std::string& ns,
                                    const std::string& name) {
  if (deps_.home_objects.has(kind, ns + "/" + name)) return true;
  // One that was made a moment ago, for this pod: the watch may not have told yet.
  const auto found = deps_.home.get(resourceOf(kind), ns, name);
  if (!found) return failure(found.error());
  return found->has_value();
}

void Dependencies::waitFor(DependencyKind kind, const std::string& home_key,
                           const std::string& pod_uid) {
  const std::lock_guard lock(mutex_);
  waiting_[{kind, home_key}].insert(pod_uid);
}

Result<std::vector<Dependencies::Wanted>> Dependencies::look(const Json& home_pod, bool made) {
  const std::string ns = json::str(home_pod, {"metadata", "namespace"});
  const PodPlace any{ns, json::str(home_pod, {"metadata", "name"})};
  const std::string tokens = podTokens(home_pod, options_.pods, any).secret;
  Json spec = json::object(home_pod, {"spec"});
  // Those that a pod has when it is made do not go over with it, and hold nothing up.
  if (!made) spec.erase("ephemeralContainers");
  forgeServiceAccount(spec, home_pod, options_.pods, any);
  std::vector<Wanted> wanted;
  for (Reference& reference : references(spec)) {
    if (reference.kind == DependencyKind::kSecret && reference.name == tokens) continue;
    const auto same = std::find_if(wanted.begin(), wanted.end(), [&](const Wanted& other) {
      return other.reference.kind == reference.kind && other.reference.name == reference.name;
    });
    if (same == wanted.end()) {
      wanted.push_back({.reference = std::move(reference)});
    } else if (same->reference.optional && !reference.optional) {
      same->reference = std::move(reference);
    }
  }
  const std::string uid = json::str(home_pod, {"metadata", "uid"});
  for (Wanted& each : wanted) {
    const Reference& reference = each.reference;
    const auto there = isAtHome(reference.kind, ns, reference.name);
    if (!there) return failure(there.error());
    each.at_home = *there;
    if (each.at_home || reference.optional || made) continue;
    // Whoever appears after this wakes it; whoever did before is known by now.
    waitFor(reference.kind, ns + "/" + reference.name, uid);
    each.at_home = deps_.home_objects.has(reference.kind, ns + "/" + reference.name);
    if (!each.at_home) return failure(missing(reference, ns, "there is none at home"));
  }
  return wanted;
}

Result<DependencyBook::Entry> Dependencies::choose(const Json& home_pod, const PodPlace& place,
                                                   const Wanted& wanted, bool made) {
  const std::string ns = json::str(home_pod, {"metadata", "namespace"});
  const std::string uid = json::str(home_pod, {"metadata", "uid"});
  const auto& [kind, name, optional, where] = wanted.reference;
  const std::string own = ownName(context_.marks, ns, name);
  bool at_home = wanted.at_home;
  if (auto chosen = book_.usedBy(uid, kind, ns, name)) {
    // Home has lost it meanwhile: under the plain name the target may have one of its own.
    const bool unsafe =
        chosen->state == State::kMissing && optional && !made && chosen->record.key.name != own;
    if (!unsafe) return std::move(*chosen);
    book_.release(chosen->record.key, uid);
    enqueue(chosen->record.key);
    at_home = false;
  }
  const std::string there = at_home ? copyName(context_.marks, options_.pods, ns, name) : own;
  return book_.use({.key = {kind, place.ns, there}, .home_ns = ns, .home_name = name}, uid);
}

Result<DependencyNames> Dependencies::provide(const Json& home_pod, const PodPlace& place,
                                              const std::vector<Wanted>& wanted, bool made) {
  const std::string ns = json::str(home_pod, {"metadata", "namespace"});
  DependencyNames names;
  bool pending = false;
  for (const Wanted& each : wanted) {
    const Reference& reference = each.reference;
    const auto entry = choose(home_pod, place, each, made);
    if (!entry) return failure(entry.error());
    names[{reference.kind, reference.name}] = entry->record.key.name;
    switch (entry->state) {
      case State::kUnknown:
        enqueue(entry->record.key);
        pending = true;
        break;
      case State::kMissing:
        if (!reference.optional) return failure(missing(reference, ns, entry->why.message));
        break;
      case State::kFailed:
        enqueue(entry->record.key);  // somebody asks anew; it need not wait for its own time
        return failure(entry->why);
      case State::kInStep:
        break;
    }
  }
  if (auto tokens = provideTokens(home_pod, place); !tokens) return failure(tokens.error());
  if (pending) return failure(errors::preparing("what the pod refers to is being copied"));
  return names;
}

Result<void> Dependencies::provideTokens(const Json& home_pod, const PodPlace& place) {
  const PodTokens tokens = podTokens(home_pod, options_.pods, place);
  if (tokens.secret.empty()) return {};
  const auto entry = book_.use({.key = {DependencyKind::kSecret, place.ns, tokens.secret},
                                .home_ns = json::str(home_pod, {"metadata", "namespace"}),
                                .home_name = tokens.pod,
                                .tokens = toText(tokens)},
                               tokens.uid);
  if (!entry) return failure(entry.error());
  if (entry->state == State::kFailed) return failure(entry->why);
  if (entry->state == State::kInStep) return {};
  enqueue(entry->record.key);
  return failure(errors::preparing("the pod's tokens are being asked for"));
}

void Dependencies::release(const std::string& home_uid) {
  for (const DependencyKey& key : book_.release(home_uid)) enqueue(key);
  const std::lock_guard lock(mutex_);
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    it->second.erase(home_uid);
    it = it->second.empty() ? waiting_.erase(it) : std::next(it);
  }
}

}  // namespace vkb::bridge
