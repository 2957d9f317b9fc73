#include "bridge/dependency_turn.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/protections.h"
#include "bridge/names.h"
#include "json/json.h"
#include "json/time.h"
#include "kube/base64.h"

namespace vkb::bridge {
namespace {

using node::Outcome;
using State = DependencyBook::State;
using std::chrono::seconds;

/// As for pods: until then a create without an answer may take effect.
constexpr seconds kAttemptWindow = kube::kWriteCallDeadline + kube::kWriteTimeout;
/// A pod that home no longer has gets no new tokens; its delegate is on its way out.
constexpr seconds kPodIsGoing{60};
constexpr seconds kSoonest{30};
/// Tokens are renewed when this part of their life is over, as kubelets do.
constexpr double kRenewAfter = 0.8;

bool isBeingDeleted(const Json& object) {
  return !json::str(object, {"metadata", "deletionTimestamp"}).empty();
}

bool holdsAll(const Json& secret, const PodTokens& tokens) {
  return std::all_of(tokens.tokens.begin(), tokens.tokens.end(), [&](const auto& token) {
    return !json::str(secret, {"data", token.key}).empty();
  });
}

WallTime refreshAt(const Json& secret) {
  return json::parseTime(json::str(secret, {"metadata", "annotations", kAnnotationRefreshAt}))
      .value_or(WallTime{});
}

}  // namespace

Outcome DependencyTurn::run() {
  const auto entry = c_.book.find(key_);
  if (!entry) return Outcome::done();
  entry_ = *entry;
  if (entry_.record.users.empty()) return remove();
  return entry_.record.tokens.empty() ? mirror() : renewTokens();
}

Outcome DependencyTurn::mirror() {
  auto home = c_.home.get(resourceOf(key_.kind), entry_.record.home_ns, entry_.record.home_name);
  if (!home) return failed(home.error());
  auto copy = readCopy();
  if (!copy) return failed(copy.error());
  const bool foreign = *copy && !isOurs(**copy);
  if (foreign && !(c_.use_existing && *home)) return taken();
  // Running pods keep what they have, as they would at home.
  if (!*home) return missing("there is none at home");
  if (isLegacyToken(**home)) {
    return missing(
        "it is a service account's token, and those are never copied; join the target "
        "with --service-accounts=home for tokens that a pod may have there");
  }
  if (foreign) return inStep(**copy);
  auto written = write(copyOf(**home, key_, c_.marks), std::move(*copy));
  if (!written) return failed(written.error());
  return inStep(*written);
}

Outcome DependencyTurn::renewTokens() {
  const auto tokens = parsePodTokens(entry_.record.tokens);
  if (!tokens) return failed(tokens.error());
  auto copy = readCopy();
  if (!copy) return failed(copy.error());
  if (*copy && !isOurs(**copy)) return taken();
  const WallTime now = c_.runtime.clock.wallNow();
  const bool whole = *copy && holdsAll(**copy, *tokens);
  if (whole && refreshAt(**copy) > now) {
    const Outcome done = inStep(**copy);
    return done.failure ? done : Outcome::after(refreshAt(**copy) - now);
  }
  WallTime refresh_at;
  const auto values = mint(*tokens, refresh_at);
  if (!values) {
    const int code = values.error().code;
    if (whole && (code == 404 || code == 409)) return Outcome::after(kPodIsGoing);
    return failed(values.error());
  }
  const Json wanted = tokenSecret(key_, entry_.record.home_ns + "/" + entry_.record.home_name,
                                  entry_.record.tokens, *values, refresh_at, c_.marks);
  auto written = write(wanted, std::move(*copy));
  if (!written) return failed(written.error());
  const Outcome done = inStep(*written);
  return done.failure ? done : Outcome::after(refresh_at - now);
}

Result<Json> DependencyTurn::mint(const PodTokens& tokens, WallTime& refresh_at) {
  const WallTime now = c_.runtime.clock.wallNow();
  Json values = Json::object();
  refresh_at = WallTime::max();
  for (const auto& token : tokens.tokens) {
    Json spec = {
        {"expirationSeconds", token.seconds},
        {"boundObjectRef",
         {{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", tokens.pod}, {"uid", tokens.uid}}}};
    spec["audiences"] = Json::array();
    if (!token.audience.empty()) spec["audiences"].push_back(token.audience);
    const Json request = {{"apiVersion", "authentication.k8s.io/v1"},
                          {"kind", "TokenRequest"},
                          {"spec", std::move(spec)}};
    auto answer = json::parsed(c_.home.create(kube::kServiceAccounts, entry_.record.home_ns,
                                              request, tokens.account, "token"));
    if (!answer) {
      Status status = answer.error();
      status.message = "no token of service account " + entry_.record.home_ns + "/" +
                       tokens.account + " from home: " + status.message;
      if (status.isNotFound()) {
        status.reason = kReasonDependencyMissing;
        status.retry = Retry::kSlow;
      }
      return failure(std::move(status));
    }
    values[token.key] = kube::base64Encode(json::str(*answer, {"status", "token"}));
    const auto expires = json::parseTime(json::str(*answer, {"status", "expirationTimestamp"}))
                             .value_or(now + seconds(token.seconds));
    // Not by the timestamp alone: home's clock may be ahead of ours.
    const seconds granted(
        json::integer(*answer, {"spec", "expirationSeconds"}).value_or(token.seconds));
    const std::chrono::duration<double> life = std::min<Duration>(expires - now, granted);
    const auto use = std::chrono::duration_cast<seconds>(life * kRenewAfter);
    refresh_at = std::min(refresh_at, now + std::max(use, kSoonest));
  }
  return values;
}

Result<std::optional<Json>> DependencyTurn::readCopy() {
  auto copy = c_.target.get(resourceOf(key_.kind), key_.ns, key_.name);
  if (copy) absent_ = !copy->has_value();
  return copy;
}

/// The record is proof of its own: labels can be edited away, a UID cannot.
bool DependencyTurn::isOurs(const Json& copy) const {
  const std::string uid = json::str(copy, {"metadata", "uid"});
  return isMarked(copy, c_.marks) || (!entry_.record.uid.empty() && uid == entry_.record.uid);
}

Result<Json> DependencyTurn::write(const Json& wanted, std::optional<Json> copy) {
  if (!copy) return create(wanted);
  if (isBeingDeleted(*copy)) {
    return failure(
        {.code = 409, .reason = "Conflict", .message = what() + " is being deleted in the target"});
  }
  if (isInStep(*copy, wanted)) return std::move(*copy);
  if (!mustBeMadeAnew(*copy, wanted)) {
    return json::parsed(
        c_.target.update(resourceOf(key_.kind), key_.ns, key_.name, broughtUp(*copy, wanted)));
  }
  if (auto removed = removeCopy(*copy); !removed) return failure(removed.error());
  absent_ = true;
  return create(wanted);
}

Result<Json> DependencyTurn::create(const Json& wanted) {
  auto made = json::parsed(c_.target.create(resourceOf(key_.kind), key_.ns, wanted));
  if (made) return made;
  if (made.error().isUnanswered()) {
    c_.book.setAttempt(key_, c_.runtime.clock.wallNow() + kAttemptWindow);
  }
  if (made.error().reason != "AlreadyExists") return made;
  // An earlier attempt whose answer was lost, or somebody else: its marks decide, the next time.
  Status status = made.error();
  status.retry = Retry::kFast;
  return failure(std::move(status));
}

Result<void> DependencyTurn::removeCopy(const Json& copy) {
  auto removed = c_.target.remove(resourceOf(key_.kind), key_.ns, key_.name,
                                  {.uid = json::str(copy, {"metadata", "uid"})});
  if (!removed && removed.error().isNotFound()) return {};
  return removed;
}

Outcome DependencyTurn::remove() {
  const Duration left = entry_.attempt_expires - c_.runtime.clock.wallNow();
  if (left > Duration::zero()) return Outcome::after(left);
  auto copy = readCopy();
  if (!copy) return failed(copy.error());
  if (*copy && isOurs(**copy)) {
    if (entry_.rebuilt) {
      const auto unused = isUnused();
      if (!unused) return failed(unused.error());
      if (!*unused) return Outcome::after(Duration::zero());
      if (!c_.may_remove(json::str(**copy, {"metadata", "uid"}))) return Outcome::done();
    }
    if (auto removed = removeCopy(**copy); !removed) return failed(removed.error());
  }
  const auto forgotten = c_.book.forget(key_);
  if (!forgotten) return failed(forgotten.error());
  return *forgotten ? Outcome::done() : Outcome::after(Duration::zero());
}

/// Without a store the delegates tell who uses what; those that the cache has not heard of too.
Result<bool> DependencyTurn::isUnused() {
  const auto pods =
      kube::listAll(c_.target, kube::kPods,
                    {.ns = key_.ns,
                     .label_selector = std::string(kLabelHomeCluster) + "=" + c_.marks.home_id +
                                       "," + kLabelNode + "=" + c_.marks.node});
  if (!pods) return failure(pods.error());
  bool unused = true;
  for (const auto& object : pods->items) {
    const Json pod = object->parse();
    const auto named = references(json::at(pod, "spec"));
    const bool refers = std::any_of(named.begin(), named.end(), [&](const Reference& reference) {
      return reference.kind == key_.kind && reference.name == key_.name;
    });
    if (!refers) continue;
    unused = false;
    auto used = c_.book.use(entry_.record, json::str(pod, {"metadata", "labels", kLabelHomeUid}));
    if (!used) return failure(used.error());
  }
  return unused;
}

Outcome DependencyTurn::inStep(const Json& copy) {
  const std::string uid = isOurs(copy) ? json::str(copy, {"metadata", "uid"}) : "";
  if (auto written = c_.book.setUid(key_, uid); !written) return failed(written.error());
  c_.wake(
      c_.book.settle(key_, State::kInStep, {}, json::str(copy, {"metadata", "resourceVersion"})));
  return Outcome::done();
}

Outcome DependencyTurn::missing(const std::string& why) {
  c_.wake(c_.book.settle(key_, State::kMissing,
                         {.reason = kReasonDependencyMissing, .message = why}, ""));
  return Outcome::done();
}

Outcome DependencyTurn::taken() {
  return failed({.code = 409,
                 .reason = kReasonDependencyTaken,
                 .message = what() + " that is not this bridge's exists in the target; it is left "
                                     "alone, and not used unless the target is joined with "
                                     "--existing-objects=use",
                 .retry = Retry::kSlow});
}

Outcome DependencyTurn::failed(Status status) {
  // Home's object may change, or the target's rules: it is asked again, for ever.
  if (status.retry == Retry::kNever) status.retry = Retry::kSlow;
  if (status.message != entry_.why.message) {
    VKB_LOG(c_.logger, Warn, "dependency not in step", {"what", what()}, {"reason", status.reason},
            {"message", status.message});
  }
  // What is there serves pods on, if not with the newest content; another object of its name does
  // not.
  const bool was_there =
      entry_.state == State::kInStep && !absent_ && status.reason != kReasonDependencyTaken;
  const auto users = c_.book.settle(key_, was_there ? State::kInStep : State::kFailed, status, "");
  if (!was_there) c_.wake(users);
  return Outcome::failed(std::move(status));
}

std::string DependencyTurn::what() const {
  return std::string(toString(key_.kind)) + " " + key_.ns + "/" + key_.name;
}

}  // namespace vkb::bridge
