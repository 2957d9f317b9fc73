#include "load/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace vkb::load {
namespace {

using testing::HasSubstr;
using testing::Not;

Result<std::vector<Row>> read(const std::string& lines) {
  std::istringstream in(lines);
  return readRows(in);
}

TEST(Report, TakesTheMedianOfTheRoundsAndJudgesIt) {
  const auto rows = read(R"({"key":"ready_ratio:1000","value":1.4}
{"key":"ready_ratio:1000","value":1.1}
{"key":"ready_ratio:1000","value":1.2}
)");
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 1u);
  EXPECT_EQ(rows->front().figure, 1.2);
  EXPECT_FALSE(rows->front().missed());
}

TEST(Report, AFigureBeyondItsTargetIsMissedOnEitherSide) {
  const auto rows = read(R"({"key":"deleted_ratio:1000","value":1.36}
{"key":"rtt_share:100ms","value":0.79})");
  ASSERT_TRUE(rows);
  EXPECT_TRUE(rows->at(0).missed());
  EXPECT_TRUE(rows->at(1).missed());
  EXPECT_THAT(tableOf(*rows), HasSubstr("MISSED"));
}

TEST(Report, AFigureOnItsTargetReachesIt) {
  const auto rows = read(R"({"key":"deleted_ratio:1000","value":1.35}
{"key":"rtt_share:100ms","value":0.8})");
  ASSERT_TRUE(rows);
  EXPECT_FALSE(rows->at(0).missed());
  EXPECT_FALSE(rows->at(1).missed());
}

TEST(Report, FiguresWithoutATargetAreShownAndNeverMissed) {
  const auto rows = read(R"({"key":"bridge_ready:5000","value":1e9})");
  ASSERT_TRUE(rows);
  EXPECT_FALSE(rows->front().missed());
  EXPECT_THAT(tableOf(*rows), HasSubstr("5000 pods, through the bridge"));
  EXPECT_THAT(tableOf(*rows), Not(HasSubstr("reached")));
}

TEST(Report, RowsStandInTheTablesOrderNotInThatOfMeasuring) {
  const auto rows = read(R"({"key":"restart:10000","value":2}
{"key":"ready_ratio:5000","value":1}
{"key":"ready_ratio:1000","value":1})");
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->at(0).key, "ready_ratio:5000");
  EXPECT_EQ(rows->at(1).key, "ready_ratio:1000");
  EXPECT_EQ(rows->at(2).key, "restart:10000");
}

TEST(Report, WhatTheTableDoesNotKnowIsAnErrorThatNamesIt) {
  const auto unknown = read(R"({"key":"readiness:1000","value":1})");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("readiness:1000"));
  EXPECT_FALSE(read(R"({"key":"ready_ratio:1000","value":null})"));
  EXPECT_FALSE(read("rubbish"));
}

TEST(Report, ColumnsAlignWithCharactersThatAreNoSingleByte) {
  const auto rows = read(R"({"key":"create_p99:100","value":3}
{"key":"threads:10000","value":40})");
  ASSERT_TRUE(rows);
  std::istringstream table(tableOf(*rows));
  std::string first, second;
  std::getline(table, first);
  std::getline(table, second);
  // "→" takes two bytes more than columns.
  EXPECT_EQ(first.find("3.0") + 3, second.find("40") + 2 + 2);
}

TEST(Report, JsonHoldsEveryRound) {
  const auto rows = read(R"({"key":"restart:10","value":2}
{"key":"restart:10","value":4})");
  ASSERT_TRUE(rows);
  const Json json = jsonOf(*rows);
  EXPECT_EQ(json[0]["values"], Json::array({2.0, 4.0}));
  EXPECT_EQ(json[0]["figure"], 3.0);
  EXPECT_EQ(json[0]["target"], "≤ 5");
  EXPECT_EQ(json[0]["missed"], false);
}

}  // namespace
}  // namespace vkb::load
