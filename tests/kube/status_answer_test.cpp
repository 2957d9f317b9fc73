#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "json/json.h"
#include "kube/rest_client.h"
#include "kube_fixture.h"

namespace vkb::kube {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Retry retryNamed(const std::string& name) {
  return name == "fast" ? Retry::kFast : name == "slow" ? Retry::kSlow : Retry::kNever;
}

TEST(StatusFromAnswer, EveryRecordedErrorGetsTheRetryOfTheDesign) {
  std::ifstream file(test::sourcePath("tests/kube/testdata/error-answers.jsonl"));
  int read = 0;
  for (std::string line; std::getline(file, line); ++read) {
    const Json recorded = Json::parse(line);
    const Json& body = recorded["body"];
    const std::string text = body.is_string() ? body.get<std::string>() : body.dump();
    std::optional<std::chrono::seconds> retry_after;
    if (const auto seconds = json::integer(recorded, {"retryAfter"})) {
      retry_after = std::chrono::seconds(*seconds);
    }
    const Status status = statusFromAnswer(recorded["code"], text, retry_after);
    SCOPED_TRACE(json::str(recorded, "server") + " " + json::str(recorded, "note") + ": " +
                 status.message);
    EXPECT_EQ(status.code, recorded["code"].get<int>());
    EXPECT_EQ(status.retry, retryNamed(recorded["retry"]));
    EXPECT_FALSE(status.reason.empty());
    EXPECT_FALSE(status.message.empty());
    if (body.is_object() && body.contains("message")) {
      EXPECT_EQ(status.message, json::str(body, "message"));
    }
    if (const std::string reason = json::str(body, "reason"); !reason.empty()) {
      EXPECT_EQ(status.reason, reason);
    }
    EXPECT_EQ(status.causes.size(), json::array(body, {"details", "causes"}).size());
    if (retry_after) {
      EXPECT_EQ(status.retryAfter, *retry_after);
    }
  }
  EXPECT_EQ(read, 225);
}

TEST(StatusFromAnswer, CausesKeepFieldReasonAndMessage) {
  const Status status = statusFromAnswer(422, R"({"kind":"Status","reason":"Invalid","message":"m",
    "details":{"causes":[{"reason":"FieldValueInvalid","field":"metadata.uid","message":"i"}]}})",
                                         std::nullopt);
  ASSERT_EQ(status.causes.size(), 1u);
  EXPECT_EQ(status.causes[0].field, "metadata.uid");
  EXPECT_EQ(status.causes[0].reason, "FieldValueInvalid");
  EXPECT_EQ(status.causes[0].message, "i");
}

TEST(StatusFromAnswer, RetryAfterIsTakenFromTheDetailsWhereTheHeaderIsMissing) {
  const Status status = statusFromAnswer(
      429, R"({"kind":"Status","message":"m","details":{"retryAfterSeconds":7}})", std::nullopt);
  EXPECT_EQ(status.retryAfter, std::chrono::seconds(7));
  EXPECT_EQ(status.retry, Retry::kFast);
}

TEST(StatusFromAnswer, WebhookDenialIsSlowWhateverItsCode) {
  for (const int code : {400, 403, 422, 500}) {
    const Json body = {{"kind", "Status"},
                       {"code", code},
                       {"message", "admission webhook \"a.b\" denied the request: no"}};
    EXPECT_EQ(statusFromAnswer(code, body.dump(), std::nullopt).retry, Retry::kSlow) << code;
  }
}

TEST(StatusFromAnswer, AdmissionPolicyDenialIsSlow) {
  const Json body = {{"kind", "Status"},
                     {"reason", "Invalid"},
                     {"message",
                      "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with "
                      "binding 'b' denied request: no"}};
  EXPECT_EQ(statusFromAnswer(422, body.dump(), std::nullopt).retry, Retry::kSlow);
}

TEST(StatusFromAnswer, WebhookThatCannotBeReachedIsFast) {
  const Json body = {{"kind", "Status"},
                     {"reason", "InternalError"},
                     {"message", "Internal error occurred: failed calling webhook \"a.b\": EOF"}};
  EXPECT_EQ(statusFromAnswer(500, body.dump(), std::nullopt).retry, Retry::kFast);
}

TEST(StatusFromAnswer, PagesOfProxiesAreNotShown) {
  const Status status = statusFromAnswer(502, "<html>secret</html>", std::nullopt);
  EXPECT_THAT(status.message, Not(HasSubstr("secret")));
  EXPECT_THAT(status.message, HasSubstr("502"));
  EXPECT_EQ(status.retry, Retry::kFast);
}

TEST(StatusFromAnswer, PlainTextIsShownShortAndPrintable) {
  const std::string body = "[+]ping ok\n[-]etcd failed\x01\n" + std::string(1000, 'x');
  const Status status = statusFromAnswer(500, body, std::nullopt);
  EXPECT_THAT(status.message, HasSubstr("[+]ping ok [-]etcd failed"));
  EXPECT_LT(status.message.size(), 320u);
}

TEST(StatusFromAnswer, ABodyOfWrongTypesIsNoCrash) {
  for (const char* body : {"", "null", "[]", "7", R"({"kind":"Status","details":[]})",
                           R"({"kind":"Status","details":{"causes":7},"message":{}})"}) {
    EXPECT_EQ(statusFromAnswer(500, body, std::nullopt).retry, Retry::kFast) << body;
  }
}

}  // namespace
}  // namespace vkb::kube
