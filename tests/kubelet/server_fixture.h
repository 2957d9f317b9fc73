#pragma once

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/executor.h"
#include "json/json.h"
#include "kubelet/net_streams.h"
#include "kubelet/server.h"
#include "net/http_channel.h"
#include "net/http_client.h"
#include "net/server/test_certs.h"
#include "net/tls_test_server.h"

namespace vkb::test {

using std::chrono::seconds;

/// One end of a socket pair, as a stream.
class FdStream final : public ByteStream {
 public:
  explicit FdStream(int fd) : fd_(fd) {}
  ~FdStream() override { ::close(fd_); }
  int fd() const override { return fd_; }
  StreamIo tryRead(char* data, std::size_t size) override {
    const ssize_t n = ::recv(fd_, data, size, MSG_DONTWAIT);
    if (n > 0) return {StreamIo::State::kDone, static_cast<std::size_t>(n)};
    if (n == 0) return {StreamIo::State::kEnd, 0};
    return {errno == EAGAIN ? StreamIo::State::kWantRead : StreamIo::State::kBroken, 0};
  }
  StreamIo tryWrite(const char* data, std::size_t size) override {
    const ssize_t n = ::send(fd_, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0) return {StreamIo::State::kDone, static_cast<std::size_t>(n)};
    return {errno == EAGAIN ? StreamIo::State::kWantWrite : StreamIo::State::kBroken, 0};
  }
  void shutdownWrite() override { ::shutdown(fd_, SHUT_WR); }

 private:
  const int fd_;
};

/// A provider whose containers are the test: it holds the far end of every stream.
class FakeAbilities final : public ContainerLogs, public ContainerStreams, public PodStats {
 public:
  ~FakeAbilities() override {
    for (const int fd : far_ends) ::close(fd);
  }
  Result<std::unique_ptr<ByteStream>> getContainerLogs(const ContainerRef& container,
                                                       const ContainerLogOptions& options,
                                                       std::stop_token stop) override {
    if (before_answer) before_answer(stop);
    const std::lock_guard lock(mutex);
    asked_logs.emplace_back(container, options);
    if (refuse) return failure(*refuse);
    return newStream();
  }
  Result<StreamAnswer> openStream(const StreamRequest& request, std::stop_token stop) override {
    if (before_answer) before_answer(stop);
    const std::lock_guard lock(mutex);
    asked_streams.push_back(request);
    if (refuse) return failure(*refuse);
    if (not_upgraded) {
      return StreamAnswer{.code = not_upgraded->first, .headers = {}, .body = not_upgraded->second};
    }
    StreamAnswer answer{.code = 101,
                        .headers = {{"Upgrade", "SPDY/3.1"},
                                    {"X-Stream-Protocol-Version", "v4.channel.k8s.io"},
                                    {"Set-Cookie", "target=secret"}}};
    answer.connection = newStream();
    return answer;
  }
  Result<Json> getStatsSummary(std::stop_token) override { return summary; }

  /// The test's end of the newest stream.
  int farEnd() {
    const std::lock_guard lock(mutex);
    return far_ends.back();
  }

  std::mutex mutex;
  std::vector<std::pair<ContainerRef, ContainerLogOptions>> asked_logs;
  std::vector<StreamRequest> asked_streams;
  std::optional<Status> refuse;
  std::optional<std::pair<int, std::string>> not_upgraded;
  std::function<void(const std::stop_token&)> before_answer;
  Json summary = Json::object();
  std::vector<int> far_ends;

 private:
  std::unique_ptr<ByteStream> newStream() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    far_ends.push_back(ends[1]);
    return std::make_unique<FdStream>(ends[0]);
  }
};

/// Home, as far as a kubelet server asks it: reviews, and the configmap with the client authority.
/// Answers from any thread.
class ReviewingHome final : public kube::Client {
 public:
  Result<std::optional<Json>> get(const kube::Resource& resource, const std::string&,
                                  const std::string& name) override {
    const std::lock_guard lock(mutex);
    if (resource.plural != "configmaps" || name != "extension-apiserver-authentication") {
      return std::optional<Json>();
    }
    return std::optional<Json>(Json{{"data", {{"client-ca-file", client_ca}}}});
  }
  Result<json::ObjectPtr> create(const kube::Resource& resource, const std::string&,
                                 const Json& object, const std::string&,
                                 const std::string&) override {
    const std::lock_guard lock(mutex);
    if (resource.plural == "tokenreviews") {
      const bool known = json::str(object, {"spec", "token"}) == "good-token";
      return json::makeObject(Json{
          {"status", {{"authenticated", known}, {"user", {{"username", known ? "robot" : ""}}}}}});
    }
    const Json& spec = object["spec"];
    reviews.push_back(spec);
    return json::makeObject(
        Json{{"status", {{"allowed", allowed.contains(json::str(spec, "user"))}}}});
  }
  Result<json::RawList> list(const kube::Resource&, const kube::ListOptions&) override {
    return no();
  }
  Result<std::string> getRaw(const std::string&) override { return no(); }
  Result<json::ObjectPtr> patch(const kube::Resource&, const std::string&, const std::string&,
                                kube::PatchType, const Json&, const std::string&) override {
    return no();
  }
  Result<json::ObjectPtr> update(const kube::Resource&, const std::string&, const std::string&,
                                 const Json&) override {
    return no();
  }
  Result<void> remove(const kube::Resource&, const std::string&, const std::string&,
                      const kube::DeleteOptions&) override {
    return no();
  }
  std::unique_ptr<kube::WatchHandle> watch(const kube::Resource&, const kube::WatchOptions&,
                                           kube::WatchHandler&) override {
    return nullptr;
  }

  std::mutex mutex;
  std::string client_ca;
  std::set<std::string> allowed{"admin", "robot"};
  std::vector<Json> reviews;

 private:
  static tl::unexpected<Status> no() {
    return failure({.code = 500, .reason = "NotPlayed", .message = "not played"});
  }
};

inline const TestCa& clientCa() {
  static const TestCa ca("home CA");
  return ca;
}
inline const CertPair& adminCert() {
  static const CertPair pair =
      clientCa().issue({.common_name = "admin", .organizations = {"system:masters"}});
  return pair;
}
inline const CertPair& servingCert() {
  static const CertPair pair =
      clientCa().issue({.common_name = "node", .dns = {"localhost"}, .ips = {"127.0.0.1"}});
  return pair;
}

/// A server on a loopback port; its clients use the code under test of `net` only.
class ServerTest : public ::testing::Test {
 protected:
  class FixedCertificate final : public kubelet::ServingCertificate {
   public:
    Result<net::CertificatePair> current() override {
      return net::CertificatePair{servingCert().cert_pem, servingCert().key_pem};
    }
  };

  void start(kubelet::Limits limits = {}, bool anonymous = false,
             const std::string& address = "127.0.0.1") {
    home_.client_ca = clientCa().pem();
    auto server = kubelet::Server::start({.runtime = {clock_, executor_, random_},
                                          .home = home_,
                                          .logs = &abilities_,
                                          .streams = &abilities_,
                                          .stats = &abilities_,
                                          .pods = [this] { return pods_; },
                                          .certificate = std::make_unique<FixedCertificate>(),
                                          .logger = logger_,
                                          .metrics = metrics_},
                                         {.node = "gpu-eu",
                                          .address = address,
                                          .port = 0,
                                          .anonymous = anonymous,
                                          .limits = limits});
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  net::Endpoint endpoint(const CertPair& client = adminCert(),
                         const std::string& host = "127.0.0.1") const {
    net::Endpoint endpoint;
    endpoint.host = host;
    endpoint.port = server_->port();
    endpoint.ca_pem = clientCa().pem();
    endpoint.tls_server_name = "localhost";
    endpoint.client_cert_pem = client.cert_pem;
    endpoint.client_key_pem = client.key_pem;
    return endpoint;
  }
  net::HttpClient& client(const net::Endpoint& endpoint) {
    clients_.push_back(std::make_unique<net::HttpClient>(endpoint, clock_, random_));
    return *clients_.back();
  }
  net::HttpResponse ask(const std::string& target, const net::Endpoint& endpoint,
                        net::Headers headers = {}, const std::string& method = "GET") {
    net::HttpRequest request{.method = method, .target = target, .headers = std::move(headers)};
    auto answer = client(endpoint).send(request);
    if (answer) return *answer;
    return {.code = 0, .headers = {}, .body = answer.error().message};
  }
  net::HttpResponse ask(const std::string& target) { return ask(target, endpoint()); }

  std::unique_ptr<net::HttpChannel> open(const std::string& target, bool upgrade,
                                         const std::string& method = "POST") {
    net::HttpRequest request{.method = upgrade ? method : "GET", .target = target};
    request.upgrade = upgrade;
    if (upgrade) {
      request.headers = {{"Upgrade", "SPDY/3.1"},
                         {"X-Stream-Protocol-Version", "v4.channel.k8s.io"}};
    }
    auto channel = client(endpoint()).openChannel(request);
    if (!channel) {
      ADD_FAILURE() << channel.error().message;
      return nullptr;
    }
    return std::move(*channel);
  }

  /// Reads until `size` bytes have come, or the end; waits on the descriptor.
  static std::string readSome(net::HttpChannel& channel, std::size_t size) {
    std::string text;
    char buffer[16 << 10];
    while (text.size() < size) {
      const net::IoResult read =
          channel.tryRead(buffer, std::min(sizeof buffer, size - text.size()));
      if (read.ok()) {
        text.append(buffer, read.bytes);
      } else if (read.state == net::IoState::kWantRead) {
        pollfd entry{channel.fd(), POLLIN, 0};
        if (poll(&entry, 1, 20'000) != 1) return text + "<timeout>";
      } else {
        return text + (read.state == net::IoState::kEof ? "<end>" : "<cut>");
      }
    }
    return text;
  }
  static void writeAll(net::HttpChannel& channel, const std::string& text) {
    std::size_t done = 0;
    while (done < text.size()) {
      const net::IoResult wrote = channel.tryWrite(text.data() + done, text.size() - done);
      if (wrote.ok()) {
        done += wrote.bytes;
      } else if (wrote.state == net::IoState::kWantWrite) {
        pollfd entry{channel.fd(), POLLOUT, 0};
        ASSERT_EQ(poll(&entry, 1, 20'000), 1);
      } else {
        FAIL() << "the connection takes nothing more";
      }
    }
  }
  static std::string readFd(int fd, std::size_t size) {
    std::string text;
    char buffer[16 << 10];
    while (text.size() < size) {
      pollfd entry{fd, POLLIN, 0};
      if (poll(&entry, 1, 20'000) != 1) return text + "<timeout>";
      const ssize_t n = ::recv(fd, buffer, std::min(sizeof buffer, size - text.size()), 0);
      if (n <= 0) return text + (n == 0 ? "<end>" : "<error>");
      text.append(buffer, static_cast<std::size_t>(n));
    }
    return text;
  }
  /// Until the server has `sessions` sessions; it tells them in between its events.
  void awaitSessions(std::size_t sessions) {
    const auto deadline = std::chrono::steady_clock::now() + seconds(20);
    while (server_->counts().sessions != sessions) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    }
  }

  base::SystemClock clock_;
  base::SystemRandom random_;
  base::NullLogger logger_;
  base::Metrics metrics_;
  ReviewingHome home_;
  FakeAbilities abilities_;
  std::vector<json::ObjectPtr> pods_;
  base::ThreadPoolExecutor executor_{64};
  std::unique_ptr<kubelet::Server> server_;
  std::vector<std::unique_ptr<net::HttpClient>> clients_;
};

}  // namespace vkb::test
