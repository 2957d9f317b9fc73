#include "base/log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/log_line.h"

namespace vkb::base {
namespace {

using Format = StderrLogger::Format;

constexpr WallTime kTime = WallTime(std::chrono::sys_days(std::chrono::year(2026) / 3 / 9)) +
                           std::chrono::microseconds(3'723'045'678);

std::string text(std::string_view message, std::initializer_list<LogField> fields = {}) {
  return formatLine(Format::kText, kTime, LogLevel::kInfo, message, fields);
}

TEST(LogLine, TextIsTimeLevelMessageAndFields) {
  EXPECT_EQ(text("pod synced", {{"pod", "default/web"}, {"took_ms", 12}, {"ready", true}}),
            "2026-03-09T01:02:03.045Z info pod synced pod=default/web took_ms=12 ready=1");
}

TEST(LogLine, EveryLevelHasItsName) {
  const auto level = [](LogLevel l) {
    return formatLine(Format::kText, kTime, l, "m", {}).substr(25);
  };
  EXPECT_EQ(level(LogLevel::kDebug), "debug m");
  EXPECT_EQ(level(LogLevel::kInfo), "info m");
  EXPECT_EQ(level(LogLevel::kWarn), "warn m");
  EXPECT_EQ(level(LogLevel::kError), "error m");
}

TEST(LogLine, TextQuotesWhatAReaderCouldMistake) {
  const std::string line = text(
      "m", {{"a", "two words"}, {"b", ""}, {"c", "x=y"}, {"d", "say \"no\""}, {"e", "C:\\ d"}});
  EXPECT_EQ(line.substr(32), R"(a="two words" b="" c="x=y" d="say \"no\"" e="C:\\ d")");
}

TEST(LogLine, NoTextCanForgeASecondLine) {
  const std::string line = text("bad\nmessage\r", {{"a", "x\ny\x7f\x1b[31m"}});
  EXPECT_EQ(line.find_first_of("\n\r\x7f\x1b"), std::string::npos) << line;
}

TEST(LogLine, JsonIsOneObjectWithTheSameContent) {
  const std::string line =
      formatLine(Format::kJson, kTime, LogLevel::kWarn, "node \"x\"\nnot written",
                 {{"node", "gpu-eu"}, {"tries", 3}});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto object = nlohmann::json::parse(line);
  EXPECT_EQ(object, (nlohmann::json{{"time", "2026-03-09T01:02:03.045Z"},
                                    {"level", "warn"},
                                    {"msg", "node \"x\"\nnot written"},
                                    {"node", "gpu-eu"},
                                    {"tries", "3"}}));
}

TEST(LogLine, JsonTakesBytesThatAreNotUtf8) {
  const std::string line =
      formatLine(Format::kJson, kTime, LogLevel::kInfo, "m", {{"body", "\xff\xfe"}});
  EXPECT_TRUE(nlohmann::json::accept(line)) << line;
}

TEST(StderrLogger, LevelsBelowItsOwnAreOffAndTheirArgumentsAreNotEvaluated) {
  StderrLogger logger(LogLevel::kWarn, Format::kText);
  EXPECT_FALSE(logger.enabled(LogLevel::kInfo));
  EXPECT_TRUE(logger.enabled(LogLevel::kWarn));
  EXPECT_TRUE(logger.enabled(LogLevel::kError));
  int evaluated = 0;
  VKB_LOG(logger, Info, "quiet", {"n", ++evaluated});
  EXPECT_EQ(evaluated, 0);
}

TEST(StderrLogger, WritesTheLineAndANewline) {
  testing::internal::CaptureStderr();
  StderrLogger logger(LogLevel::kInfo, Format::kText);
  VKB_LOG(logger, Info, "hello", {"to", "you"});
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_EQ(written.substr(24), " info hello to=you\n");
}

}  // namespace
}  // namespace vkb::base
