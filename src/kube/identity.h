#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "kube/client.h"
#include "kube/streamer.h"

namespace vkb::kube {

/// Whose UID is a cluster's identity, where it may be read.
inline constexpr const char* kIdentityNamespace = "kube-system";

/// A cluster's identity: UID of this namespace. An error when it cannot be read.
Result<std::string> readClusterId(Reader& reader, const std::string& ns = kIdentityNamespace);

/// What is known of who answers, shared by an IdentityGuard and the REST client below it, whose
/// connections may break and be replaced without any call failing. Thread-safe.
class IdentityProof {
 public:
  /// `ns`: the namespace whose UID is the identity.
  explicit IdentityProof(std::string ns = kIdentityNamespace);
  const std::string& ns() const { return ns_; }
  /// A connection broke: whatever was proven before is not any more.
  void broke();
  /// May this request be the first one on a new connection? What reads the identity always.
  bool allows(const std::string& method, const std::string& target) const;
  bool holds() const;
  /// Breaks so far.
  std::uint64_t breaks() const;
  /// The identity was read and is the expected one. Counts only if nothing broke since there were
  /// `breaks` of them, which was before the reading.
  void prove(std::uint64_t breaks);

 private:
  const std::string ns_;
  mutable std::mutex mutex_;
  bool holds_ = false;
  std::uint64_t breaks_ = 0;
};

/// A Client that makes sure it talks to the cluster it should (design invariant 9): before the
/// first request, and again before the next one after any connection broke, the identity is read
/// and compared. While it differs every call fails with reason "IdentityChanged" (kFast) and
/// nothing reaches the server but that one read. Thread-safe. A watch on an unproven connection
/// reads the identity before it returns; who lists first, as the reflector does, never waits there.
/// Watch handles go before the guard.
class IdentityGuard final : public Client, private Streamer {
 public:
  /// `proof`: the one that `inner` was made with (RestClientOptions), if it was made with one.
  IdentityGuard(std::unique_ptr<Client> inner, std::string expected_id,
                std::shared_ptr<IdentityProof> proof = std::make_shared<IdentityProof>());
  ~IdentityGuard() override;

  Result<std::optional<Json>> get(const Resource&, const std::string&, const std::string&) override;
  Result<json::RawList> list(const Resource&, const ListOptions&) override;
  Result<std::string> getRaw(const std::string&) override;
  Result<json::ObjectPtr> create(const Resource&, const std::string&, const Json&,
                                 const std::string&, const std::string&) override;
  Result<json::ObjectPtr> patch(const Resource&, const std::string&, const std::string&, PatchType,
                                const Json&, const std::string&) override;
  Result<json::ObjectPtr> update(const Resource&, const std::string&, const std::string&,
                                 const Json&) override;
  Result<void> remove(const Resource&, const std::string&, const std::string&,
                      const DeleteOptions&) override;
  std::unique_ptr<WatchHandle> watch(const Resource&, const WatchOptions&, WatchHandler&) override;
  Streamer* streamer() override { return inner_->streamer() == nullptr ? nullptr : this; }

  /// The last comparison failed.
  bool identityDiffers() const;

 private:
  Result<std::unique_ptr<net::HttpChannel>> openChannel(net::HttpRequest request) override;
  class GuardedWatch;
  class Forwarder;
  /// Reads and compares where that is due; callers that come meanwhile wait for the same answer.
  /// Gives the number of breaks that the proof has outlived.
  Result<std::uint64_t> ensure();
  /// One call of the inner client. What was held back because another call's connection broke in
  /// between is sent once more, after the identity was read again.
  template <typename T, typename Call>
  Result<T> guarded(const Call& call);
  /// Marks the identity as unproven when `status` tells of a broken connection.
  void note(const Status& status);

  std::unique_ptr<Client> inner_;
  const std::string expected_id_;
  const std::shared_ptr<IdentityProof> proof_;
  std::mutex reading_;  ///< held while the identity is read; taken before mutex_
  mutable std::mutex mutex_;
  bool differs_ = false;
};

}  // namespace vkb::kube
