#include "subjects.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>

#include "base/check.h"
#include "json/json.h"

namespace vkb::test {
namespace {

constexpr kube::Resource kServiceAccounts{"", "v1", "serviceaccounts", true};

void mustHold(bool ok, const std::string& what) { VKB_CHECK(ok, what.c_str()); }

class InMemory final : public Subject {
 public:
  kube::Client& client() override { return *client_; }
  void settle() override { runtime_.settle(); }
  void pass(std::chrono::seconds by) override { runtime_.advance(by); }
  std::string newNamespace(const std::string& prefix) override {
    cluster_.addNamespace(prefix);
    return prefix;
  }

 private:
  FakeRuntime runtime_;
  FakeCluster cluster_{runtime_};
  std::unique_ptr<kube::Client> client_ = cluster_.client("client");
};

/// Any request with a token of a service account is let in as that; without one as the
/// administrator with a known token.
class OverSocket final : public Subject {
 public:
  OverSocket() {
    cluster_.answerers["serviceaccounts/token"] = [](const std::string&, const Json&) {
      return Result<Json>(Json{{"kind", "TokenRequest"},
                               {"apiVersion", "authentication.k8s.io/v1"},
                               {"status", {{"token", "of-an-account"}}}});
    };
  }
  kube::Client& client() override { return connection_.client(); }
  void pass(std::chrono::seconds by) override { server_.advance(by); }
  std::string newNamespace(const std::string& prefix) override {
    server_.with([&](FakeCluster& cluster) { cluster.addNamespace(prefix); });
    return prefix;
  }
  kube::ClusterAccess access() const override { return server_.access("of-the-admin"); }

 private:
  FakeRuntime runtime_;
  FakeCluster cluster_{runtime_};
  FakeApiServer server_{
      runtime_, cluster_, {.tokens = {{"of-the-admin", "admin"}, {"of-an-account", "account"}}}};
  Connection connection_{server_.access("of-the-admin")};
};

class Real final : public Subject {
 public:
  explicit Real(const kube::ClusterAccess& access) : access_(access), connection_(access) {}
  ~Real() override {
    for (const std::string& name : made_) {
      (void)connection_.client().remove(kube::kNamespaces, "", name, {});
    }
  }
  kube::Client& client() override { return connection_.client(); }
  /// Made by the controller manager a moment after the namespace; pods are refused before.
  std::string newNamespace(const std::string& prefix) override {
    const std::string name = prefix + "-" + std::to_string(std::random_device()() % 1'000'000);
    const auto made = client().create(kube::kNamespaces, "", {{"metadata", {{"name", name}}}});
    mustHold(made.has_value(), made ? "" : made.error().message);
    made_.push_back(name);
    WatchLog log;
    const auto watch = client().watch(kServiceAccounts, {.ns = name}, log);
    mustHold(log.waitUntil([](const auto& events) {
      return std::any_of(events.begin(), events.end(), [](const json::RawEvent& event) {
        return event.object->name == "default";
      });
    }),
             "the controller manager makes the namespace's default service account");
    return name;
  }
  kube::ClusterAccess access() const override { return access_; }

 private:
  const kube::ClusterAccess access_;
  Connection connection_;
  std::vector<std::string> made_;
};

}  // namespace

Connection::Connection(const kube::ClusterAccess& access,
                       std::shared_ptr<kube::IdentityProof> proof) {
  kube::RestClientOptions options;
  options.user_agent = "vk-bridge/test";
  options.cluster = "c";
  options.identity_proof = std::move(proof);
  auto client = kube::makeRestClient(access, clock_, random_, logger_, metrics_, options);
  mustHold(client.has_value(), client ? "" : client.error().message);
  client_ = std::move(*client);
}

std::unique_ptr<Subject> inMemory() { return std::make_unique<InMemory>(); }
std::unique_ptr<Subject> overSocket() { return std::make_unique<OverSocket>(); }

std::unique_ptr<Subject> realServer() {
  const char* path = std::getenv("E2E_TARGET_KUBECONFIG");
  if (path == nullptr || *path == '\0') return nullptr;
  const auto access = kube::loadKubeconfig(path);
  mustHold(access.has_value(), access ? "" : access.error().message);
  return std::make_unique<Real>(*access);
}

}  // namespace vkb::test
