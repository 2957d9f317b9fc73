#include "net/connection_pool.h"

#include <algorithm>

#include "net/transport_errors.h"

namespace vkb::net {

ConnectionPool::Lease::Lease(Lease&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)),
      connection_(std::move(other.connection_)),
      expires_(other.expires_),
      breaks_(other.breaks_) {}

ConnectionPool::Lease::~Lease() {
  if (pool_ != nullptr) pool_->giveBack(*this);
}

void ConnectionPool::Lease::put(std::unique_ptr<HttpConnection> fresh, std::uint64_t breaks) {
  connection_ = std::move(fresh);
  expires_ = pool_->newExpiry();
  breaks_ = breaks;
}

/// Jittered, so that a fleet of connections made together does not go together. HTTP/1.1 has no
/// GOAWAY: it is their end that spreads load over API servers behind one address again.
TimePoint ConnectionPool::newExpiry() {
  const double factor = 0.67 + 0.66 * random_.uniform();
  const std::chrono::duration<double> age = options_.max_age * factor;
  return clock_.now() + std::chrono::duration_cast<Duration>(age);
}

/// Idle connections past their time, of another endpoint or from before a break; the caller looks
/// at them and destroys them without the lock, which it holds now.
std::vector<ConnectionPool::Idle> ConnectionPool::takeUnfit() {
  const TimePoint now = clock_.now();
  const std::uint64_t breaks = breaks_.count();
  const auto unfit = [&](const Idle& idle) {
    return now >= idle.expires || now - idle.since >= options_.max_idle ||
           idle.connection->connector() != current_ || idle.breaks != breaks;
  };
  const auto fit_end = std::stable_partition(idle_.begin(), idle_.end(),
                                             [&](const Idle& idle) { return !unfit(idle); });
  std::vector<Idle> taken(std::make_move_iterator(fit_end), std::make_move_iterator(idle_.end()));
  idle_.erase(fit_end, idle_.end());
  return taken;
}

Result<void> ConnectionPool::waitForSlot(AbortHandle& abort, Deadline deadline) {
  const AbortHandle::Waker waker(abort, [this] {
    const std::lock_guard lock(mutex_);
    slot_free_.notify_all();
  });
  std::unique_lock lock(mutex_);
  const bool over = slot_free_.wait_until(
      lock, deadline, [&] { return in_use_ < options_.max_connections || abort.aborted(); });
  if (abort.aborted()) {
    slot_free_.notify_one();  // the wake-up may have been meant for another
    return failure(abortedByUs());
  }
  if (!over) {
    return failure(unreachable("all " + std::to_string(options_.max_connections) +
                               " connections to " + current_->label() +
                               " were busy for the whole time limit; check that the server is "
                               "healthy"));
  }
  ++in_use_;
  return {};
}

Result<ConnectionPool::Lease> ConnectionPool::acquire(const std::shared_ptr<Connector>& connector,
                                                      AbortHandle& abort, Deadline deadline) {
  if (auto slot = waitForSlot(abort, deadline); !slot) return tl::unexpected(slot.error());
  Lease lease(*this);
  while (true) {
    std::vector<Idle> unfit;
    {
      const std::lock_guard lock(mutex_);
      unfit = takeUnfit();
      if (!idle_.empty() && current_ == connector) {
        lease.connection_ = std::move(idle_.back().connection);
        lease.expires_ = idle_.back().expires;
        lease.breaks_ = idle_.back().breaks;
        idle_.pop_back();
      }
    }
    for (const Idle& idle : unfit) tellIfBroken(*idle.connection, idle.breaks);
    if (lease.connection_ == nullptr) return lease;
    tellIfBroken(*lease.connection_, lease.breaks_);
    if (lease.breaks_ == breaks_.count()) return lease;
    lease.connection_.reset();
  }
}

/// Whether a connection that nobody used is as it should be. The first that is not tells of all
/// that were idle with it, because its report ends their use.
void ConnectionPool::tellIfBroken(HttpConnection& idle, std::uint64_t breaks) {
  if (breaks != breaks_.count() || idle.isStillQuiet()) return;
  breaks_.report(unreachable("the connection to " + idle.connector()->label() +
                             " broke while no request used it"));
}

void ConnectionPool::giveBack(Lease& lease) {
  std::unique_ptr<HttpConnection> unwanted = std::move(lease.connection_);
  const bool reusable =
      unwanted != nullptr && unwanted->isReusable() && !unwanted->socket()->aborted();
  if (reusable) unwanted->rest();
  const std::lock_guard lock(mutex_);
  --in_use_;
  if (reusable && unwanted->connector() == current_) {
    idle_.push_back({std::move(unwanted), clock_.now(), lease.expires_, lease.breaks_});
  }
  slot_free_.notify_one();
}

void ConnectionPool::keepOnly(const std::shared_ptr<Connector>& current) {
  std::vector<Idle> unfit;
  {
    const std::lock_guard lock(mutex_);
    current_ = current;
    unfit = takeUnfit();
  }
  for (const Idle& idle : unfit) tellIfBroken(*idle.connection, idle.breaks);
}

}  // namespace vkb::net
