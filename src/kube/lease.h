#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "kube/client.h"

namespace vkb::kube {

/// Where a lease is and how it is held.
struct LeaseOptions {
  std::string ns, name;
  std::string holder;  ///< holderIdentity
  std::chrono::seconds duration{40};
  /// May a claim be taken that another holder has not renewed for its duration? Without: only one
  /// that he gave back, or by `take_over`.
  bool take_lapsed = true;
  std::map<std::string, std::string> labels{};  ///< of a Lease that is made
};

/// A node's heartbeat: the Lease of its name in kube-node-lease, owned by the Node object. One PUT
/// a renewal, as the kubelet does. Thread-safe.
class NodeLease {
 public:
  NodeLease(const Clock& clock, Client& client, std::string node);
  /// Makes the lease or moves renewTime to now; to be called every 10 s. `node_uid` becomes the
  /// owner; "" while the Node object is not known.
  Result<void> renew(const std::string& node_uid);
  /// How long nobody has written it, since we first saw it so: is another bridge renewing it?
  Result<Duration> quietFor();
  /// When the lease that the first renew() found had been renewed; nothing when it found none.
  std::optional<WallTime> foundRenewed() const;

 private:
  Result<json::ObjectPtr> renewOnce(const std::string& node_uid);

  const Clock& clock_;
  Client& client_;
  const std::string node_;
  mutable std::mutex mutex_;
  json::ObjectPtr last_;                      ///< the lease as last written
  std::optional<std::string> quiet_version_;  ///< resourceVersion that quietFor() saw
  TimePoint quiet_since_{};
  std::optional<WallTime> found_renewed_;
  bool looked_ = false;
};

/// A claim that only one of many may hold, by client-go's leader election rules: a foreign claim
/// counts as lapsed when its record has not changed for `duration` since *we* first saw it so
/// (clocks of two machines are never compared), or when its holder gave it back. One that vanished
/// while another held it stays his for that time: he will put it back. Thread-safe.
class LeaseClaim {
 public:
  LeaseClaim(const Clock& clock, Client& client, LeaseOptions options);

  struct Outcome {
    bool held = false;
    std::string holder;  ///< who holds it, us or another
    /// When it was taken from another who had not given it back, by its record (and so by the clock
    /// of whoever took it); nothing when it never was.
    std::optional<WallTime> taken_from_another{};
  };
  /// Takes, renews or just looks; to be called every duration / 4. One PUT renews what was held the
  /// last time, as in client-go's election; whoever wrote it since makes that a conflict.
  /// Otherwise, or after a call that failed, a GET tells first. `take_over` takes it from a live
  /// holder, who learns of it at his next renewal.
  Result<Outcome> tryHold(bool take_over = false);
  /// Gives it back, if it is ours, so that the next one need not wait.
  Result<void> release();
  /// Deletes it, if it is ours: nobody will want it again.
  Result<void> remove();

 private:
  Result<Outcome> lookAndHold(bool take_over);
  Result<Outcome> make();
  Result<Outcome> take(Json lease, const std::string& previous);
  bool lapsed(const Json& lease);
  void noteForeign(const Json& lease, const std::string& holder);
  Json spec(const std::string& holder) const;

  const Clock& clock_;
  Client& client_;
  const LeaseOptions options_;
  std::mutex mutex_;
  json::ObjectPtr held_;     ///< as our last call wrote it; null: it did not
  std::string seen_record_;  ///< resourceVersion and holder last seen of another's claim
  std::string seen_holder_;
  TimePoint seen_at_{};
};

}  // namespace vkb::kube
