#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "net/breaks.h"
#include "net/http_client.h"
#include "net/http_connection.h"

namespace vkb::net {

/// Keep-alive connections of one client. Thread-safe. Never more than max_connections at once, idle
/// ones included; who finds none free waits. Ages are measured by the `Clock`, waits in real time.
/// When one connection breaks, no other one made before is used for another request.
class ConnectionPool {
 public:
  /// `breaks` outlives the pool, which reports to it what it finds broken.
  ConnectionPool(const Clock& clock, Random& random, const HttpClientOptions& options,
                 Breaks& breaks)
      : clock_(clock), random_(random), options_(options), breaks_(breaks) {}

  /// One slot of the pool, with a connection in it once there is one. Gives both back at its end:
  /// the connection too when it can carry another request.
  class Lease {
   public:
    explicit Lease(ConnectionPool& pool) : pool_(&pool) {}
    Lease(Lease&& other) noexcept;
    Lease& operator=(Lease&&) = delete;
    ~Lease();

    HttpConnection* connection() { return connection_.get(); }
    /// Replaces what is in the slot by a connection just made; `breaks` had been counted when its
    /// making began.
    void put(std::unique_ptr<HttpConnection> fresh, std::uint64_t breaks);
    void drop() { connection_.reset(); }

   private:
    friend class ConnectionPool;
    ConnectionPool* pool_;
    std::unique_ptr<HttpConnection> connection_;
    TimePoint expires_{};
    std::uint64_t breaks_ = 0;  ///< counted before the connection was made
  };

  /// A slot, with an idle connection of `connector` when one is fit; "Unreachable" when none gets
  /// free in time.
  Result<Lease> acquire(const std::shared_ptr<Connector>& connector, AbortHandle& abort,
                        Deadline deadline);
  /// Closes idle connections that are not `current`'s; others are closed when given back.
  void keepOnly(const std::shared_ptr<Connector>& current);

 private:
  struct Idle {
    std::unique_ptr<HttpConnection> connection;
    TimePoint since;
    TimePoint expires;
    std::uint64_t breaks;
  };
  void giveBack(Lease& lease);
  Result<void> waitForSlot(AbortHandle& abort, Deadline deadline);
  std::vector<Idle> takeUnfit();
  void tellIfBroken(HttpConnection& idle, std::uint64_t breaks);
  TimePoint newExpiry();

  const Clock& clock_;
  Random& random_;
  const HttpClientOptions options_;
  Breaks& breaks_;
  std::mutex mutex_;
  std::condition_variable slot_free_;
  std::size_t in_use_ = 0;                ///< guarded by mutex_, as what follows
  std::vector<Idle> idle_;                ///< most recently used last
  std::shared_ptr<Connector> current_{};  ///< null until the first keepOnly()
};

}  // namespace vkb::net
