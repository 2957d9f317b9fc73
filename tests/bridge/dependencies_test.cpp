#include "bridge/dependencies.h"

#include <gmock/gmock.h>

#include "dependencies_fixture.h"
#include "support/api_errors.h"

namespace vkb::bridge {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(DependenciesTest, ACopyIsThereBeforeThePodAndGoesWithIt) {
  addMap("cfg", {{"a", "1"}}, {{"immutable", true}});
  start();
  const auto before = mark(target_);
  addHomePod("a", "t1", usesMap());
  settle();
  EXPECT_TRUE(runs("a"));
  std::vector<std::string> order;
  for (std::size_t i = before; i < target_.history().size(); ++i) {
    const auto& change = target_.history()[i];
    if (change.actor.starts_with(kBridge) && change.verb == "create") {
      order.push_back(change.resource);
    }
  }
  EXPECT_THAT(order, ElementsAre("namespaces", "configmaps", "pods"));
  EXPECT_EQ(map()["data"], R"({"a": "1"})"_json);
  EXPECT_FALSE(map().contains("immutable"));
  EXPECT_EQ(json::str(volumeOf("a"), {"configMap", "name"}), "cfg");
  EXPECT_THAT(events("DependencyMissing"), IsEmpty());
  ASSERT_THAT(remembered(), SizeIs(1));
  EXPECT_EQ(remembered()[0].uid, uidOf(map()));

  deletePod("a");
  EXPECT_TRUE(map().is_null());
  EXPECT_THAT(remembered(), IsEmpty());
}

TEST_F(DependenciesTest, AChangeAtHomeReachesTheCopyWithOneWrite) {
  addMap("cfg", {{"a", "1"}});
  addSecret("pw");
  start();
  addHomePod("a", "t1", usesMap());
  addHomePod("b", "t1", usesSecret());
  settle();
  const auto before = mark(target_);
  const std::string uid = uidOf(map());
  home_.edit(kube::kConfigMaps, "work", "cfg", {{"data", {{"a", "2"}, {"b", "3"}}}});
  home_.edit(kube::kSecrets, "work", "pw", {{"data", {{"password", "bmV3"}}}});
  settle();
  EXPECT_EQ(map()["data"], R"({"a": "2", "b": "3"})"_json);
  EXPECT_EQ(secret()["data"], R"({"password": "bmV3"})"_json);
  EXPECT_EQ(uidOf(map()), uid);
  EXPECT_THAT(writes(target_, before, "configmaps"), ElementsAre("update configmaps work/cfg"));
  EXPECT_THAT(writes(target_, before, "pods"), IsEmpty());
  // Who touches what no pod refers to costs nothing.
  const std::size_t requests = target_.requests.size();
  addMap("unused", {{"x", "y"}});
  settle(seconds(1));
  for (std::size_t i = requests; i < target_.requests.size(); ++i) {
    EXPECT_NE(target_.requests[i].resource, "configmaps");
  }
}

TEST_F(DependenciesTest, TheCopyStaysAsLongAsOneOfItsUsers) {
  addMap("cfg", {{"a", "1"}});
  start();
  addHomePod("a", "t1", usesMap());
  addHomePod("b", "t1", usesMap());
  settle();
  const std::string uid = uidOf(map());
  deletePod("a");
  EXPECT_EQ(uidOf(map()), uid);
  ASSERT_THAT(remembered(), SizeIs(1));
  EXPECT_THAT(remembered()[0].users, SizeIs(1));
  deletePod("b");
  EXPECT_TRUE(map().is_null());
}

TEST_F(DependenciesTest, ItGoesAlsoWhereHomesWentFirst) {
  addMap("cfg", {{"a", "1"}});
  start();
  addHomePod("a", "t1", usesMap());
  settle();
  ASSERT_TRUE(home_.remove("user", kube::kConfigMaps, "work", "cfg"));
  settle();
  EXPECT_EQ(map()["data"], R"({"a": "1"})"_json) << "a running pod keeps what it has";
  EXPECT_TRUE(runs("a"));
  deletePod("a");
  EXPECT_TRUE(map().is_null());
  EXPECT_THAT(remembered(), IsEmpty());
}

TEST_F(DependenciesTest, APodWaitsForWhatHomeLacksAndIsWokenByIt) {
  start();
  addHomePod("a", "t1", usesMap());
  settle();
  EXPECT_TRUE(delegate("a").is_null());
  EXPECT_EQ(waits("a"), "DependencyMissing");
  ASSERT_THAT(events("DependencyMissing"), SizeIs(1));
  EXPECT_THAT(events("DependencyMissing")[0], HasSubstr("ConfigMap work/cfg (volume \"v\")"));
  EXPECT_THAT(target_.find(kube::kNamespaces, "", "work"), nullptr) << "nothing made for nothing";
  addMap("cfg", {{"a", "1"}});
  settle(seconds(2));
  EXPECT_TRUE(runs("a")) << "woken, not found by a slow retry";
}

TEST_F(DependenciesTest, WhatTheTargetHasOfThatNameIsNeitherTouchedNorServed) {
  target_.addNamespace("work");
  target_.add(kube::kConfigMaps, {{"metadata", {{"name", "cfg"}, {"namespace", "work"}}},
                                  {"data", {{"theirs", "1"}}}});
  start({.allow_namespaces = {"work"}});
  addHomePod("a", "t1", usesMap(true));  // home has none
  settle();
  ASSERT_TRUE(runs("a"));
  const std::string name = json::str(volumeOf("a"), {"configMap", "name"});
  EXPECT_NE(name, "cfg");
  EXPECT_TRUE(map(name).is_null());

  addMap("cfg", {{"ours", "1"}});
  settle();
  EXPECT_EQ(map(name)["data"], R"({"ours": "1"})"_json) << "what appears later is given";
  addHomePod("b", "t1", usesMap());
  settle();
  EXPECT_TRUE(delegate("b").is_null());
  EXPECT_EQ(waits("b"), "DependencyTaken");
  ASSERT_THAT(events("DependencyTaken"), SizeIs(1));
  EXPECT_THAT(events("DependencyTaken")[0], HasSubstr("--existing-objects=use"));
  EXPECT_EQ(map()["data"], R"({"theirs": "1"})"_json);

  addHomePod("c", "t1", usesMap());
  settle(minutes(4));  // both back off
  ASSERT_TRUE(target_.remove("admin", kube::kConfigMaps, "work", "cfg"));
  home_.edit(kube::kPods, "work", "b", {{"metadata", {{"annotations", {{"asked", "anew"}}}}}});
  settle(seconds(2));
  EXPECT_TRUE(runs("b")) << "taken no more";
  EXPECT_TRUE(runs("c"));
  EXPECT_EQ(map()["data"], R"({"ours": "1"})"_json);
  deletePod("a");
  EXPECT_TRUE(map(name).is_null());
}

TEST_F(DependenciesTest, AnObjectOfOthersServesWhereTheOperatorSaysSo) {
  target_.addNamespace("work");
  target_.add(kube::kConfigMaps, {{"metadata", {{"name", "cfg"}, {"namespace", "work"}}},
                                  {"data", {{"theirs", "1"}}}});
  addMap("cfg", {{"ours", "1"}});
  state::ClusterOptions options;
  options.allow_namespaces = {"work"};
  options.pods.use_existing = true;
  start(options);
  addHomePod("a", "t1", usesMap());
  settle();
  EXPECT_TRUE(runs("a"));
  EXPECT_EQ(map()["data"], R"({"theirs": "1"})"_json);
  deletePod("a");
  EXPECT_EQ(map()["data"], R"({"theirs": "1"})"_json) << "never ours to delete";
}

TEST_F(DependenciesTest, AClaimOfTheTargetsServesWhereTheOperatorSaysSo) {
  target_.addNamespace("work");
  state::ClusterOptions options;
  options.allow_namespaces = {"work"};
  options.pods.use_existing = true;
  start(options);
  addHomePod("a", "t1",
             volumes(R"([{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])"));
  settle();
  EXPECT_EQ(waits("a"), kReasonVolumesNotOffloaded);
  target_.add(kube::kPersistentVolumeClaims,
              {{"metadata", {{"name", "data"}, {"namespace", "work"}}}});
  settle(minutes(6));
  EXPECT_TRUE(runs("a"));
}

TEST_F(DependenciesTest, ATypeThatChangedIsAnotherObject) {
  addSecret("pw");
  start();
  addHomePod("a", "t1", usesSecret());
  settle();
  const std::string uid = uidOf(secret());
  ASSERT_TRUE(home_.remove("user", kube::kSecrets, "work", "pw"));
  addSecret("pw", {{"type", "example.com/other"}});
  settle();
  EXPECT_EQ(json::str(secret(), "type"), "example.com/other");
  EXPECT_NE(uidOf(secret()), uid);
  EXPECT_THAT(remembered()[0].uid, uidOf(secret()));
}

TEST_F(DependenciesTest, WhatIsEditedOrDeletedInTheTargetIsPutBack) {
  addMap("cfg", {{"a", "1"}});
  start();
  addHomePod("a", "t1", usesMap());
  settle();
  target_.edit(kube::kConfigMaps, "work", "cfg",
               {{"data", {{"a", "edited"}}}, {"immutable", true}});
  settle();
  EXPECT_EQ(map()["data"], R"({"a": "1"})"_json);
  target_.edit(kube::kConfigMaps, "work", "cfg", {{"metadata", {{"labels", nullptr}}}});
  settle();
  EXPECT_EQ(json::str(map(), {"metadata", "labels", kLabelNode}), "t1");
  ASSERT_TRUE(target_.remove("admin", kube::kConfigMaps, "work", "cfg"));
  settle();
  EXPECT_EQ(map()["data"], R"({"a": "1"})"_json);
}

TEST_F(DependenciesTest, NamesMeetInOneNamespaceAndReferencesFollow) {
  state::ClusterOptions options;
  options.pods.namespace_strategy = state::NamespaceStrategy::kSingle;
  options.pods.namespace_text = "work";  // where this fixture looks
  addMap("cfg", {{"a", "1"}});
  start(options);
  addHomePod("a", "t1", usesMap());
  settle();
  ASSERT_TRUE(map().is_null());
  ASSERT_THAT(remembered(), SizeIs(1));
  const std::string name = remembered()[0].key.name;
  EXPECT_EQ(map(name)["data"], R"({"a": "1"})"_json);
  for (const auto& pod : target_.all(kube::kPods)) {
    EXPECT_EQ(json::str(json::array(pod->json(), {"spec", "volumes"})[0], {"configMap", "name"}),
              name);
  }
}

TEST_F(DependenciesTest, TheHomesRootCertificateIsCopiedBesideTheTargets) {
  addMap("kube-root-ca.crt", {{"ca.crt", "home"}});
  target_.addNamespace("work", {{kLabelHomeCluster, home_.clusterId()}});
  target_.add(kube::kConfigMaps,
              {{"metadata", {{"name", "kube-root-ca.crt"}, {"namespace", "work"}}},
               {"data", {{"ca.crt", "target"}}}});
  start();
  addHomePod("a", "t1", volumes(R"([{"name": "ca", "configMap": {"name": "kube-root-ca.crt"}}])"));
  settle();
  ASSERT_TRUE(runs("a"));
  const std::string name = json::str(volumeOf("a"), {"configMap", "name"});
  EXPECT_EQ(map(name)["data"], R"({"ca.crt": "home"})"_json);
  EXPECT_EQ(map("kube-root-ca.crt")["data"], R"({"ca.crt": "target"})"_json);
}

TEST_F(DependenciesTest, ATokenSecretIsNeverCopied) {
  addSecret("pw", {{"type", "kubernetes.io/service-account-token"}});
  start();
  addHomePod("a", "t1", usesSecret());
  settle();
  EXPECT_EQ(waits("a"), "DependencyMissing");
  EXPECT_THAT(events("DependencyMissing"), ElementsAre(HasSubstr("never copied")));
  EXPECT_THAT(target_.all(kube::kSecrets), IsEmpty());
}

TEST_F(DependenciesTest, WhateverAnswerIsLostOneCopyComesAndGoes) {
  for (const char* verb : {"create", "update", "delete"}) {
    addSecret("pw");
    target_.faults().loseAnswers(1, test::requestsOf(verb, "secrets"));
    start();
    addHomePod("a", "t1", usesSecret());
    settle();
    home_.edit(kube::kSecrets, "work", "pw", {{"data", {{"password", "bmV3"}}}});
    settle(seconds(10));
    EXPECT_TRUE(runs("a")) << verb;
    EXPECT_EQ(json::str(secret(), {"data", "password"}), "bmV3") << verb;
    deletePod("a");
    settle(minutes(1));
    EXPECT_TRUE(secret().is_null()) << verb;
    EXPECT_THAT(remembered(), IsEmpty()) << verb;
    ASSERT_TRUE(home_.remove("user", kube::kSecrets, "work", "pw"));
  }
}

TEST_F(DependenciesTest, ACreateThatArrivesLateLeavesNothingBehind) {
  addSecret("pw");
  start();
  target_.faults().delayWrites(1, test::requestsOf("create", "secrets"));
  addHomePod("a", "t1", usesSecret());
  runtime_.advance(std::chrono::milliseconds(50));  // sent, not answered
  ASSERT_EQ(target_.faults().lateWrites(), 1U);
  target_.faults().refuse(test::internalError(), test::Fault::kForever,
                          test::requestsOf("create", "secrets"));
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a"));
  settle(seconds(5));
  target_.faults().releaseLateWrites();
  ASSERT_FALSE(secret().is_null());
  settle(minutes(2));
  EXPECT_TRUE(secret().is_null());
  EXPECT_THAT(remembered(), IsEmpty());
}

/// Kills the program at each of its requests to the target in turn, and starts it again.
TEST_F(DependenciesTest, ACrashAtAnyStepLosesAndLeavesNothing) {
  struct Crash {};
  addSecret("pw");
  int at = 0;
  for (bool crashed = true; crashed; ++at) {
    crashed = false;
    int left = at;
    start();
    target_.beforeRequest = [&](const test::Request& request) {
      if (crashed || request.resource != "secrets" || request.verb == "watch") return;
      if (left-- == 0) {
        crashed = true;
        target_.setDown(true);  // nothing more of it arrives
      }
    };
    addHomePod("a", "t1", usesSecret());
    settle();
    if (!crashed) {
      ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a"));
      settle(seconds(20));
    }
    cluster_.reset();
    target_.setDown(false);
    target_.beforeRequest = nullptr;
    start();
    settle(seconds(40));
    if (!homePod("a").is_null() &&
        json::str(homePod("a"), {"metadata", "deletionTimestamp"}) == "") {
      EXPECT_TRUE(runs("a")) << at;
      EXPECT_FALSE(secret().is_null()) << at;
      deletePod("a");
    }
    settle(minutes(1));
    EXPECT_TRUE(homePod("a").is_null()) << at;
    EXPECT_TRUE(secret().is_null()) << at;
    EXPECT_THAT(remembered(), IsEmpty()) << at;
    cluster_.reset();
  }
  EXPECT_GT(at, 4) << "there were steps to crash at";
}

TEST_F(DependenciesTest, AnUpdateThatIsRefusedLeavesWhatIsThere) {
  addMap("cfg", {{"a", "1"}});
  start();
  addHomePod("a", "t1", usesMap());
  settle();
  const std::string uid = uidOf(map());
  target_.faults().refuse(
      {.code = 422, .reason = "Invalid", .message = "no", .retry = Retry::kNever}, 1,
      test::requestsOf("update", "configmaps"));
  home_.edit(kube::kConfigMaps, "work", "cfg", {{"data", {{"a", "2"}}}});
  settle();
  EXPECT_EQ(uidOf(map()), uid);
  EXPECT_EQ(map()["data"], R"({"a": "1"})"_json);
  settle(minutes(6));
  EXPECT_EQ(uidOf(map()), uid);
  EXPECT_EQ(map()["data"], R"({"a": "2"})"_json);
}

TEST_F(DependenciesTest, APodWaitsForACopyThatVanished) {
  addMap("cfg", {{"a", "1"}});
  start();
  addHomePod("a", "t1", usesMap());
  settle();
  target_.faults().refuse(test::internalError(), 4, test::requestsOf("create", "configmaps"));
  ASSERT_TRUE(target_.remove("admin", kube::kConfigMaps, "work", "cfg"));
  settle(std::chrono::milliseconds(50));
  addHomePod("b", "t1", usesMap());
  settle(std::chrono::milliseconds(50));
  ASSERT_TRUE(map().is_null());
  EXPECT_TRUE(delegate("b").is_null()) << "what it refers to comes first";
  settle(minutes(2));
  EXPECT_FALSE(map().is_null());
  EXPECT_TRUE(runs("b"));
}

TEST_F(DependenciesTest, NothingIsWrittenWhileTheTargetIsClaimedElsewhere) {
  addMap("cfg", {{"a", "1"}});
  start();
  addHomePod("a", "t1", usesMap());
  settle();
  cluster_.reset();
  installation_ = "installation-2";
  start();
  const auto before = mark(target_);
  home_.edit(kube::kConfigMaps, "work", "cfg", {{"data", {{"a", "2"}}}});
  settle(seconds(30));
  EXPECT_THAT(writes(target_, before, "configmaps"), IsEmpty());
}

TEST_F(DependenciesTest, LeavingTakesEverythingAlong) {
  addSecret("pw");
  start();
  addHomePod("a", "t1", usesSecret());
  settle();
  leave(false);
  ASSERT_TRUE(home_.remove("user", kube::kPods, "work", "a"));
  settle(seconds(20));
  EXPECT_EQ(left_, 1);
  EXPECT_TRUE(secret().is_null());
}

TEST_F(DependenciesTest, SecretDataIsInNoFileAndNoLogAndNoCache) {
  addSecret("pw");
  CapturedLog log;
  log_to_ = &log;
  start();
  addHomePod("a", "t1", usesSecret());
  settle();
  // Refusals whose messages are logged and recorded.
  target_.faults().refuse(test::internalError(), 2, test::requestsOf("update", "secrets"));
  home_.edit(kube::kSecrets, "work", "pw", {{"data", {{"more", "eA=="}}}});
  settle(seconds(10));
  ASSERT_EQ(json::str(secret(), {"data", "password"}), kCanary);
  cluster_.reset();
  EXPECT_THAT(log.text, HasSubstr("dependency not in step"));
  EXPECT_THAT(log.text, ::testing::Not(HasSubstr(kCanary)));
  EXPECT_THAT(filesWith(kCanary), IsEmpty());
  EXPECT_THAT(filesWith("secret-canary-bytes"), IsEmpty());
  for (const auto& pod : target_.all(kube::kPods)) {
    EXPECT_EQ(pod->json().dump().find(kCanary), std::string::npos) << "never inlined";
  }
  for (const auto* cluster : {&home_, &target_}) {
    for (const auto& request : cluster->requests) {
      EXPECT_FALSE(request.resource == "secrets" && request.verb == "list" &&
                   !request.metadata_only)
          << "a list of whole Secrets";
    }
  }
}

}  // namespace
}  // namespace vkb::bridge
