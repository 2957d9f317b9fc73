// The REST client with what is built on it, on the fake API server over a socket and on a real one.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "base/executor.h"
#include "json/json.h"
#include "kube/access.h"
#include "kube/identity.h"
#include "kube/informer.h"
#include "kube/lease.h"
#include "kube/version.h"
#include "subjects.h"

namespace vkb::test {
namespace {

using namespace std::chrono_literals;
using kube::PatchType;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr kube::Resource kConfigMaps{"", "v1", "configmaps", true};
constexpr kube::Resource kServiceAccounts{"", "v1", "serviceaccounts", true};

using MakeSubject = std::unique_ptr<Subject> (*)();

class ClientSuite : public ::testing::TestWithParam<MakeSubject> {
 protected:
  void SetUp() override {
    subject_ = GetParam()();
    if (!subject_) GTEST_SKIP() << "set E2E_TARGET_KUBECONFIG to a cluster's admin kubeconfig";
    ns_ = subject_->newNamespace("client");
  }
  kube::Client& client() { return subject_->client(); }
  Result<json::ObjectPtr> put(const std::string& name, const Json& labels = Json::object()) {
    return client().create(kConfigMaps, ns_,
                           {{"metadata", {{"name", name}, {"labels", labels}}},
                            {"data", {{"text", "\u00e4 \"quoted\" \n line"}}}});
  }
  std::string version() {
    const auto list = client().list(kConfigMaps, {.ns = ns_, .limit = 1});
    return list ? list->resource_version : "";
  }
  std::unique_ptr<kube::WatchHandle> watch(WatchLog& log) {
    return client().watch(kConfigMaps, {.ns = ns_, .resource_version = version(), .timeout = 60s},
                          log);
  }

  std::unique_ptr<Subject> subject_;
  std::string ns_;
  std::vector<std::unique_ptr<Connection>> connections_;
};

TEST_P(ClientSuite, WhatIsWrittenIsRead) {
  const auto made = json::parsed(put("a"));
  ASSERT_TRUE(made) << made.error().message;
  const auto read = client().get(kConfigMaps, ns_, "a");
  ASSERT_TRUE(read && *read);
  EXPECT_EQ((**read)["data"], (*made)["data"]);
  EXPECT_EQ((**read)["metadata"]["uid"], (*made)["metadata"]["uid"]);
}

TEST_P(ClientSuite, APageAfterTheOtherGivesTheWholeList) {
  std::set<std::string> names;
  for (int i = 0; i < 25; ++i) {
    names.insert("m" + std::to_string(i));
    ASSERT_TRUE(put("m" + std::to_string(i), {{"set", "pages"}}));
  }
  const auto all =
      kube::listAll(client(), kConfigMaps, {.ns = ns_, .label_selector = "set=pages", .limit = 4});
  ASSERT_TRUE(all) << all.error().message;
  std::set<std::string> listed;
  for (const auto& item : all->items) listed.insert(item->name);
  EXPECT_EQ(listed, names);
}

TEST_P(ClientSuite, ManyThreadsShareOneClient) {
  std::vector<std::future<int>> workers;
  for (int worker = 0; worker < 8; ++worker) {
    workers.push_back(std::async(std::launch::async, [this, worker] {
      int done = 0;
      for (int i = 0; i < 10; ++i) {
        const std::string name = "w" + std::to_string(worker) + "-" + std::to_string(i);
        const bool written = put(name) && client().patch(kConfigMaps, ns_, name, PatchType::kMerge,
                                                         {{"data", {{"n", name}}}});
        const auto read = client().get(kConfigMaps, ns_, name);
        done += written && read && *read && json::str(**read, {"data", "n"}) == name;
      }
      return done;
    }));
  }
  for (auto& worker : workers) EXPECT_EQ(worker.get(), 10);
}

TEST_P(ClientSuite, AWatchMissesNothingAndKeepsTheOrder) {
  WatchLog log;
  const auto handle = watch(log);
  constexpr std::size_t kCount = 100;
  for (std::size_t i = 0; i < kCount; ++i) ASSERT_TRUE(put("o" + std::to_string(i)));
  const auto ours = [](const std::vector<json::RawEvent>& events) {
    std::vector<std::string> names;
    for (const auto& event : events) {
      if (event.object->name.starts_with("o")) names.push_back(event.object->name);
    }
    return names;
  };
  ASSERT_TRUE(log.waitUntil([&](const auto& events) { return ours(events).size() >= kCount; }));
  const auto names = ours(log.events());
  ASSERT_EQ(names.size(), kCount);
  for (std::size_t i = 0; i < kCount; ++i) EXPECT_EQ(names[i], "o" + std::to_string(i));
}

TEST_P(ClientSuite, AStoppedWatchSaysNothingMore) {
  WatchLog log;
  auto handle = watch(log);
  ASSERT_TRUE(put("before"));
  ASSERT_TRUE(log.waitUntil([](const auto& events) {
    return !events.empty() && events.back().object->name == "before";
  }));
  handle.reset();
  const std::size_t heard = log.events().size();
  ASSERT_TRUE(put("after"));
  WatchLog other;  // proves that the server has told of it
  const auto again = client().watch(kConfigMaps, {.ns = ns_, .timeout = 60s}, other);
  ASSERT_TRUE(other.waitUntil([](const auto& events) {
    return std::any_of(events.begin(), events.end(),
                       [](const auto& event) { return event.object->name == "after"; });
  }));
  EXPECT_EQ(log.events().size(), heard);
}

TEST_P(ClientSuite, AnInformerHoldsWhatTheServerHolds) {
  base::SystemClock clock;
  base::SystemRandom random;
  base::NullLogger logger;
  base::ThreadPoolExecutor executor(8);
  ASSERT_TRUE(put("old", {{"set", "informed"}}));
  std::mutex mutex;
  std::condition_variable changed;
  kube::Informer informer({clock, executor, random}, client(), logger,
                          {.resource = kConfigMaps,
                           .list = {.ns = ns_, .label_selector = "set=informed"},
                           .name = "config maps"});
  informer.addHandler([&](const auto&, const auto&) {
    const std::lock_guard lock(mutex);
    changed.notify_all();
  });
  informer.start();
  const auto holds = [&](const std::set<std::string>& wanted) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, 30s, [&] {
      std::set<std::string> names;
      for (const auto& object : informer.list()) names.insert(object->name);
      return names == wanted;
    });
  };
  EXPECT_TRUE(holds({"old"}));
  ASSERT_TRUE(put("new", {{"set", "informed"}}));
  EXPECT_TRUE(holds({"new", "old"}));
  ASSERT_TRUE(client().patch(kConfigMaps, ns_, "old", PatchType::kMerge,
                             {{"metadata", {{"labels", {{"set", nullptr}}}}}}));
  EXPECT_TRUE(holds({"new"}));
  ASSERT_TRUE(client().remove(kConfigMaps, ns_, "new", {}));
  EXPECT_TRUE(holds({}));
  informer.stop();
  executor.stop();
}

TEST_P(ClientSuite, OnlyTheExpectedClusterIsWrittenTo) {
  const auto id = kube::readClusterId(client());
  ASSERT_TRUE(id) << id.error().message;
  const auto guardFor = [&](const std::string& expected) {
    auto proof = std::make_shared<kube::IdentityProof>();
    connections_.push_back(std::make_unique<Connection>(subject_->access(), proof));
    return std::make_unique<kube::IdentityGuard>(connections_.back()->take(), expected, proof);
  };
  const Json object{{"metadata", {{"name", "guarded"}}}};
  const auto refused = guardFor("another")->create(kConfigMaps, ns_, object, "", "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().reason, reasons::kIdentityChanged);
  EXPECT_FALSE(client().get(kConfigMaps, ns_, "guarded")->has_value());
  EXPECT_TRUE(guardFor(*id)->create(kConfigMaps, ns_, object, "", ""));
}

TEST_P(ClientSuite, OfTwoThatWantALeaseOneHoldsIt) {
  base::SystemClock clock;
  const auto claim = [&](const std::string& holder) {
    return kube::LeaseClaim(clock, client(),
                            {.ns = ns_, .name = "claim", .holder = holder, .duration = 60s});
  };
  auto first = claim("first"), second = claim("second");
  ASSERT_TRUE(first.tryHold(false)) << first.tryHold(false).error().message;
  EXPECT_TRUE(first.tryHold(false)->held);
  const auto other = second.tryHold(false);
  ASSERT_TRUE(other);
  EXPECT_FALSE(other->held);
  EXPECT_EQ(other->holder, "first");
  EXPECT_TRUE(second.tryHold(true)->held);
}

TEST_P(ClientSuite, ARejectedTokenThatWasReplacedOnDiskIsTriedAnew) {
  const auto granted = client().create(kServiceAccounts, ns_,
                                       {{"apiVersion", "authentication.k8s.io/v1"},
                                        {"kind", "TokenRequest"},
                                        {"spec", {{"expirationSeconds", 600}}}},
                                       "default", "token");
  ASSERT_TRUE(granted) << granted.error().message;
  const auto file = std::filesystem::temp_directory_path() /
                    ("vkb-token-" + std::to_string(std::random_device()()));
  std::ofstream(file) << "no-such-token";
  kube::ClusterAccess access = subject_->access();
  access.token.clear();
  access.client_cert_pem.clear();
  access.client_key_pem.clear();
  access.token_file = file.string();
  Connection connection(access);
  const auto refused = connection.client().getRaw("/version");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 401);
  EXPECT_EQ(refused.error().retry, Retry::kSlow);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("no-such-token")));
  std::ofstream(file.string() + ".next") << json::str((*granted)->parse(), {"status", "token"});
  std::filesystem::rename(file.string() + ".next", file);
  const auto accepted = connection.client().getRaw("/version");
  EXPECT_TRUE(accepted) << accepted.error().message;
  std::filesystem::remove(file);
}

TEST_P(ClientSuite, TheAdministratorMayDoWhatIsAskedFor) {
  const auto missing = kube::missingPermissions(
      client(), {kube::permission("create", kube::kPods), kube::permission("list", kube::kNodes)});
  ASSERT_TRUE(missing) << missing.error().message;
  EXPECT_THAT(*missing, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(FakeServer, ClientSuite, ::testing::Values(&overSocket));
INSTANTIATE_TEST_SUITE_P(RealServer, ClientSuite, ::testing::Values(&realServer));

}  // namespace
}  // namespace vkb::test
