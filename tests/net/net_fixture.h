#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "net/http_client.h"
#include "net/tls_test_server.h"
#include "support/fake_runtime.h"

namespace vkb::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// One authority for the whole binary: keys cost time.
inline const TestCa& testCa() {
  static const TestCa ca("vk-bridge test CA");
  return ca;
}

inline const CertPair& loopbackCert() {
  static const CertPair pair = testCa().issue({.dns = {"localhost"}, .ips = {"127.0.0.1", "::1"}});
  return pair;
}

/// Clients of servers on loopback; pool ages run on a clock that only the test moves.
class NetTest : public ::testing::Test {
 protected:
  using Handler = TlsTestServer::Handler;

  static TestServerOptions tls() { return {.cert = loopbackCert()}; }

  static net::Endpoint endpointOf(const TlsTestServer& server) {
    net::Endpoint endpoint;
    endpoint.host = "127.0.0.1";
    endpoint.port = server.port();
    endpoint.ca_pem = testCa().pem();
    return endpoint;
  }

  std::unique_ptr<net::HttpClient> clientFor(net::Endpoint endpoint,
                                             net::HttpClientOptions options = {}) {
    return std::make_unique<net::HttpClient>(std::move(endpoint), clock_, random_, options);
  }

  static net::HttpRequest get(std::string target, milliseconds timeout = seconds(20)) {
    return {.method = "GET", .target = std::move(target), .timeout = timeout};
  }

  static net::HttpRequest post(std::string body, milliseconds timeout = seconds(20)) {
    return {.method = "POST", .target = "/", .body = std::move(body), .timeout = timeout};
  }

  /// The line, "<end>" or the failure's reason in "<>"; gives up when nothing comes for `idle`.
  static std::string next(net::HttpStream& stream, milliseconds idle = seconds(20)) {
    using State = net::StreamLine::State;
    while (true) {
      const net::StreamLine line = stream.tryReadLine();
      if (line.state == State::kLine) return line.text;
      if (line.state == State::kEnd) return "<end>";
      if (line.state == State::kFailed) return "<" + line.error.reason + ">";
      const short events = line.state == State::kWantRead ? POLLIN : POLLOUT;
      pollfd entry{.fd = stream.fd(), .events = events, .revents = 0};
      if (poll(&entry, 1, static_cast<int>(idle.count())) == 0) {
        return "<" + stream.breakForSilence(idle).reason + ">";
      }
    }
  }

  /// The failure of one GET; a success is shown as its code.
  static Status failureOf(net::HttpClient& client, milliseconds timeout = seconds(20)) {
    const auto response = client.send(get("/", timeout));
    if (response) return {.code = response->code, .reason = "Success", .message = response->body};
    return response.error();
  }

  static milliseconds since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  }

  /// The shortest of several tries, so that a busy machine does not decide; the first one within
  /// `limit` ends them. `once` returns how long it took.
  template <typename Once>
  static milliseconds shortest(milliseconds limit, Once once) {
    milliseconds best = milliseconds::max();
    for (int i = 0; i < 10 && best >= limit; ++i) best = std::min<milliseconds>(best, once());
    return best;
  }

  FakeClock clock_;
  FakeRandom random_;
};

}  // namespace vkb::test
