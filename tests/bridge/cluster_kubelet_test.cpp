// Which port a node's kubelet API gets, and that it keeps it.
#include "bridge/cluster_kubelet.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "net/listener.h"
#include "support/fake_runtime.h"
#include "two_clusters.h"

namespace vkb::bridge {
namespace {

/// Home and provider that are never asked for anything here but the client authority.
class Nobody final : public kube::Client,
                     public ContainerLogs,
                     public ContainerStreams,
                     public PodStats {
 public:
  Result<std::optional<Json>> get(const kube::Resource&, const std::string&,
                                  const std::string&) override {
    return std::optional<Json>();
  }
  Result<json::RawList> list(const kube::Resource&, const kube::ListOptions&) override {
    return no();
  }
  Result<std::string> getRaw(const std::string&) override { return no(); }
  Result<json::ObjectPtr> create(const kube::Resource&, const std::string&, const Json&,
                                 const std::string&, const std::string&) override {
    return no();
  }
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
  Result<std::unique_ptr<ByteStream>> getContainerLogs(const ContainerRef&,
                                                       const ContainerLogOptions&,
                                                       std::stop_token) override {
    return no();
  }
  Result<StreamAnswer> openStream(const StreamRequest&, std::stop_token) override { return no(); }
  Result<Json> getStatsSummary(std::stop_token) override { return no(); }

 private:
  static tl::unexpected<Status> no() {
    return failure({.code = 500, .reason = "", .message = "not played"});
  }
};

class ClusterKubeletTest : public ::testing::Test {
 protected:
  ClusterKubeletTest() : folder_(*state::StateFolder::open(temp_ / "state")) {
    for (const char* name : {"a", "b"}) {
      state::ClusterConfig config;
      config.name = name;
      config.target_id = std::string("id of ") + name;
      EXPECT_TRUE(folder_.writeCluster(config, "kubeconfig"));
    }
    // A range of ports of this test's own: the kernel names one that is free.
    base_ = (*net::Listener::listen("127.0.0.1", 0))->port();
  }
  ~ClusterKubeletTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(temp_, ignored);
  }

  /// Starts it; 0 when it has no port yet.
  std::uint16_t serve(const std::string& node, const std::string& address = "127.0.0.1") {
    served_.push_back(std::make_unique<ClusterKubelet>(
        ClusterKubelet::Deps{.runtime = rt_.runtime(),
                             .home = nobody_,
                             .folder = folder_,
                             .logs = nobody_,
                             .streams = nobody_,
                             .stats = nobody_,
                             .pods = [] { return std::vector<json::ObjectPtr>(); },
                             .on_port = [this](std::uint16_t got) { port_ = got; },
                             .logger = log_,
                             .metrics = metrics_},
        KubeletOptions{.port_base = base_}, node, address));
    served_.back()->start();
    return portNow();
  }

  std::uint16_t portNow() {
    rt_.settle();
    return std::exchange(port_, 0);
  }

  const std::filesystem::path temp_ = makeTempFolder();
  state::StateFolder folder_;
  std::uint16_t base_ = 0;
  std::uint16_t port_ = 0;
  test::FakeRuntime rt_;
  base::NullLogger log_;
  base::Metrics metrics_;
  Nobody nobody_;
  std::vector<std::unique_ptr<ClusterKubelet>> served_;
};

TEST_F(ClusterKubeletTest, EachNodeGetsAPortOfItsOwnAndKeepsItOverRestarts) {
  const std::uint16_t a = serve("a"), b = serve("b");
  EXPECT_GE(a, base_);
  EXPECT_GT(b, a);
  served_.clear();
  // In the other order, and with the lower one free: recorded is recorded.
  EXPECT_EQ(serve("b"), b);
  EXPECT_EQ(serve("a"), a);
}

TEST_F(ClusterKubeletTest, APortThatAnotherNodeHadIsNotTakenWhileThatOneIsAway) {
  const std::uint16_t a = serve("a");
  served_.clear();
  EXPECT_NE(serve("b"), a);
}

TEST_F(ClusterKubeletTest, NoneIsChosenWhileThePortsOfOthersCannotBeRead) {
  const std::uint16_t a = serve("a");
  served_.clear();
  const auto file = folder_.path() / "clusters/a" / state::StateFolder::kKubeletPort;
  const auto away = file.string() + ".away";
  std::filesystem::rename(file, away);
  std::filesystem::create_directory(file);
  EXPECT_EQ(serve("b"), 0);
  std::filesystem::remove(file);
  std::filesystem::rename(away, file);
  rt_.advance(std::chrono::seconds(5));
  const std::uint16_t b = portNow();
  EXPECT_NE(b, 0);
  EXPECT_NE(b, a);
}

TEST_F(ClusterKubeletTest, APortThatAnotherProgramUsesIsPassedOver) {
  const auto taken = net::Listener::listen("127.0.0.1", base_);
  ASSERT_TRUE(taken);
  EXPECT_GT(serve("a"), base_);
}

TEST_F(ClusterKubeletTest, AnAddressThatIsNotThisMachinesIsServedOnAllOfItsOwn) {
  EXPECT_NE(serve("a", "192.0.2.1"), 0) << "a load balancer's, say";
}

TEST_F(ClusterKubeletTest, ItsCertificateIsKeptInTheStateFolder) {
  serve("a");
  const auto kept = folder_.readNodeFile("a", state::StateFolder::kKubeletCertificate);
  ASSERT_TRUE(kept && *kept);
  served_.clear();
  serve("a");
  EXPECT_EQ(**folder_.readNodeFile("a", state::StateFolder::kKubeletCertificate), **kept);
  const auto status = std::filesystem::status(folder_.path() / "clusters/a" /
                                              state::StateFolder::kKubeletCertificate);
  EXPECT_EQ(status.permissions(), std::filesystem::perms(0600)) << "its key is in it";
}

}  // namespace
}  // namespace vkb::bridge
