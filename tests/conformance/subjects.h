#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kube/client.h"
#include "kube/kubeconfig.h"
#include "kube/rest_client.h"
#include "support/fake_api_server.h"
#include "support/watch_log.h"

namespace vkb::test {

/// An API server that the tests of this folder run against, and what they need besides a client.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual kube::Client& client() = 0;
  /// Lets the server do what it does by itself.
  virtual void settle() {}
  /// Time passes at the server; where time is real, the waits of the test see to that.
  virtual void pass(std::chrono::seconds) {}
  /// One that takes pods; gone with the subject. Its name begins with `prefix`.
  virtual std::string newNamespace(const std::string& prefix) = 0;
  /// How to reach it, for subjects with a socket.
  virtual kube::ClusterAccess access() const { return {}; }

  /// Until `seen` is true of what `log` holds; false after 30 s.
  bool waitUntil(WatchLog& log,
                 const std::function<bool(const std::vector<json::RawEvent>&)>& seen) {
    settle();
    return log.waitUntil(seen);
  }
};

/// kube::Client of a FakeCluster, no socket.
std::unique_ptr<Subject> inMemory();
/// The REST client over TLS to a FakeApiServer.
std::unique_ptr<Subject> overSocket();
/// The REST client to the server of $E2E_TARGET_KUBECONFIG; null when that is not set.
std::unique_ptr<Subject> realServer();

/// A REST client as the program makes it.
class Connection {
 public:
  explicit Connection(const kube::ClusterAccess& access,
                      std::shared_ptr<kube::IdentityProof> proof = nullptr);
  kube::Client& client() { return *client_; }
  std::unique_ptr<kube::Client> take() { return std::move(client_); }

 private:
  base::SystemClock clock_;
  base::SystemRandom random_;
  base::NullLogger logger_;
  base::Metrics metrics_;
  std::unique_ptr<kube::Client> client_;
};

}  // namespace vkb::test
