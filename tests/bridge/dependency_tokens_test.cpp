#include <gmock/gmock.h>

#include "dependencies_fixture.h"
#include "json/time.h"
#include "support/api_errors.h"

namespace vkb::bridge {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TokensTest : public DependenciesTest {
 protected:
  TokensTest() {
    home_.answerers["serviceaccounts/token"] = [this](const std::string&, const Json& request) {
      requests_.push_back(request);
      const auto life = json::integer(request, {"spec", "expirationSeconds"}).value_or(0);
      return Result<Json>(Json{
          {"status",
           {{"token", "token-" + std::to_string(requests_.size())},
            {"expirationTimestamp", json::formatTime(runtime_.clock.wallNow() + seconds(life))}}}});
    };
    options_.pods.service_accounts = state::ServiceAccounts::kHome;
    options_.pods.home_api = "https://192.0.2.1:6443";
    addMap("kube-root-ca.crt", {{"ca.crt", "home"}});
  }
  static Json usesToken(int life = 1000) {
    return {{"spec",
             {{"serviceAccountName", "robot"},
              {"volumes",
               Json::array(
                   {{{"name", "kube-api-access-xyz"},
                     {"projected",
                      {{"sources",
                        Json::array({{{"serviceAccountToken",
                                       {{"path", "token"}, {"expirationSeconds", life}}}},
                                     {{"configMap", {{"name", "kube-root-ca.crt"}}}}})}}}}})}}}};
  }
  Json tokenSecretOf(const std::string& pod) const {
    const Json volume = volumeOf(pod);
    const Json& sources = json::array(volume, {"projected", "sources"});
    return sources.empty() ? Json() : secret(json::str(sources[0], {"secret", "name"}));
  }
  static std::string valueOf(const Json& secret) {
    const Json& data = json::object(secret, {"data"});
    return data.empty() ? "" : data.begin().value().get<std::string>();
  }

  std::vector<Json> requests_;
  state::ClusterOptions options_;
};

TEST_F(TokensTest, AreMintedForThePodAndMountedBeforeItStarts) {
  start(options_);
  const auto pod = addHomePod("a", "t1", usesToken());
  settle();
  ASSERT_TRUE(runs("a"));
  ASSERT_THAT(requests_, SizeIs(1));
  EXPECT_EQ(requests_[0]["spec"]["boundObjectRef"],
            (Json{{"apiVersion", "v1"}, {"kind", "Pod"}, {"name", "a"}, {"uid", pod->uid()}}));
  EXPECT_EQ(valueOf(tokenSecretOf("a")), "dG9rZW4tMQ==");
  EXPECT_EQ(json::str(tokenSecretOf("a"), "type"), "Opaque");
  const auto& asked = home_.requests;
  EXPECT_TRUE(std::any_of(asked.begin(), asked.end(), [](const test::Request& request) {
    return request.resource == "serviceaccounts" && request.name == "robot" &&
           request.subresource == "token";
  }));
  deletePod("a");
  EXPECT_THAT(target_.all(kube::kSecrets), IsEmpty());
}

TEST_F(TokensTest, AreRenewedAtFourFifthsOfTheirLife) {
  start(options_);
  addHomePod("a", "t1", usesToken(1000));
  settle();
  settle(seconds(790));
  EXPECT_THAT(requests_, SizeIs(1));
  settle(seconds(10));
  ASSERT_THAT(requests_, SizeIs(2));
  EXPECT_EQ(valueOf(tokenSecretOf("a")), "dG9rZW4tMg==");
  settle(seconds(820));
  EXPECT_THAT(requests_, SizeIs(3));
}

TEST_F(TokensTest, AreRenewedInTimeWhereHomesClockIsAhead) {
  const auto answer = home_.answerers["serviceaccounts/token"];
  home_.answerers["serviceaccounts/token"] = [&](const std::string& name, const Json& request) {
    auto answered = answer(name, request);
    (*answered)["status"]["expirationTimestamp"] =
        json::formatTime(runtime_.clock.wallNow() + minutes(60));
    return answered;
  };
  start(options_);
  addHomePod("a", "t1", usesToken(1000));
  settle(seconds(810));
  EXPECT_THAT(requests_, SizeIs(2));
  cluster_.reset();
}

TEST_F(TokensTest, OutliveARestartWithoutBeingAskedForAgain) {
  start(options_);
  addHomePod("a", "t1", usesToken(1000));
  settle();
  for (const bool lost : {false, true}) {
    cluster_.reset();
    if (lost) {
      ASSERT_TRUE(database_->forgetCluster("t1"));
    }
    start(options_);
    settle(seconds(60));
    EXPECT_THAT(requests_, SizeIs(1)) << lost;
  }
  settle(seconds(700));
  EXPECT_THAT(requests_, SizeIs(2)) << "also where only the Secret itself knew how to ask";
}

TEST_F(TokensTest, ThatHomeDoesNotGiveKeepThePodWaitingAndSaySo) {
  home_.answerers["serviceaccounts/token"] = [](const std::string&, const Json&) {
    return Result<Json>(failure(test::notFound(kube::kServiceAccounts, "robot")));
  };
  start(options_);
  addHomePod("a", "t1", usesToken());
  settle();
  EXPECT_TRUE(delegate("a").is_null());
  EXPECT_EQ(waits("a"), "DependencyMissing");
  EXPECT_THAT(records()[0].last_error, HasSubstr("service account work/robot"));
}

TEST_F(TokensTest, AreNotLostWhenHomeFailsToRenewThem) {
  start(options_);
  addHomePod("a", "t1", usesToken(1000));
  settle();
  const auto answer = home_.answerers["serviceaccounts/token"];
  home_.answerers["serviceaccounts/token"] = [](const std::string&, const Json&) {
    return Result<Json>(failure(test::internalError()));
  };
  settle(seconds(820));
  EXPECT_EQ(valueOf(tokenSecretOf("a")), "dG9rZW4tMQ==");
  EXPECT_TRUE(runs("a"));
  home_.answerers["serviceaccounts/token"] = answer;
  settle(seconds(61));
  EXPECT_EQ(valueOf(tokenSecretOf("a")), "dG9rZW4tMg==");
}

TEST_F(TokensTest, AreInNoFileAndNoLog) {
  CapturedLog log;
  log_to_ = &log;
  home_.answerers["serviceaccounts/token"] = [](const std::string&, const Json&) {
    return Result<Json>(Json{{"status", {{"token", "minted-canary"}}}});
  };
  target_.faults().refuse(test::internalError(), 2, test::requestsOf("create", "secrets"));
  start(options_);
  addHomePod("a", "t1", usesToken());
  settle(seconds(10));
  ASSERT_TRUE(runs("a"));
  const std::string encoded = valueOf(tokenSecretOf("a"));
  ASSERT_EQ(encoded, "bWludGVkLWNhbmFyeQ==");
  cluster_.reset();
  EXPECT_THAT(log.text, HasSubstr("dependency not in step"));
  for (const std::string& bytes : {encoded, std::string("minted-canary")}) {
    EXPECT_THAT(log.text, ::testing::Not(HasSubstr(bytes)));
    EXPECT_THAT(filesWith(bytes), IsEmpty());
  }
}

TEST_F(DependenciesTest, AnAccountThatTheTargetLacksIsNamed) {
  state::ClusterOptions options;
  options.pods.service_accounts = state::ServiceAccounts::kTarget;
  target_.admission = [](const std::string&, const kube::Resource& resource,
                         const Json&) -> std::optional<Status> {
    if (resource.plural != "pods") return std::nullopt;
    return Status{.code = 403,
                  .reason = "Forbidden",
                  .message =
                      "pods \"a\" is forbidden: error looking up service account work/robot: "
                      "serviceaccount \"robot\" not found",
                  .retry = Retry::kSlow};
  };
  start(options);
  addHomePod("a", "t1", {{"spec", {{"serviceAccountName", "robot"}}}});
  settle();
  EXPECT_EQ(waits("a"), "DependencyMissing");
  EXPECT_THAT(events("DependencyMissing"),
              ElementsAre(HasSubstr("service account work/robot: there is none in the target")));
  target_.admission = nullptr;
  settle(minutes(6));
  EXPECT_EQ(json::str(delegate("a"), {"spec", "serviceAccountName"}), "robot");
}

}  // namespace
}  // namespace vkb::bridge
