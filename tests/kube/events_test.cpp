#include "kube/events.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/api_errors.h"
#include "support/fake_cluster.h"

namespace vkb::kube {
namespace {

using namespace std::chrono_literals;

class EventRecorderTest : public ::testing::Test {
 protected:
  EventRecorderTest() {
    recorder_ = std::make_unique<EventRecorder>(runtime_.runtime(), *client_, logger_, "vk-bridge",
                                                "gpu-eu");
    pod_ = cluster_.addPod({{"metadata", {{"name", "p"}}}})->json();
  }
  std::vector<Json> events() const {
    std::vector<Json> out;
    for (const auto& event : cluster_.all(kEvents)) out.push_back(event->json());
    return out;
  }
  void warn(const std::string& reason, const std::string& message) {
    recorder_->warn(pod_, reason, message);
    runtime_.settle();
  }

  test::FakeRuntime runtime_;
  test::FakeCluster cluster_{runtime_};
  std::unique_ptr<Client> client_ = cluster_.client("bridge");
  base::NullLogger logger_;
  std::unique_ptr<EventRecorder> recorder_;
  Json pod_;
};

TEST_F(EventRecorderTest, SaysWhatHappenedToWhom) {
  warn("NameTaken", "the name is taken");
  ASSERT_EQ(events().size(), 1u);
  const Json event = events()[0];
  EXPECT_EQ(json::str(event, {"metadata", "namespace"}), "default");
  EXPECT_TRUE(json::str(event, {"metadata", "name"}).starts_with("p."));
  EXPECT_EQ(json::str(event, {"involvedObject", "uid"}), json::str(pod_, {"metadata", "uid"}));
  EXPECT_EQ(json::str(event, {"involvedObject", "kind"}), "Pod");
  EXPECT_EQ(json::str(event, {"involvedObject", "namespace"}), "default");
  EXPECT_EQ(json::str(event, "type"), "Warning");
  EXPECT_EQ(json::str(event, "reason"), "NameTaken");
  EXPECT_EQ(json::str(event, "message"), "the name is taken");
  EXPECT_EQ(json::str(event, {"source", "component"}), "vk-bridge");
  EXPECT_EQ(json::str(event, {"source", "host"}), "gpu-eu");
  EXPECT_EQ(json::integer(event, {"count"}), 1);
}

TEST_F(EventRecorderTest, TheSameAgainRaisesTheCountAtMostEveryTenMinutes) {
  warn("R", "m");
  for (int i = 0; i < 5; ++i) {
    runtime_.advance(1min);
    warn("R", "m");
  }
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(json::integer(events()[0], {"count"}), 1);
  runtime_.advance(5min);
  warn("R", "m");
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(json::integer(events()[0], {"count"}), 7);
  EXPECT_NE(json::str(events()[0], "lastTimestamp"), json::str(events()[0], "firstTimestamp"));
}

TEST_F(EventRecorderTest, AnEventThatTheServerForgotIsMadeAnewWithItsCount) {
  warn("R", "m");
  const std::string name = json::str(events()[0], {"metadata", "name"});
  ASSERT_TRUE(cluster_.remove("server", kEvents, "default", name, {}));
  runtime_.advance(11min);
  warn("R", "m");
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(json::integer(events()[0], {"count"}), 2);
}

TEST_F(EventRecorderTest, OneObjectCannotFloodTheServer) {
  for (int i = 0; i < 100; ++i) warn("R", "m" + std::to_string(i));
  EXPECT_EQ(events().size(), 25u);
  runtime_.advance(5min);
  warn("R", "later");
  EXPECT_EQ(events().size(), 26u);
}

TEST_F(EventRecorderTest, AnotherObjectHasItsOwnLimit) {
  for (int i = 0; i < 100; ++i) warn("R", "m" + std::to_string(i));
  const Json other = cluster_.addPod({{"metadata", {{"name", "q"}}}})->json();
  recorder_->warn(other, "R", "m");
  runtime_.settle();
  EXPECT_EQ(events().size(), 26u);
}

TEST_F(EventRecorderTest, ALongMessageIsCutBetweenCharacters) {
  std::string message(1023, 'a');
  message += "ü and more";
  warn("R", message);
  EXPECT_EQ(json::str(events()[0], "message"), std::string(1023, 'a'));
}

TEST_F(EventRecorderTest, NodesAndItemsOfListsAreKnownWithoutTheirKind) {
  Json node = cluster_.addNode("n")->json();
  node.erase("kind");
  node.erase("apiVersion");
  recorder_->warn(node, "R", "m");
  runtime_.settle();
  EXPECT_EQ(json::str(events()[0], {"involvedObject", "kind"}), "Node");
  EXPECT_EQ(json::str(events()[0], {"metadata", "namespace"}), "default");
}

TEST_F(EventRecorderTest, ARefusedEventIsDroppedAndTriedAgainLater) {
  cluster_.faults().refuse(test::internalError(), 1, test::requestsOf("create", "events"));
  warn("R", "m");
  EXPECT_TRUE(events().empty());
  warn("R", "m");
  EXPECT_TRUE(events().empty());  // not at once
  runtime_.advance(10s);
  warn("R", "m");
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(json::integer(events()[0], {"count"}), 3);
}

TEST_F(EventRecorderTest, AfterItsEndNothingIsWritten) {
  recorder_->warn(pod_, "R", "m");
  recorder_.reset();
  runtime_.settle();
  EXPECT_TRUE(events().empty());
}

}  // namespace
}  // namespace vkb::kube
