// Logs and sessions of delegates: which URL, whose names, what refusals say.
#include "bridge/target_streams.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "kube/streamer.h"
#include "support/fake_cluster.h"

namespace vkb::bridge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Answered whole; after 101 a stream that has ended.
class AnsweredChannel final : public net::HttpChannel {
 public:
  explicit AnsweredChannel(net::HttpResponse response) : response_(std::move(response)) {}
  const net::HttpResponse& head() const override { return response_; }
  int fd() const override { return -1; }
  net::IoResult tryRead(char*, std::size_t) override { return {.state = net::IoState::kEof}; }
  net::IoResult tryWrite(const char*, std::size_t) override {
    return {.state = net::IoState::kFailed};
  }
  void shutdownWrite() override {}
  Result<std::string> readAll(std::chrono::milliseconds, std::size_t) override {
    return response_.body;
  }

 private:
  const net::HttpResponse response_;
};

class TargetStreamsTest : public ::testing::Test, public kube::Streamer {
 protected:
  /// The target's client with this test as its streamer.
  class StreamingClient;
  TargetStreamsTest();
  ~TargetStreamsTest() override;

  Result<std::unique_ptr<net::HttpChannel>> openChannel(net::HttpRequest request) override {
    requests_.push_back(std::move(request));
    return std::make_unique<AnsweredChannel>(answer_);
  }
  static std::string status(int code, const std::string& message) {
    return Json{{"kind", "Status"}, {"code", code}, {"message", message}}.dump();
  }
  StreamRequest exec() const {
    StreamRequest request;
    request.container = {"work", "web", "main"};
    request.command = {"sh", "-c", "echo a&b=c #%\n"};
    request.stdout_wanted = true;
    request.headers = {{"Upgrade", "SPDY/3.1"}};
    return request;
  }
  Status logsFailure() {
    const auto stream = streams_->getContainerLogs({"work", "web", "main"}, {}, {});
    return stream ? Status{} : stream.error();
  }

  json::ObjectPtr home_pod_ = *json::makeObject(R"({
    "metadata": {"name": "web", "namespace": "work", "uid": "h1"},
    "spec": {"containers": [{"name": "main"}]},
    "status": {"containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "NameTaken"}}}]}
  })");
  PodPlace delegate_{"vkb-work", "web-1a2b3c4d"};
  net::HttpResponse answer_{200, {}, ""};
  std::vector<net::HttpRequest> requests_;
  test::FakeRuntime runtime_;
  test::FakeCluster target_{runtime_};
  std::unique_ptr<kube::Client> client_;
  std::unique_ptr<TargetStreams> streams_;
};

class TargetStreamsTest::StreamingClient final : public kube::Client {
 public:
  StreamingClient(std::unique_ptr<kube::Client> inner, kube::Streamer& streamer)
      : inner_(std::move(inner)), streamer_(streamer) {}
  kube::Streamer* streamer() override { return &streamer_; }
  Result<std::optional<Json>> get(const kube::Resource& r, const std::string& ns,
                                  const std::string& name) override {
    return inner_->get(r, ns, name);
  }
  Result<json::RawList> list(const kube::Resource& r, const kube::ListOptions& o) override {
    return inner_->list(r, o);
  }
  Result<std::string> getRaw(const std::string& path) override { return inner_->getRaw(path); }
  Result<json::ObjectPtr> create(const kube::Resource& r, const std::string& ns, const Json& object,
                                 const std::string& name, const std::string& sub) override {
    return inner_->create(r, ns, object, name, sub);
  }
  Result<json::ObjectPtr> patch(const kube::Resource& r, const std::string& ns,
                                const std::string& name, kube::PatchType type, const Json& patch,
                                const std::string& sub) override {
    return inner_->patch(r, ns, name, type, patch, sub);
  }
  Result<json::ObjectPtr> update(const kube::Resource& r, const std::string& ns,
                                 const std::string& name, const Json& object) override {
    return inner_->update(r, ns, name, object);
  }
  Result<void> remove(const kube::Resource& r, const std::string& ns, const std::string& name,
                      const kube::DeleteOptions& o) override {
    return inner_->remove(r, ns, name, o);
  }
  std::unique_ptr<kube::WatchHandle> watch(const kube::Resource& r, const kube::WatchOptions& o,
                                           kube::WatchHandler& h) override {
    return inner_->watch(r, o, h);
  }

 private:
  std::unique_ptr<kube::Client> inner_;
  kube::Streamer& streamer_;
};

TargetStreamsTest::TargetStreamsTest()
    : client_(std::make_unique<StreamingClient>(target_.client("bridge"), *this)),
      streams_(std::make_unique<TargetStreams>(
          *client_,
          [this](const std::string& ns, const std::string& name) -> std::optional<StreamTarget> {
            if (ns != "work" || name != "web") return std::nullopt;
            return StreamTarget{home_pod_, delegate_};
          })) {}
TargetStreamsTest::~TargetStreamsTest() = default;

TEST_F(TargetStreamsTest, EveryOptionOfLogsReachesTheTarget) {
  const ContainerLogOptions options{.follow = true,
                                    .previous = true,
                                    .timestamps = true,
                                    .tail_lines = 0,
                                    .since_time = "2026-01-02T03:04:05Z",
                                    .limit_bytes = 10,
                                    .stream = "Stdout"};
  ASSERT_TRUE(streams_->getContainerLogs({"work", "web", "main"}, options, {}));
  EXPECT_EQ(requests_[0].target,
            "/api/v1/namespaces/vkb-work/pods/web-1a2b3c4d/log?container=main&follow=true"
            "&previous=true&timestamps=true&tailLines=0&sinceTime=2026-01-02T03%3A04%3A05Z"
            "&limitBytes=10&stream=Stdout");
  EXPECT_EQ(logUrl({"a", "b"}, "c", {.since_seconds = 5}).value(),
            "/api/v1/namespaces/a/pods/b/log?container=c&sinceSeconds=5");
}

TEST_F(TargetStreamsTest, ACommandStaysOneCommand) {
  answer_.code = 101;
  const auto answer = streams_->openStream(exec(), {});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->code, 101);
  EXPECT_NE(answer->connection, nullptr);
  EXPECT_EQ(requests_[0].method, "POST");
  EXPECT_TRUE(requests_[0].upgrade);
  EXPECT_EQ(requests_[0].target,
            "/api/v1/namespaces/vkb-work/pods/web-1a2b3c4d/exec?container=main&stdin=false"
            "&stdout=true&stderr=false&tty=false&command=sh&command=-c"
            "&command=echo%20a%26b%3Dc%20%23%25%0A");
}

TEST_F(TargetStreamsTest, PortForwardNamesThePodAndItsPortsOnly) {
  StreamRequest request;
  request.kind = StreamRequest::Kind::kPortForward;
  request.container = {"work", "web", ""};
  request.ports = {80, 443};
  streams_->openStream(request, {});
  EXPECT_EQ(requests_[0].target,
            "/api/v1/namespaces/vkb-work/pods/web-1a2b3c4d/portforward?ports=80&ports=443");
}

TEST_F(TargetStreamsTest, RefusalsComeThroughWithHomesNames) {
  answer_ = {404, {}, status(404, "pods \"web-1a2b3c4d\" not found in vkb-work")};
  EXPECT_EQ(logsFailure().code, 404);
  EXPECT_EQ(logsFailure().message, "pods \"web\" not found in work");
  const auto answer = streams_->openStream(exec(), {});
  EXPECT_EQ(answer->code, 404);
  EXPECT_THAT(answer->body, HasSubstr(R"(pods \"web\" not found)"));
  EXPECT_THAT(answer->body, Not(HasSubstr("1a2b3c4d")));
  answer_ = {400, {}, status(400, "container \"main\" in pod \"web-1a2b3c4d\" is waiting")};
  EXPECT_EQ(logsFailure().message, "container \"main\" in pod \"web\" is waiting");
}

TEST_F(TargetStreamsTest, OnlyWholeNamesAreReplaced) {
  const ContainerRef home{"home", "web", "main"};
  EXPECT_EQ(withHomeNames("pod a, a-1, a.b, xa and \"a\" in ns", {"ns", "a"}, home),
            "pod web, a-1, a.b, xa and \"web\" in home");
}

TEST_F(TargetStreamsTest, RightsThatWeLackAreNotTheUsers) {
  answer_ = {403, {}, status(403, "User \"bridge\" cannot get pods/log")};
  EXPECT_EQ(logsFailure().code, 500) << "the user may; the bridge may not";
  EXPECT_THAT(logsFailure().message, HasSubstr("does not let vk-bridge"));
  const auto answer = streams_->openStream(exec(), {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, 500);
}

TEST_F(TargetStreamsTest, WithoutADelegateNothingIsAsked) {
  delegate_ = {};
  EXPECT_EQ(logsFailure().code, 400);
  EXPECT_EQ(logsFailure().message,
            "container \"main\" in pod \"web\" is waiting to start: NameTaken");
  EXPECT_EQ(streams_->openStream(exec(), {}).error().code, 404);
  EXPECT_TRUE(requests_.empty());
}

TEST_F(TargetStreamsTest, UnknownPodsAndContainersAreNotAskedFor) {
  EXPECT_EQ(streams_->getContainerLogs({"work", "other", "main"}, {}, {}).error().code, 404);
  EXPECT_EQ(streams_->getContainerLogs({"work", "web", "injected"}, {}, {}).error().code, 404)
      << "a sidecar that was injected in the target is not home's";
  EXPECT_TRUE(requests_.empty());
}

}  // namespace
}  // namespace vkb::bridge
