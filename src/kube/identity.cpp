#include "kube/identity.h"

#include <nlohmann/json.hpp>

#include "base/protections.h"
#include "json/json.h"

namespace vkb::kube {
namespace {

/// What may have put another server behind the same address: the connection broke, or a proxy
/// before the server says that it did.
bool tellsOfBreak(const Status& status) {
  return status.code == 0 || status.code == 502 || status.code == 503;
}

}  // namespace

Result<std::string> readClusterId(Reader& reader, const std::string& ns) {
  const auto object = reader.get(kNamespaces, "", ns);
  if (!object) {
    Status status = object.error();
    status.message = "cannot read the cluster's identity (namespace " + ns + "): " + status.message;
    return failure(std::move(status));
  }
  std::string id = *object ? json::str(**object, {"metadata", "uid"}) : "";
  if (id.empty()) {
    return failure({.code = 0,
                    .reason = "NotKubernetes",
                    .message = "the cluster has no namespace " + ns + ", whose UID is its identity",
                    .retry = Retry::kSlow});
  }
  return id;
}

/// Passes one watch's events on and notes how it ended. Shared by the handle and, while a call is
/// under way, by that call: the handle may be destroyed from within it.
class IdentityGuard::Forwarder final : public WatchHandler,
                                       public std::enable_shared_from_this<Forwarder> {
 public:
  Forwarder(IdentityGuard& guard, WatchHandler& handler) : guard_(guard), handler_(handler) {}
  void onEvent(json::RawEvent event) override {
    const auto self = shared_from_this();
    handler_.onEvent(std::move(event));
  }
  void onClosed(Status status) override {
    const auto self = shared_from_this();
    guard_.note(status);
    handler_.onClosed(std::move(status));
  }

 private:
  IdentityGuard& guard_;
  WatchHandler& handler_;
};

class IdentityGuard::GuardedWatch final : public WatchHandle {
 public:
  GuardedWatch(IdentityGuard& guard, WatchHandler& handler)
      : forwarder_(std::make_shared<Forwarder>(guard, handler)) {}
  Forwarder& forwarder() { return *forwarder_; }
  void set(std::unique_ptr<WatchHandle> inner) { inner_ = std::move(inner); }

 private:
  const std::shared_ptr<Forwarder> forwarder_;
  std::unique_ptr<WatchHandle> inner_;  ///< goes first
};

IdentityProof::IdentityProof(std::string ns) : ns_(std::move(ns)) {}

void IdentityProof::broke() {
  if (!base::protects(base::Protection::kIdentityRecheck)) return;
  const std::lock_guard lock(mutex_);
  holds_ = false;
  ++breaks_;
}

bool IdentityProof::allows(const std::string& method, const std::string& target) const {
  if (method == "GET" && target == "/api/v1/namespaces/" + ns_) return true;
  return holds();
}

bool IdentityProof::holds() const {
  const std::lock_guard lock(mutex_);
  return holds_;
}

std::uint64_t IdentityProof::breaks() const {
  const std::lock_guard lock(mutex_);
  return breaks_;
}

void IdentityProof::prove(std::uint64_t breaks) {
  const std::lock_guard lock(mutex_);
  holds_ = breaks == breaks_;
}

IdentityGuard::IdentityGuard(std::unique_ptr<Client> inner, std::string expected_id,
                             std::shared_ptr<IdentityProof> proof)
    : inner_(std::move(inner)), expected_id_(std::move(expected_id)), proof_(std::move(proof)) {}

IdentityGuard::~IdentityGuard() = default;

Result<std::uint64_t> IdentityGuard::ensure() {
  std::uint64_t breaks = proof_->breaks();  // before holds(): a break in between is then noticed
  if (proof_->holds()) return breaks;
  const std::lock_guard reading(reading_);
  breaks = proof_->breaks();
  if (proof_->holds()) return breaks;  // by who came before us
  const auto id = readClusterId(*inner_, proof_->ns());
  if (!id) return failure(id.error());
  const bool differs = *id != expected_id_;
  {
    const std::lock_guard lock(mutex_);
    differs_ = differs;
  }
  if (!differs) {
    proof_->prove(breaks);
    return breaks;
  }
  return failure({.code = 0,
                  .reason = reasons::kIdentityChanged,
                  .message = "another cluster answers at this address: its identity is " + *id +
                             ", expected " + expected_id_ +
                             "; nothing is written until that is put right",
                  // Each attempt is one GET. While servers are exchanged this passes in a moment.
                  .retry = Retry::kFast});
}

void IdentityGuard::note(const Status& status) {
  if (tellsOfBreak(status)) proof_->broke();
}

template <typename T, typename Call>
Result<T> IdentityGuard::guarded(const Call& call) {
  for (bool again = false;; again = true) {
    const auto proven = ensure();
    if (!proven) return failure(proven.error());
    Result<T> result = call();
    if (result) return result;
    // The break is known already, and nothing of this request was sent.
    const bool held_back = result.error().code == 0 &&
                           result.error().reason == reasons::kUnreachable &&
                           proof_->breaks() != *proven;
    if (held_back && !again) continue;
    note(result.error());
    return result;
  }
}

Result<std::optional<Json>> IdentityGuard::get(const Resource& resource, const std::string& ns,
                                               const std::string& name) {
  return guarded<std::optional<Json>>([&] { return inner_->get(resource, ns, name); });
}

Result<json::RawList> IdentityGuard::list(const Resource& resource, const ListOptions& options) {
  return guarded<json::RawList>([&] { return inner_->list(resource, options); });
}

Result<std::string> IdentityGuard::getRaw(const std::string& path) {
  return guarded<std::string>([&] { return inner_->getRaw(path); });
}

Result<json::ObjectPtr> IdentityGuard::create(const Resource& resource, const std::string& ns,
                                              const Json& object, const std::string& name,
                                              const std::string& subresource) {
  return guarded<json::ObjectPtr>(
      [&] { return inner_->create(resource, ns, object, name, subresource); });
}

Result<json::ObjectPtr> IdentityGuard::patch(const Resource& resource, const std::string& ns,
                                             const std::string& name, PatchType type,
                                             const Json& patch, const std::string& subresource) {
  return guarded<json::ObjectPtr>(
      [&] { return inner_->patch(resource, ns, name, type, patch, subresource); });
}

Result<json::ObjectPtr> IdentityGuard::update(const Resource& resource, const std::string& ns,
                                              const std::string& name, const Json& object) {
  return guarded<json::ObjectPtr>([&] { return inner_->update(resource, ns, name, object); });
}

Result<void> IdentityGuard::remove(const Resource& resource, const std::string& ns,
                                   const std::string& name, const DeleteOptions& options) {
  return guarded<void>([&] { return inner_->remove(resource, ns, name, options); });
}

std::unique_ptr<WatchHandle> IdentityGuard::watch(const Resource& resource,
                                                  const WatchOptions& options,
                                                  WatchHandler& handler) {
  auto watch = std::make_unique<GuardedWatch>(*this, handler);
  if (auto sure = ensure(); !sure) {
    handler.onClosed(sure.error());
    return watch;
  }
  watch->set(inner_->watch(resource, options, watch->forwarder()));
  return watch;
}

Result<std::unique_ptr<net::HttpChannel>> IdentityGuard::openChannel(net::HttpRequest request) {
  return guarded<std::unique_ptr<net::HttpChannel>>(
      [&] { return inner_->streamer()->openChannel(request); });
}

bool IdentityGuard::identityDiffers() const {
  const std::lock_guard lock(mutex_);
  return differs_;
}

}  // namespace vkb::kube
