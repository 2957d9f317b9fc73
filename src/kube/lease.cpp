#include "kube/lease.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "json/json.h"
#include "json/time.h"

namespace vkb::kube {
namespace {

constexpr const char* kNodeLeaseNamespace = "kube-node-lease";
constexpr std::chrono::seconds kNodeLeaseDuration{40};

Json newLease(const std::string& ns, const std::string& name) {
  return {{"apiVersion", "coordination.k8s.io/v1"},
          {"kind", "Lease"},
          {"metadata", {{"name", name}, {"namespace", ns}}}};
}

}  // namespace

NodeLease::NodeLease(const Clock& clock, Client& client, std::string node)
    : clock_(clock), client_(client), node_(std::move(node)) {}

Result<void> NodeLease::renew(const std::string& node_uid) {
  const std::lock_guard lock(mutex_);
  auto written = renewOnce(node_uid);
  if (!written && last_ && (written.error().code == 409 || written.error().isNotFound())) {
    // Somebody else wrote it, or it is gone: look again, once.
    last_.reset();
    written = renewOnce(node_uid);
  }
  if (!written) {
    last_.reset();
    return failure(written.error());
  }
  last_ = std::move(*written);
  return {};
}

Result<Duration> NodeLease::quietFor() {
  const std::lock_guard lock(mutex_);
  const auto found = client_.get(kLeases, kNodeLeaseNamespace, node_);
  if (!found) return failure(found.error());
  const std::string version = *found ? json::str(**found, {"metadata", "resourceVersion"}) : "";
  if (quiet_version_ != version) {
    quiet_version_ = version;
    quiet_since_ = clock_.now();
  }
  return clock_.now() - quiet_since_;
}

std::optional<WallTime> NodeLease::foundRenewed() const {
  const std::lock_guard lock(mutex_);
  return found_renewed_;
}

Result<json::ObjectPtr> NodeLease::renewOnce(const std::string& node_uid) {
  Json lease = newLease(kNodeLeaseNamespace, node_);
  bool exists = last_ != nullptr;
  if (exists) {
    lease = last_->parse();
  } else {
    auto found = client_.get(kLeases, kNodeLeaseNamespace, node_);
    if (!found) return failure(found.error());
    exists = found->has_value();
    if (!std::exchange(looked_, true) && exists) {
      found_renewed_ = json::parseTime(json::str(**found, {"spec", "renewTime"}));
    }
    if (exists) lease = std::move(**found);
  }
  lease["spec"] = {{"holderIdentity", node_},
                   {"leaseDurationSeconds", kNodeLeaseDuration.count()},
                   {"renewTime", json::formatMicroTime(clock_.wallNow())}};
  if (!node_uid.empty()) {
    Json owner = {{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node_}, {"uid", node_uid}};
    lease["metadata"]["ownerReferences"] = Json::array({std::move(owner)});
  }
  if (exists) return client_.update(kLeases, kNodeLeaseNamespace, node_, lease);
  return client_.create(kLeases, kNodeLeaseNamespace, lease);
}

LeaseClaim::LeaseClaim(const Clock& clock, Client& client, LeaseOptions options)
    : clock_(clock), client_(client), options_(std::move(options)) {}

Json LeaseClaim::spec(const std::string& holder) const {
  return {{"holderIdentity", holder},
          {"leaseDurationSeconds", options_.duration.count()},
          {"renewTime", json::formatMicroTime(clock_.wallNow())}};
}

Result<LeaseClaim::Outcome> LeaseClaim::tryHold(bool take_over) {
  const std::lock_guard lock(mutex_);
  if (const json::ObjectPtr held = std::exchange(held_, nullptr)) {
    auto renewed = take(held->parse(), options_.holder);
    const bool changed = renewed ? !renewed->held : renewed.error().isNotFound();
    if (!changed) return renewed;
  }
  return lookAndHold(take_over);
}

Result<LeaseClaim::Outcome> LeaseClaim::lookAndHold(bool take_over) {
  auto found = client_.get(kLeases, options_.ns, options_.name);
  if (!found) return failure(found.error());
  if (!*found) {
    const bool his = !seen_holder_.empty() && clock_.now() - seen_at_ <= options_.duration;
    if (his && !take_over) return Outcome{false, seen_holder_};
    return make();
  }
  Json lease = std::move(**found);
  const std::string holder = json::str(lease, {"spec", "holderIdentity"});
  const bool free = holder == options_.holder || holder.empty();
  if (free || take_over) return take(std::move(lease), holder);
  const bool may_take = lapsed(lease) && options_.take_lapsed;
  noteForeign(lease, holder);
  if (may_take) return take(std::move(lease), holder);
  return Outcome{false, holder};
}

Result<LeaseClaim::Outcome> LeaseClaim::make() {
  Json lease = newLease(options_.ns, options_.name);
  if (!options_.labels.empty()) lease["metadata"]["labels"] = options_.labels;
  lease["spec"] = spec(options_.holder);
  lease["spec"]["acquireTime"] = lease["spec"]["renewTime"];
  lease["spec"]["leaseTransitions"] = 0;
  auto made = client_.create(kLeases, options_.ns, lease);
  if (made) {
    held_ = std::move(*made);
    return Outcome{true, options_.holder};
  }
  // Another one was faster: not held, and the next look tells by whom.
  if (made.error().code == 409) return Outcome{false, ""};
  return failure(made.error());
}

/// PUT with the resourceVersion just read: of two that try, one gets a conflict.
Result<LeaseClaim::Outcome> LeaseClaim::take(Json lease, const std::string& previous) {
  const Json before = json::object(lease, {"spec"});
  lease["spec"] = spec(options_.holder);
  auto transitions = json::integer(before, {"leaseTransitions"}).value_or(0);
  if (previous == options_.holder) {
    lease["spec"]["acquireTime"] = json::at(before, "acquireTime");
  } else {
    lease["spec"]["acquireTime"] = lease["spec"]["renewTime"];
    transitions = previous.empty() ? 0 : transitions + 1;
  }
  lease["spec"]["leaseTransitions"] = transitions;
  auto written = client_.update(kLeases, options_.ns, options_.name, lease);
  if (written) {
    held_ = std::move(*written);
    Outcome outcome{true, options_.holder};
    if (transitions > 0) {
      outcome.taken_from_another = json::parseTime(json::str(lease, {"spec", "acquireTime"}));
    }
    seen_holder_.clear();
    return outcome;
  }
  if (written.error().code == 409)
    return Outcome{false, previous == options_.holder ? "" : previous};
  return failure(written.error());
}

bool LeaseClaim::lapsed(const Json& lease) {
  const std::string record = json::str(lease, {"metadata", "resourceVersion"}) + " " +
                             json::str(lease, {"spec", "holderIdentity"});
  if (record != seen_record_) return false;
  const auto seconds = json::integer(lease, {"spec", "leaseDurationSeconds"});
  const auto duration =
      std::chrono::seconds(seconds.value_or(static_cast<std::int64_t>(options_.duration.count())));
  return clock_.now() - seen_at_ > duration;
}

void LeaseClaim::noteForeign(const Json& lease, const std::string& holder) {
  const std::string record = json::str(lease, {"metadata", "resourceVersion"}) + " " + holder;
  if (record == seen_record_) return;
  seen_record_ = record;
  seen_holder_ = holder;
  seen_at_ = clock_.now();
}

Result<void> LeaseClaim::release() {
  const std::lock_guard lock(mutex_);
  held_.reset();
  auto found = client_.get(kLeases, options_.ns, options_.name);
  if (!found) return failure(found.error());
  if (!*found || json::str(**found, {"spec", "holderIdentity"}) != options_.holder) return {};
  Json lease = std::move(**found);
  lease["spec"]["holderIdentity"] = "";
  lease["spec"]["leaseDurationSeconds"] = 1;  // 0 is refused
  lease["spec"]["renewTime"] = json::formatMicroTime(clock_.wallNow());
  auto written = client_.update(kLeases, options_.ns, options_.name, lease);
  if (!written && written.error().code != 409) return failure(written.error());
  return {};
}

Result<void> LeaseClaim::remove() {
  const std::lock_guard lock(mutex_);
  held_.reset();
  auto found = client_.get(kLeases, options_.ns, options_.name);
  if (!found) return failure(found.error());
  if (!*found || json::str(**found, {"spec", "holderIdentity"}) != options_.holder) return {};
  auto removed = client_.remove(kLeases, options_.ns, options_.name,
                                {.uid = json::str(**found, {"metadata", "uid"})});
  if (!removed && !removed.error().isNotFound() && removed.error().code != 409) return removed;
  return {};
}

}  // namespace vkb::kube
