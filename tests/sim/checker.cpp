#include "checker.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "bridge/claim.h"
#include "bridge/names.h"
#include "json/json.h"

namespace vkb::sim {
namespace {

using std::chrono::seconds;

/// A renewed claim is believed for half a minute; a write that began then may arrive this much
/// later.
constexpr Duration kClaimBelieved = seconds(30) + kube::kWriteCallDeadline + kube::kWriteTimeout;

std::string uidOf(const Json& object) { return json::str(object, {"metadata", "uid"}); }
std::string phaseOf(const Json& pod) { return json::str(pod, {"status", "phase"}); }

bool isTerminal(const Json& pod) { return phaseOf(pod) == "Succeeded" || phaseOf(pod) == "Failed"; }
bool isDeleting(const Json& pod) {
  return !json::str(pod, {"metadata", "deletionTimestamp"}).empty();
}

std::string homeUidOf(const Json& delegate) {
  return json::str(delegate, {"metadata", "labels", bridge::kLabelHomeUid});
}

}  // namespace

Checker::Checker(World& world) : world_(world) {
  for (const auto& target : world.targets) {
    target->cluster.onChange(
        [this, each = target.get()](const test::Change& change) { onTarget(*each, change); });
  }
  world.onPost([this](const std::string& actor, const Json& delegate) { posted(actor, delegate); });
  world.home.onChange([this](const test::Change& change) { onHome(change); });
}

void Checker::violate(const std::string& invariant, const std::string& what) {
  violations_.push_back(invariant + ": " + what);
}

void Checker::goesAway(const Target& target, bool away) { services_[&target].away = away; }

const Json* Checker::homePod(Installation& installation, const std::string& uid) const {
  const auto found = installation.home.findPodByUid(uid);
  return found ? &found->json() : nullptr;
}

void Checker::onTarget(Target& target, const test::Change& change) {
  if (change.verb == "restore") return restoredTarget(target);
  const bool by_bridge = world_.installationOf(change.actor) != nullptr;
  if (change.resource == "leases" && !services_[&target].away) {
    Service& service = services_[&target];
    const std::string holder = claimHolder(target);
    // Who held it until now may still write, also if he has not yet: the new one waits for that.
    if (!service.holder.empty() && holder != service.holder) service.writer = service.holder;
    service.holder = holder;
  }
  if (by_bridge) byBridgeInTarget(target, change);
  if (change.resource == "pods") onTargetPod(change, by_bridge);
}

void Checker::byBridgeInTarget(Target& target, const test::Change& change) {
  if (services_[&target].away) {
    violate("right cluster only", change.verb + " of " + change.resource + " " + change.name +
                                      " in another cluster than the one that was joined");
  }
  if (change.resource == "leases") return;
  if (change.resource == "namespaces" || change.resource == "pods") {
    if (change.name != "vk-bridge") checkClaim(target, change);
    if (change.resource == "namespaces" && change.before) {
      violate("no theft", change.verb + " of the namespace " + change.name);
    }
    return;
  }
  if (change.resource == "secrets") {
    checkClaim(target, change);
    return onCopy(change);
  }
  violate("no theft", change.verb + " of " + change.resource + " " + change.name);
}

void Checker::onCopy(const test::Change& change) {
  if (!change.before) {
    copies_.insert(change.after->uid());
  } else if (!copies_.contains(change.before->uid())) {
    violate("no theft", change.verb + " of a foreign Secret " + change.ns + "/" + change.name);
  }
}

std::string Checker::claimHolder(Target& target) const {
  const auto lease = target.cluster.find(kube::kLeases, state::ClusterOptions{}.claim_namespace,
                                         bridge::claimName(world_.home.clusterId(), target.node));
  return lease ? json::str(lease->json(), {"spec", "holderIdentity"}) : "";
}

/// Invariant 1 over installations: once a new holder of the claim has written, the one before may
/// not any more, until the claim is his again. Whoever lost it to a restored backup learns that
/// from his next look at the Lease.
void Checker::checkClaim(Target& target, const test::Change& change) {
  Service& service = services_[&target];
  const Installation& writer = *world_.installationOf(change.actor);
  if (service.writer == writer.name) return;
  const bool unaware =
      service.deposed == writer.name && world_.runtime.clock.now() < service.deposed_knows;
  if (!service.writer.empty() && service.holder != writer.name && !unaware) {
    violate("one delegate", "installation " + writer.name + " writes to the target while " +
                                service.writer + " serves it");
  }
  service.writer = writer.name;
}

void Checker::onTargetPod(const test::Change& change, bool by_bridge) {
  if (by_bridge && !change.before) {
    created(change);
  } else if (by_bridge) {
    changedOrDeleted(change);
  }
  const Json& pod = (change.after ? change.after : change.before)->json();
  const auto owner = owner_.find(uidOf(pod));
  if (owner == owner_.end()) return;
  Pod& known = pods_[owner->second];
  known.phases.insert(phaseOf(pod));
  known.ips.insert(json::str(pod, {"status", "podIP"}));
  if (!change.after) known.live.erase(owner->first);
  const bool others = !by_bridge && !change.actor.starts_with("kubelet/");
  if (others && change.verb == "delete") known.taken = true;
}

/// Its end counts from the request on: one that was sent before may arrive after it, and nothing
/// could hold that up. What counts then is that the delegate does not stay, which unsettled() sees.
/// An end that an open watch has not told yet is nobody's knowledge; while the watch is broken,
/// home is asked. In a copy of home that was given the claim, a pod lives on that has ended in the
/// first one.
void Checker::posted(const std::string& actor, const Json& delegate) {
  const std::string home_uid = homeUidOf(delegate);
  if (&world_.installationOf(actor)->home != &world_.home) return;
  if (pods_[home_uid].ended && world_.mustKnowOfEnd(actor, home_uid)) {
    violate("no resurrection", home_uid + " was posted after its end");
  }
}

void Checker::created(const test::Change& change) {
  const Json& pod = change.after->json();
  const std::string home_uid = homeUidOf(pod);
  Installation& maker = *world_.installationOf(change.actor);
  Pod& known = pods_[home_uid];
  owner_[uidOf(pod)] = home_uid;
  known.live.insert(uidOf(pod));
  if (&maker.home != &world_.home) of_clone_.insert(uidOf(pod));
  if (known.live.size() > 1) violate("one delegate", home_uid + " has two live delegates");
  if (!known.may_be_remade) {
    const Json* at_home = homePod(maker, home_uid);
    known.may_be_remade =
        at_home != nullptr && json::str(*at_home, {"spec", "restartPolicy"}) == "Always" &&
        json::str(*at_home, {"metadata", "annotations", bridge::kAnnotationOnDelegateLost}) ==
            "recreate";
  }
  // Somebody took the delegate away while a request that makes it was on its way: nothing could
  // have held that up. What counts is that it does not stay, which unsettled() sees.
  const bool beyond_us = world_.lateWritesArrive() && known.taken;
  // A delegate whose POST was never answered and that somebody else removed unseen leaves no trace:
  // making it (again) is all that can be done.
  if (++known.made > 1 && !beyond_us && !known.may_be_remade && maker.store->wasCreated(home_uid)) {
    violate("no resurrection", home_uid + " was made a second time");
  }
  if (known.released && &maker.home == &world_.home) {
    violate("no early goodbye", home_uid + " was made after its home object had been removed");
  }
  if (change.after->raw()->raw.find(world_.secret) != std::string::npos) {
    violate("secrets stay secrets", "the delegate of " + home_uid + " holds one");
  }
}

void Checker::changedOrDeleted(const test::Change& change) {
  const Json& before = change.before->json();
  const auto owner = owner_.find(uidOf(before));
  if (owner == owner_.end()) {
    return violate("no theft", change.verb + " of a foreign pod " + change.ns + "/" + change.name);
  }
  if (change.verb != "delete") return;
  Installation& deleter = *world_.installationOf(change.actor);
  const Json* at_home = homePod(deleter, owner->second);
  if (at_home == nullptr) return;
  // Home came back under a UID that was being cleaned away: finishing that is right.
  if (!isDeleting(*at_home) && !isTerminal(*at_home) && !home_went_back_ && !world_.clone) {
    violate("absence needs proof", "the delegate of " + owner->second +
                                       " is deleted, and its home pod is there and active");
  }
}

/// What a backup brings back was there before, and is ours if it was; what it lacks is gone.
void Checker::restoredTarget(Target& target) {
  Service& service = services_[&target];
  if (service.away) return;
  if (const std::string holder = claimHolder(target); holder != service.holder) {
    service.deposed = std::exchange(service.holder, holder);
    service.deposed_knows = world_.runtime.clock.now() + kClaimBelieved;
  }
  for (const auto& [delegate, home_uid] : owner_) {
    const Json* at_home = homePod(world_.first, home_uid);
    const std::string node = at_home ? json::str(*at_home, {"spec", "nodeName"}) : target.node;
    if (node == target.node) pods_[home_uid].live.erase(delegate);
    pods_[home_uid].taken = true;
  }
  for (const auto& pod : target.cluster.all(kube::kPods)) {
    const auto owner = owner_.find(pod->uid());
    if (owner != owner_.end()) pods_[owner->second].live.insert(pod->uid());
  }
}

void Checker::onHome(const test::Change& change) {
  if (change.verb == "restore") return restoredHome();
  if (change.resource != "pods") return;
  const bool by_bridge = world_.installationOf(change.actor) != nullptr;
  if (change.after && isTerminal(change.after->json())) {
    pods_[change.after->uid()].ended = true;
  }
  if (!by_bridge) return;
  if (change.before && change.after) toldByBridge(change);
  if (change.before && !change.after) removedByBridge(change);
}

void Checker::toldByBridge(const test::Change& change) {
  const Json &before = change.before->json(), &after = change.after->json();
  const std::string uid = uidOf(after), phase = phaseOf(after);
  Pod& known = pods_[uid];
  if (isTerminal(before) && phaseOf(before) != phase) {
    violate("no resurrection", uid + " changed its final phase");
  }
  const bool lost = json::str(after, {"status", "reason"}) == "DelegateLost" &&
                    json::str(before, {"status", "reason"}) != "DelegateLost";
  if (lost) {
    if (!known.live.empty()) {
      violate("absence needs proof", uid + " is failed as lost, and its delegate is there");
    }
    loss(world_.targetOf(json::str(after, {"spec", "nodeName"})), change.actor, uid);
  } else if (phaseOf(before) != phase && phase != "Pending" && !known.phases.contains(phase)) {
    violate("no lie", uid + " is shown as " + phase + ", which its delegate never was");
  }
  const std::string ip = json::str(after, {"status", "podIP"});
  const bool new_ip = json::str(before, {"status", "podIP"}) != ip;
  if (!ip.empty() && new_ip && !known.ips.contains(ip)) {
    violate("no lie", uid + " is shown with an IP that its delegate never had");
  }
}

void Checker::removedByBridge(const test::Change& change) {
  const Json& before = change.before->json();
  Pod& known = pods_[uidOf(before)];
  known.released = true;
  if (!known.live.empty() && isToldBySomething(change)) {
    violate("no early goodbye", uidOf(before) + " was removed while its delegate was there");
  }
  if (!isDeleting(before)) {
    violate("absence needs proof", uidOf(before) + " was removed though nobody had deleted it");
  }
}

/// Does a label, a record or home still tell that this home pod has a delegate? Without labels, and
/// with the store lost before home was told of it, nothing does; nor do labels that the target has
/// not told this bridge of yet. The pod of the same UID in a copy of home is another one.
bool Checker::isToldBySomething(const test::Change& removal) {
  const std::string home_uid = uidOf(removal.before->json());
  const Installation& remover = *world_.installationOf(removal.actor);
  if (remover.store->wasCreated(home_uid)) return true;
  for (const auto& target : world_.targets) {
    for (const std::string& uid : pods_[home_uid].live) {
      if (of_clone_.contains(uid) != (&remover.home != &world_.home)) continue;
      if (!world_.knowsPod(removal.actor, uid)) continue;
      const auto delegate = target->cluster.findPodByUid(uid);
      if (delegate && homeUidOf(delegate->json()) == home_uid) return true;
    }
  }
  return false;
}

/// Home has forgotten; so may everybody who knew it from there.
void Checker::restoredHome() {
  home_went_back_ = true;
  world_.forgetWhoKnows();
  for (auto& [uid, known] : pods_) {
    if (homePod(world_.first, uid) != nullptr) known.released = false;
    // A list that was asked for before may still tell of the time before its end.
    known.ended = false;
    known.made = 0;
  }
}

/// Invariant 10: more than ten within a minute are not believed, until five minutes have passed.
void Checker::loss(Target& target, const std::string& actor, const std::string& uid) {
  constexpr std::size_t kBelieved = 10;
  constexpr seconds kWindow{60}, kBrake{290};
  auto& losses = services_[&target].losses[actor];
  for (const auto& [at, counted] : losses) {
    if (counted == uid) return;
  }
  const TimePoint now = world_.runtime.clock.now();
  losses.emplace_back(now, uid);
  const auto first =
      std::ranges::find_if(losses, [&](const auto& loss) { return loss.first + kWindow > now; });
  if (losses.end() - first <= static_cast<std::ptrdiff_t>(kBelieved)) return;
  const TimePoint before =
      first == losses.begin() ? world_.installationOf(actor)->started : std::prev(first)->first;
  if (first->first - before >= kBrake) return;
  violate("absence needs proof", "more losses within a minute than are believed, and no brake");
}

}  // namespace vkb::sim
