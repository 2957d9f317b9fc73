#include "bridge/claim.h"

#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/protections.h"
#include "bridge/names.h"
#include "kube/call_gate.h"
#include "kube/lease.h"

namespace vkb::bridge {
namespace {

using base::Protection;
using base::protects;
using std::chrono::seconds;

constexpr seconds kRenewal{10};
constexpr seconds kRetry{2};
/// How long a confirmed claim is believed.
constexpr seconds kTrust{30};
constexpr auto kLastWrite = kube::kWriteCallDeadline + kube::kWriteTimeout;

kube::LeaseOptions leaseOptions(const Claim::Options& options) {
  return {.ns = options.ns,
          .name = claimName(options.home_id, options.node),
          .holder = options.installation,
          .take_lapsed = false,
          .labels = {{kLabelHomeCluster, options.home_id}, {kLabelNode, options.node}}};
}

/// The Lease's namespace belongs to every bridge that uses it: it carries nobody's mark.
Result<void> makeNamespace(kube::Client& target, const std::string& ns) {
  const Json object{
      {"apiVersion", "v1"},
      {"kind", "Namespace"},
      {"metadata", {{"name", ns}, {"labels", {{"app.kubernetes.io/managed-by", "vk-bridge"}}}}}};
  auto made = target.create(kube::kNamespaces, "", object);
  if (!made && made.error().reason != "AlreadyExists") return failure(made.error());
  return {};
}

Result<kube::LeaseClaim::Outcome> tryHold(kube::LeaseClaim& lease, kube::Client& target,
                                          const std::string& ns, bool take_over) {
  auto outcome = lease.tryHold(take_over);
  if (outcome || !outcome.error().isNotFound()) return outcome;
  if (auto made = makeNamespace(target, ns); !made) return failure(made.error());
  return lease.tryHold(take_over);
}

}  // namespace

std::string claimName(const std::string& home_id, const std::string& node) {
  return "vk-bridge-" + home_id.substr(0, 8) + "-" + node;
}

Result<void> takeOverClaim(const Clock& clock, kube::Client& target,
                           const Claim::Options& options) {
  kube::LeaseClaim lease(clock, target, leaseOptions(options));
  auto taken = tryHold(lease, target, options.ns, true);
  if (!taken) return failure(taken.error());
  if (taken->held) return {};
  return failure({.code = 409,
                  .reason = "Conflict",
                  .message = "the claim " + options.ns + "/" +
                             claimName(options.home_id, options.node) +
                             " changed at the same time; try again"});
}

struct Claim::Impl : std::enable_shared_from_this<Claim::Impl> {
  Impl(Runtime r, kube::Client& t, base::Logger& l, Options o)
      : runtime(r),
        target(t),
        logger(l),
        options(std::move(o)),
        lease(r.clock, t, leaseOptions(options)) {}

  Runtime runtime;
  kube::Client& target;
  base::Logger& logger;
  const Options options;
  kube::LeaseClaim lease;
  kube::CallGate gate;  ///< attempts, one at a time

  mutable std::mutex mutex;
  View now;
  std::optional<TimePoint> confirmed{};  ///< when the last renewal that succeeded was sent
  Executor::TimerId next = 0;

  std::string leaseName() const { return options.ns + "/" + leaseOptions(options).name; }

  void later(Duration delay) {
    std::lock_guard lock(mutex);
    next = runtime.executor.postAfter(delay, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->gate.pass([&] { self->attempt(); });
    });
  }

  void attempt() {
    const TimePoint sent = runtime.clock.now();
    const auto outcome = tryHold(lease, target, options.ns, false);
    if (!outcome) {
      expire(outcome.error().message);
      return later(kRetry);
    }
    if (!outcome->held && protects(Protection::kClaim)) {
      set({State::kElsewhere,
           "The target is claimed for this node by another installation" +
               (outcome->holder.empty() ? "" : " (" + outcome->holder + ")") + ", see the Lease " +
               leaseName() + " there; nothing is written to it. To move it here: vk-bridge join " +
               options.node + " --kubeconfig FILE --take-over"});
      return later(kRenewal);
    }
    {
      std::lock_guard lock(mutex);
      confirmed = sent;
    }
    const Duration settling = settlesIn(*outcome);
    if (settling > Duration::zero()) {
      set({State::kSettling, "Waiting until writes of the earlier holder can no longer arrive."});
      return later(std::min<Duration>(settling, kRenewal));
    }
    set({State::kHeld});
    watchTrust(sent);
    later(kRenewal);
  }

  /// The earlier holder believed in his claim for kTrust at most, and may have begun a write then.
  Duration settlesIn(const kube::LeaseClaim::Outcome& outcome) const {
    if (!outcome.taken_from_another) return Duration::zero();
    return *outcome.taken_from_another + kTrust + kLastWrite - runtime.clock.wallNow();
  }

  /// An attempt that hangs must not make us believe longer.
  void watchTrust(TimePoint sent) {
    runtime.executor.postAfter(kTrust, [weak = weak_from_this(), sent] {
      const auto self = weak.lock();
      if (!self || self->gate.closed()) return;
      {
        std::lock_guard lock(self->mutex);
        if (self->confirmed != sent) return;
      }
      self->expire("its renewal got no answer");
    });
  }

  void expire(const std::string& why) {
    {
      std::lock_guard lock(mutex);
      const bool trusted = confirmed && runtime.clock.now() < *confirmed + kTrust;
      if (trusted || now.state == State::kElsewhere) return;
    }
    set({State::kFailed,
         "The claim on the target (Lease " + leaseName() + ") cannot be confirmed: " + why});
  }

  void set(View view) {
    {
      std::lock_guard lock(mutex);
      view.was_held = view.state == State::kHeld || (view.state == State::kFailed && now.was_held);
      if (now.state == view.state && now.message == view.message) return;
      now = view;
    }
    if (!view.message.empty()) {
      VKB_LOG(logger, Warn, "target not claimed", {"cluster", options.node},
              {"message", view.message});
    }
    options.changed();
  }
};

Claim::Claim(Runtime runtime, kube::Client& target, base::Logger& logger, Options options)
    : impl_(std::make_shared<Impl>(runtime, target, logger, std::move(options))) {}

Claim::~Claim() { stop(); }

void Claim::start() { impl_->later(Duration::zero()); }

Claim::View Claim::view() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->now;
}

void Claim::wake() {
  Executor::TimerId next;
  {
    std::lock_guard lock(impl_->mutex);
    next = impl_->next;
  }
  // An attempt that runs just now sets the next one itself.
  if (impl_->runtime.executor.cancel(next)) impl_->later(Duration::zero());
}

void Claim::stop() { impl_->gate.close(); }

Result<void> Claim::remove() { return impl_->lease.remove(); }

}  // namespace vkb::bridge
