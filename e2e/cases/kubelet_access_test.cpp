// Who may use a virtual node's kubelet API, how much it takes, and what it withstands. These talk
// to its port themselves, as somebody on the network would.

#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/names.h"
#include "support/tls_client.h"
#include "support/world.h"

namespace vkb::e2e {
namespace {

class KubeletAccess : public WorldTest {
 protected:
  static void SetUpTestSuite() { openWorld({.name = "access"}); }

  void SetUp() override {
    WorldTest::SetUp();
    ASSERT_TRUE(waitForOne(
        world().home, "nodes", "", world().node, "the kubelet port", [&](const Json& node) {
          port_ = static_cast<std::uint16_t>(
              json::integer(node, {"status", "daemonEndpoints", "kubeletEndpoint", "Port"})
                  .value_or(0));
          for (const Json& entry : json::array(node, {"status", "addresses"})) {
            if (json::str(entry, "type") == "InternalIP") {
              host_ = json::str(entry, "address");
            }
          }
          return port_ != 0 && !host_.empty();
        }));
    admin_ = adminOf(world().home);
  }

  HttpAnswer get(const std::string& path, const Identity& identity = {},
                 const std::string& headers = {}) const {
    return httpGet(host_, port_, path, identity, headers);
  }
  /// Code of the answer to an upgrade request.
  int upgrade(const std::string& path, const std::string& method = "POST") const {
    TlsClient client(host_, port_, admin_);
    client.write(upgradeHead(path, method));
    const std::string head = client.readHead();
    return head.size() < 12 ? 0 : std::stoi(head.substr(9, 3));
  }
  static std::string upgradeHead(const std::string& path, const std::string& method = "POST") {
    return method + " " + path +
           " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
           "X-Stream-Protocol-Version: v4.channel.k8s.io\r\n"
           "X-Stream-Protocol-Version: portforward.k8s.io\r\nContent-Length: 0\r\n\r\n";
  }
  static std::string bearer(const std::string& token) {
    return "Authorization: Bearer " + token + "\r\n";
  }
  /// Of ServiceAccount default; `audience` "": home's API server.
  static std::string tokenOf(const std::string& ns, const std::string& audience = {}) {
    Json request{{"apiVersion", "authentication.k8s.io/v1"},
                 {"kind", "TokenRequest"},
                 {"spec", {{"expirationSeconds", 3600}}}};
    if (!audience.empty()) request["spec"]["audiences"] = {audience};
    const std::string answer =
        world().home.must({"create", "-f", "-", "--raw",
                           "/api/v1/namespaces/" + ns + "/serviceaccounts/default/token"},
                          request.dump());
    return json::str(Json::parse(answer), {"status", "token"});
  }
  /// VmRSS and Threads of the bridge.
  static long processFigure(const std::string& key) {
    std::ifstream file("/proc/" + std::to_string(world().bridge.pid()) + "/status");
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with(key + ":")) return std::stol(line.substr(key.size() + 1));
    }
    return -1;
  }

  std::string host_;
  std::uint16_t port_ = 0;
  Identity admin_;
};

TEST_F(KubeletAccess, ListensOnTheNodesAddressAndNotOnLoopbackOnly) {
  EXPECT_FALSE(host_.starts_with("127.")) << host_;
  EXPECT_EQ(get("/healthz", admin_).code, 200) << "a client certificate counts from anywhere";
}

TEST_F(KubeletAccess, WhoHomeDoesNotKnowIsUnauthorized) {
  EXPECT_EQ(get("/pods").code, 401) << "no certificate";
  EXPECT_EQ(get("/pods", selfSignedIdentity("admin", "system:masters")).code, 401) << "wrong CA";
  EXPECT_EQ(get("/pods", adminOf(world().target)).code, 401) << "the target's CA is not home's";
  EXPECT_EQ(get("/pods", {}, bearer("forged")).code, 401);
}

TEST_F(KubeletAccess, TokensCountForHomeOnlyAndRightsAreHomesToGive) {
  const std::string ns = world().newNamespace("token");
  const std::string token = tokenOf(ns);
  const HttpAnswer refused = get("/metrics/resource", {}, bearer(token));
  EXPECT_EQ(refused.code, 403) << refused.body;
  EXPECT_EQ(get("/metrics/resource", {}, bearer(tokenOf(ns, "somebody-else"))).code, 401)
      << "a token of another audience";
  const std::string binding = "e2e-kubelet-" + ns;
  world().home.must({"create", "clusterrolebinding", binding, "--clusterrole",
                     "system:kubelet-api-admin", "--serviceaccount", ns + ":default"});
  // Another right than the one that was just refused, which is remembered for 30 s.
  EXPECT_EQ(get("/stats/summary", {}, bearer(token)).code, 200);
  world().home.must({"delete", "clusterrolebinding", binding});
}

TEST_F(KubeletAccess, OnlyPodsOfThisNodeThatWereMirroredCanBeReached) {
  World& w = world();
  const std::string ns = w.newNamespace("reach");
  w.home.create(makePod(ns, "mirrored", w.node, {.script = std::string("echo secret; ") + kIdle}));
  ASSERT_TRUE(w.waitReady(ns, "mirrored"));
  const Json mirrored = w.home.get("pods", ns, "mirrored");

  Json elsewhere = makePlainPod(ns, "elsewhere", {});
  elsewhere["spec"]["nodeName"] = "another-node";
  w.home.create(elsewhere);
  const auto logsOf = [&](const std::string& pod) {
    return "/containerLogs/" + ns + "/" + pod + "/main";
  };
  EXPECT_EQ(get(logsOf("mirrored"), admin_).code, 200);
  EXPECT_EQ(get(logsOf("elsewhere"), admin_).code, 404) << "a pod of another node";
  EXPECT_EQ(get(logsOf("ghost"), admin_).code, 404);
  EXPECT_EQ(upgrade("/exec/" + ns + "/elsewhere/main?command=ls&output=1"), 404);

  // Never mirrored, and says that somebody else's delegate is its own.
  Json refused = makePod(ns, "refused", w.node);
  refused["metadata"]["annotations"][kDelegateAnnotation] =
      annotation(mirrored, kDelegateAnnotation);
  refused["spec"]["volumes"] =
      Json::array({{{"name", "v"}, {"persistentVolumeClaim", {{"claimName", "none"}}}}});
  refused["spec"]["nodeName"] = w.node;
  w.home.create(refused);
  ASSERT_TRUE(w.waitEvent(w.home.get("pods", ns, "refused"), "VolumesNotOffloaded"));
  const HttpAnswer logs = get(logsOf("refused"), admin_);
  EXPECT_EQ(logs.code, 400) << logs.body;
  EXPECT_EQ(logs.body.find("secret"), std::string::npos);
  EXPECT_EQ(upgrade("/exec/" + ns + "/refused/main?command=ls&output=1"), 404);
  EXPECT_EQ(upgrade("/portForward/" + ns + "/refused"), 404);
}

TEST_F(KubeletAccess, ARequestCannotBeTurnedIntoOneForAnotherObject) {
  World& w = world();
  const std::string ns = w.newNamespace("inject");
  w.home.create(makePod(ns, "p", w.node));
  ASSERT_TRUE(w.waitReady(ns, "p"));
  for (const std::string& path : std::vector<std::string>{
           "/containerLogs/" + ns + "/..%2F..%2F..%2Fsecrets/main",
           "/containerLogs/" + ns + "/p%2F..%2Fq/main", "/containerLogs/" + ns + "/p%3Fx=/main",
           "/containerLogs/..%2Fkube-system/p/main", "/containerLogs/" + ns + "/p/main%26follow",
           "/containerLogs/" + ns + "/p/main%0d%0aX-Evil:%201",
           "/containerLogs/" + ns + "/p/main?sinceTime=x%26container=y",
           "/exec/" + ns + "/p/main/../../x"}) {
    const int code = get(path, admin_).code;
    EXPECT_TRUE(code == 400 || code == 404) << path << " " << code;
  }
}

TEST_F(KubeletAccess, TwoHundredSessionsTakeLittleAndNoThreadsOfTheirOwn) {
  World& w = world();
  const std::string ns = w.newNamespace("many");
  w.home.create(makePod(ns, "p", w.node));
  ASSERT_TRUE(w.waitReady(ns, "p"));
  constexpr int kSessions = 200;
  const auto open = [&](int count) {
    std::vector<TlsClient> sessions;
    for (int i = 0; i < count; ++i) {
      sessions.emplace_back(host_, port_, admin_);
      sessions.back().write(upgradeHead("/portForward/" + ns + "/p"));
      const std::string head = sessions.back().readHead();
      EXPECT_TRUE(head.starts_with("HTTP/1.1 101")) << head;
    }
    return sessions;
  };
  open(20);  // what is made once, and the threads that dial, are there
  const long memory = processFigure("VmRSS"), threads = processFigure("Threads");
  const auto sessions = open(kSessions);
  const double each =
      static_cast<double>(processFigure("VmRSS") - memory) / static_cast<double>(kSessions);
  std::cout << kSessions << " sessions: " << each << " KB each, threads " << threads << " -> "
            << processFigure("Threads") << ", " << processFigure("VmRSS") << " KB in all\n";
  EXPECT_LE(each, 160);
  EXPECT_LE(processFigure("Threads"), threads + 40);
  EXPECT_EQ(get("/healthz", admin_).code, 200);
}

/// Does one hostile thing after the other until `end`.
void beHostile(const std::string& host, std::uint16_t port, unsigned seed, Deadline end) {
  std::mt19937 random(seed);
  std::vector<Fd> half_open;
  while (Clock::now() < end) {
    try {
      switch (random() % 7) {
        case 0: {  // garbage instead of TLS
          const Fd socket = tcpConnect(host, port);
          std::string garbage(random() % 4096, '\0');
          for (char& c : garbage) c = static_cast<char>(random());
          [[maybe_unused]] const auto n =
              ::send(socket.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
          break;
        }
        case 1:  // one byte at a time, for as long as it likes
          for (TlsClient client(host, port); Clock::now() < end && random() % 50 != 0;) {
            if (!client.write("G")) break;
          }
          break;
        case 2: {  // a head without an end
          TlsClient client(host, port);
          const std::string piece(16 << 10, 'x');
          client.write("GET /");
          for (int i = 0; i < 64 && client.write(piece); ++i) {
          }
          break;
        }
        case 3:  // two requests in one, for whoever reads otherwise
          httpGet(host, port, "/pods", {},
                  "Content-Length: 44\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz "
                  "HTTP/1.1\r\nHost: x\r\n");
          break;
        case 4:  // an answer that nobody reads
          TlsClient(host, port).write("GET /pods HTTP/1.1\r\nHost: x\r\n\r\n");
          break;
        case 5: {  // garbage inside TLS
          TlsClient client(host, port);
          std::string garbage(random() % 4096, '\0');
          for (char& c : garbage) c = static_cast<char>(random());
          client.write(garbage);
          client.read();
          break;
        }
        default:
          half_open.push_back(tcpConnect(host, port));
          if (half_open.size() > 100) half_open.clear();
      }
    } catch (const std::exception&) {  // turned away
    }
  }
}

TEST_F(KubeletAccess, AHostileClientDoesNotKeepOthersFromBeingServed) {
  World& w = world();
  const std::string ns = w.newNamespace("hostile");
  w.home.create(makePod(ns, "p", w.node, {.script = std::string("echo here; ") + kIdle}));
  ASSERT_TRUE(w.waitReady(ns, "p"));
  std::vector<Fd> half_open;
  for (int i = 0; i < 1000; ++i) half_open.push_back(tcpConnect(host_, port_));
  const long memory = processFigure("VmRSS");
  const Deadline end = in(seconds(30));
  std::vector<std::thread> clients;
  for (unsigned i = 0; i < 4; ++i) {
    clients.emplace_back([&, i] { beHostile(host_, port_, i, end); });
  }
  int served = 0;
  std::chrono::milliseconds slowest{0};
  while (Clock::now() < end) {
    const auto begun = Clock::now();
    EXPECT_EQ(get("/healthz", admin_).code, 200);
    slowest = std::max(slowest, std::chrono::duration_cast<milliseconds>(Clock::now() - begun));
    ++served;
  }
  for (std::thread& client : clients) client.join();
  std::cout << served << " honest requests were served, the slowest in " << slowest.count()
            << " ms; memory " << memory << " -> " << processFigure("VmRSS") << " KB\n";
  EXPECT_GT(served, 30);
  EXPECT_LT(slowest, seconds(5));
  EXPECT_TRUE(w.bridge.isRunning());
  EXPECT_EQ(w.home.must({"--namespace", ns, "logs", "p"}), "here\n");
}

}  // namespace
}  // namespace vkb::e2e
