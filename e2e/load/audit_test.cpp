#include "load/audit.h"

#include <gtest/gtest.h>

#include <sstream>

namespace vkb::load {
namespace {

using Counts = std::map<std::string, std::size_t>;

std::string event(const std::string& agent, const std::string& verb, const std::string& stage,
                  const std::string& at, const std::string& object) {
  return R"({"kind":"Event","stage":")" + stage + R"(","verb":")" + verb + R"(","userAgent":")" +
         agent + R"(","requestURI":"/readyz?verbose","requestReceivedTimestamp":")" + at +
         R"(","objectRef":)" + object + "}\n";
}

Counts count(const std::string& log, const std::string& from = "", const std::string& to = "") {
  std::istringstream in(log);
  return countRequests(in, "vk-bridge", from, to);
}

constexpr const char* kPods = R"({"resource":"pods"})";
constexpr const char* kStatus = R"({"resource":"pods","subresource":"status"})";

TEST(Audit, CountsOurRequestsByMethodAndSubject) {
  EXPECT_EQ(count(event("vk-bridge/0.1", "create", "ResponseComplete", "t1", kPods) +
                  event("vk-bridge/0.1", "patch", "ResponseComplete", "t1", kStatus) +
                  event("vk-bridge/0.1", "patch", "ResponseComplete", "t2", kStatus) +
                  event("vk-bridge/0.1", "get", "ResponseComplete", "t3", "null")),
            (Counts{{"POST pods", 1}, {"PATCH pods/status", 2}, {"GET /readyz", 1}}));
}

TEST(Audit, LeavesOthersRequestsOut) {
  EXPECT_EQ(count(event("kubectl/1.20", "create", "ResponseComplete", "t1", kPods) +
                  event("not-vk-bridge", "create", "ResponseComplete", "t1", kPods)),
            Counts{});
}

TEST(Audit, CountsEachRequestOnceAndWatchesWhenTheyBegin) {
  EXPECT_EQ(count(event("vk-bridge", "list", "RequestReceived", "t1", kPods) +
                  event("vk-bridge", "list", "ResponseComplete", "t1", kPods) +
                  event("vk-bridge", "watch", "ResponseStarted", "t1", kPods) +
                  event("vk-bridge", "watch", "ResponseComplete", "t1", kPods)),
            (Counts{{"GET pods (list)", 1}, {"GET pods (watch)", 1}}));
}

TEST(Audit, TakesNothingFromOutsideTheTime) {
  const std::string log =
      event("vk-bridge", "create", "ResponseComplete", "2026-01-01T10:00", kPods) +
      event("vk-bridge", "delete", "ResponseComplete", "2026-01-01T11:00", kPods) +
      event("vk-bridge", "patch", "ResponseComplete", "2026-01-01T12:00", kPods);
  EXPECT_EQ(count(log, "2026-01-01T10:30", "2026-01-01T11:30"), (Counts{{"DELETE pods", 1}}));
}

TEST(Audit, PassesOverLinesThatAreCutShort) {
  EXPECT_EQ(count(R"({"userAgent":"vk-bridge","verb":"cre)"), Counts{});
}

}  // namespace
}  // namespace vkb::load
