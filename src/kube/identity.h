#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "kube/client.h"

namespace vkb::kube {

/// A cluster's identity: UID of its kube-system namespace. An error when it cannot be read.
Result<std::string> readClusterId(Reader& reader);

/// A Client that makes sure it talks to the cluster it should (design invariant 9): before the
/// first request, and again before the next one after any connection broke, the identity is read
/// and compared. While it differs every call fails with reason "IdentityChanged" (kSlow) and
/// nothing reaches the server but that one read. Thread-safe. A watch on an unproven connection
/// reads the identity before it returns; who lists first, as the reflector does, never waits there.
/// Watch handles go before the guard.
class IdentityGuard final : public Client {
 public:
  IdentityGuard(std::unique_ptr<Client> inner, std::string expected_id);
  ~IdentityGuard() override;

  Result<std::optional<Json>> get(const Resource&, const std::string&, const std::string&) override;
  Result<json::RawList> list(const Resource&, const ListOptions&) override;
  Result<std::string> getRaw(const std::string&) override;
  Result<Json> create(const Resource&, const std::string&, const Json&, const std::string&,
                      const std::string&) override;
  Result<Json> patch(const Resource&, const std::string&, const std::string&, PatchType,
                     const Json&, const std::string&) override;
  Result<Json> update(const Resource&, const std::string&, const std::string&,
                      const Json&) override;
  Result<void> remove(const Resource&, const std::string&, const std::string&,
                      const DeleteOptions&) override;
  std::unique_ptr<WatchHandle> watch(const Resource&, const WatchOptions&, WatchHandler&) override;

  /// The last comparison failed.
  bool identityDiffers() const;

 private:
  class GuardedWatch;
  class Forwarder;
  /// Reads and compares where that is due; callers that come meanwhile wait for the same answer.
  Result<void> ensure();
  template <typename T>
  Result<T> noted(Result<T> result);
  /// Marks the identity as unproven when `status` tells of a broken connection.
  void note(const Status& status);

  std::unique_ptr<Client> inner_;
  const std::string expected_id_;
  std::mutex reading_;  ///< held while the identity is read; taken before mutex_
  mutable std::mutex mutex_;
  bool proven_ = false, differs_ = false;
  std::uint64_t breaks_ = 0;  ///< broken connections so far: a proof older than the last is none
};

}  // namespace vkb::kube
