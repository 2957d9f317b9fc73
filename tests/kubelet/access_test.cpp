// Who somebody is and what they may do: home's word, remembered for a kubelet's times.
#include "kubelet/access.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "json/json.h"
#include "support/fake_cluster.h"

namespace vkb::kubelet {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;

class AccessTest : public ::testing::Test {
 protected:
  AccessTest() {
    home_.answerers["tokenreviews"] = [this](const std::string&, const Json& review) {
      ++asked_;
      const bool known = json::str(review, {"spec", "token"}) == "good";
      Json status{{"authenticated", known}};
      if (known) {
        status["user"] = {{"username", "alice"},
                          {"uid", "u1"},
                          {"groups", {"dev"}},
                          {"extra", {{"scopes", {"a", "b"}}}}};
      }
      return Result<Json>(Json{{"status", status}});
    };
    home_.answerers["subjectaccessreviews"] = [this](const std::string&, const Json& review) {
      ++asked_;
      last_ = review["spec"];
      return Result<Json>(Json{{"status", {{"allowed", allowed_}}}});
    };
  }

  test::FakeRuntime runtime_;
  test::FakeCluster home_{runtime_};
  std::unique_ptr<kube::Client> client_ = home_.client("bridge");
  Access access_{runtime_.clock, *client_};
  int asked_ = 0;
  bool allowed_ = true;
  Json last_;
};

const Attributes kExec{"create", "proxy"};

TEST_F(AccessTest, ATokenIsWhoHomeSaysItIs) {
  const auto user = access_.authenticate("good");
  ASSERT_TRUE(user && *user);
  EXPECT_EQ((*user)->name, "alice");
  EXPECT_EQ((*user)->uid, "u1");
  EXPECT_THAT((*user)->groups, ElementsAre("dev", "system:authenticated"));
  EXPECT_EQ((*user)->extra_json, R"({"scopes":["a","b"]})");
}

TEST_F(AccessTest, ATokenHomeDoesNotKnowIsNobodys) {
  const auto user = access_.authenticate("bad");
  ASSERT_TRUE(user);
  EXPECT_FALSE(user->has_value());
}

TEST_F(AccessTest, TokensAreRememberedForTwoMinutes) {
  access_.authenticate("good");
  runtime_.advance(minutes(2) - seconds(1));
  access_.authenticate("good");
  EXPECT_EQ(asked_, 1);
  access_.authenticate("other");
  EXPECT_EQ(asked_, 2) << "another token is another question";
  runtime_.advance(seconds(2));
  access_.authenticate("good");
  EXPECT_EQ(asked_, 3);
}

TEST_F(AccessTest, AsksForThisNodeAndThisUserWithAllThatHomeKnowsOfThem) {
  const auto user = access_.authenticate("good");
  ASSERT_TRUE(*access_.allows(**user, kExec, "gpu-eu"));
  EXPECT_EQ(last_["user"], "alice");
  EXPECT_EQ(last_["uid"], "u1");
  EXPECT_EQ(last_["groups"], (Json{"dev", "system:authenticated"}));
  EXPECT_EQ(last_["extra"], (Json{{"scopes", {"a", "b"}}}));
  EXPECT_EQ(last_["resourceAttributes"], (Json{{"verb", "create"},
                                               {"version", "v1"},
                                               {"resource", "nodes"},
                                               {"subresource", "proxy"},
                                               {"name", "gpu-eu"}}));
}

TEST_F(AccessTest, AYesIsRememberedForFiveMinutesAndANoForThirtySeconds) {
  const User user{.name = "bob"};
  EXPECT_TRUE(*access_.allows(user, kExec, "n"));
  allowed_ = false;
  runtime_.advance(minutes(5) - seconds(1));
  EXPECT_TRUE(*access_.allows(user, kExec, "n"));
  runtime_.advance(seconds(2));
  EXPECT_FALSE(*access_.allows(user, kExec, "n"));
  allowed_ = true;
  runtime_.advance(seconds(29));
  EXPECT_FALSE(*access_.allows(user, kExec, "n"));
  runtime_.advance(seconds(2));
  EXPECT_TRUE(*access_.allows(user, kExec, "n"));
}

TEST_F(AccessTest, AYesForOneThingIsNoYesForAnother) {
  EXPECT_TRUE(*access_.allows({.name = "bob"}, kExec, "n"));
  allowed_ = false;
  EXPECT_FALSE(*access_.allows({.name = "bob"}, {"get", "proxy"}, "n"));
  EXPECT_FALSE(*access_.allows({.name = "bob"}, {"create", "stats"}, "n"));
  EXPECT_FALSE(*access_.allows({.name = "bob"}, kExec, "m"));
  EXPECT_FALSE(*access_.allows({.name = "eve"}, kExec, "n"));
  EXPECT_FALSE(*access_.allows({.name = "bob", .groups = {"x"}}, kExec, "n"));
}

TEST_F(AccessTest, WhatCannotBeAskedIsNoYesAndIsNotRemembered) {
  home_.setDown(true);
  EXPECT_FALSE(access_.authenticate("good"));
  EXPECT_FALSE(access_.allows({.name = "bob"}, kExec, "n"));
  home_.setDown(false);
  EXPECT_TRUE(*access_.allows({.name = "bob"}, kExec, "n"));
  EXPECT_TRUE(access_.authenticate("good")->has_value());
}

TEST_F(AccessTest, AFloodOfMadeUpTokensDoesNotReachHome) {
  for (int i = 0; i < 1000; ++i) access_.authenticate("made up " + std::to_string(i));
  EXPECT_EQ(asked_, 200);
  EXPECT_EQ(access_.authenticate("good").error().code, 429);
  runtime_.advance(seconds(1));
  EXPECT_TRUE(access_.authenticate("good")->has_value());
  for (int i = 0; i < 1000; ++i) access_.authenticate("more " + std::to_string(i));
  EXPECT_EQ(asked_, 250);
  EXPECT_TRUE(access_.authenticate("good")->has_value()) << "who is known is not asked about";
}

TEST(BearerTokenTest, IsOneWordAfterBearer) {
  EXPECT_EQ(bearerToken("Bearer abc"), "abc");
  EXPECT_EQ(bearerToken("bearer abc"), "abc");
  EXPECT_EQ(bearerToken("Basic abc"), "");
  EXPECT_EQ(bearerToken("Bearer "), "");
  EXPECT_EQ(bearerToken("Bearer a b"), "");
  EXPECT_EQ(bearerToken(""), "");
  EXPECT_EQ(bearerToken("Bearer " + std::string(100'000, 'x')), "");
}

TEST(UserOfCertificateTest, WithoutANameIsNobody) {
  EXPECT_FALSE(userOf({.common_name = "", .organizations = {"system:masters"}}));
  const auto user = userOf({.common_name = "kube-apiserver", .organizations = {"system:masters"}});
  ASSERT_TRUE(user);
  EXPECT_THAT(user->groups, ElementsAre("system:masters", "system:authenticated"));
}

}  // namespace
}  // namespace vkb::kubelet
