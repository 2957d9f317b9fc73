#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "kube/kubeconfig.h"
#include "net/tls_test_server.h"
#include "support/fake_cluster.h"
#include "support/fake_runtime.h"

namespace vkb::test {

struct ApiCall;

struct FakeApiServerOptions {
  bool tls = true;
  std::string actor = "client";  ///< who every caller is in the cluster's history
  /// Bearer tokens and the actors behind them. Any given: all others are answered 401.
  std::map<std::string, std::string> tokens{};
};

/// A FakeCluster behind a real socket, plain or TLS: HTTP/1.1 with keep-alive, the API's verbs,
/// paging, chunked watches, Status bodies. Its threads (one a connection) take turns at the cluster
/// under one lock and settle the executor before they let go, so whatever a request sets off has
/// happened when its answer is out. Time stands still but for advance().
///
/// The cluster's own Faults apply; what they leave unanswered is a reset connection here. A test
/// that touches cluster or runtime while a client may be calling does so inside with().
class FakeApiServer {
 public:
  FakeApiServer(FakeRuntime& runtime, FakeCluster& cluster, FakeApiServerOptions options = {});
  /// Ends every connection.
  ~FakeApiServer();

  /// What a client needs to reach it; `token` "" for none.
  kube::ClusterAccess access(const std::string& token = "") const;
  std::uint16_t port() const { return server_->port(); }
  /// TCP connections accepted so far.
  int connections() const { return server_->accepted(); }

  /// Runs `act(cluster)` while no request is being served, and all tasks it posts.
  template <typename Act>
  auto with(const Act& act) {
    const Turn turn(*this);
    return act(cluster_);
  }
  /// Moves the clock, as FakeRuntime::advance.
  void advance(Duration by);

  // --- Faults of the wire, each for the next `times` requests that match.
  /// The connection is reset instead of anything being looked at.
  void resetConnections(int times = 1, Matcher matches = anyRequest());
  /// A watch's next line is cut in the middle, with the connection.
  void cutInMidLine(int times = 1) { cut_in_mid_line_ += times; }
  /// Requests that match wait before they are looked at; by release() those whose ?timeout= has
  /// passed meanwhile are answered 504 and have no effect.
  void holdRequests(Matcher matches);
  /// They take effect, but their answers wait.
  void holdAnswers(Matcher matches);
  /// False: not that many have come to wait within 20 s.
  bool waitUntilHeld(int count);
  /// False: not that many watches are being served, after 20 s.
  bool waitForWatches(int count);
  void release();

 private:
  /// One holder of the cluster at a time; settles at its end.
  class Turn {
   public:
    explicit Turn(FakeApiServer& server) : server_(server), lock_(server.cluster_mutex_) {}
    ~Turn() { server_.runtime_.settle(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    FakeApiServer& server_;
    const std::lock_guard<std::mutex> lock_;
  };
  class LineQueue;
  struct Answer;

  void serve(TestConnection& connection);
  /// False: the connection is of no more use.
  bool serveOne(TestConnection& connection, const ReceivedRequest& request);
  bool serveWatch(TestConnection& connection, const ApiCall& call);
  bool writeLines(TestConnection& connection, LineQueue& queue);
  Answer perform(const ApiCall& call);
  Answer read(kube::Client& client, const ApiCall& call);
  Answer write(kube::Client& client, const ApiCall& call);
  std::optional<std::string> actorOf(const ReceivedRequest& request) const;
  bool takeReset(const Request& what);
  void waitWhileHeld(const std::optional<Matcher>& held, const Request& what);

  FakeRuntime& runtime_;
  FakeCluster& cluster_;
  const FakeApiServerOptions options_;
  std::mutex cluster_mutex_;  ///< guards cluster_ and runtime_.executor

  std::mutex mutex_;  ///< guards what follows; never held together with cluster_mutex_
  std::condition_variable changed_;
  bool stopping_ = false;
  std::vector<std::pair<int, Matcher>> resets_;
  std::optional<Matcher> held_requests_, held_answers_;
  int held_ = 0, serving_watches_ = 0;
  std::vector<std::weak_ptr<LineQueue>> watches_;
  std::atomic<int> cut_in_mid_line_{0};

  std::optional<TestCa> ca_;
  std::unique_ptr<TlsTestServer> server_;  ///< goes first: its threads use all of the above
};

}  // namespace vkb::test
