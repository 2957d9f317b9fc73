#include "json/time.h"

#include <gtest/gtest.h>

namespace vkb::json {
namespace {

WallTime at(std::int64_t micros) { return WallTime{std::chrono::microseconds{micros}}; }

TEST(Time, WholeSecondsInUtcAsMetav1TimeWantsThem) {
  EXPECT_EQ(formatTime(at(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(formatTime(at(1'795'336'164'999'999)), "2026-11-22T08:29:24Z");
  EXPECT_EQ(formatTime(at(-1)), "1969-12-31T23:59:59Z");
}

TEST(Time, MicroTimeAlwaysHasSixDecimals) {
  EXPECT_EQ(formatMicroTime(at(1'795'336'164'000'000)), "2026-11-22T08:29:24.000000Z");
  EXPECT_EQ(formatMicroTime(at(1'795'336'164'000'007)), "2026-11-22T08:29:24.000007Z");
  EXPECT_EQ(formatMicroTime(at(-1)), "1969-12-31T23:59:59.999999Z");
}

TEST(Time, ReadsEveryFormThatServersSend) {
  const WallTime second = at(1'795'336'164'000'000);
  EXPECT_EQ(parseTime("2026-11-22T08:29:24Z"), second);
  EXPECT_EQ(parseTime("2026-11-22T08:29:24.000000Z"), second);
  EXPECT_EQ(parseTime("2026-11-22T10:29:24+02:00"), second);
  EXPECT_EQ(parseTime("2026-11-22T02:59:24-05:30"), second);
  EXPECT_EQ(parseTime("2026-11-22T08:29:24.5Z"), second + std::chrono::milliseconds{500});
  EXPECT_EQ(parseTime("2026-11-22T08:29:24.123456789Z"),
            second + std::chrono::microseconds{123456});
  EXPECT_EQ(parseTime("2024-02-29T00:00:00Z"), at(1'709'164'800'000'000));
}

TEST(Time, FormattedTimesReadBack) {
  for (const std::int64_t micros : {0L, 951'782'400'000'000L, 1'795'336'164'123'456L}) {
    EXPECT_EQ(parseTime(formatMicroTime(at(micros))), at(micros));
  }
}

TEST(Time, WhatIsNoTimeGivesNothing) {
  for (const char* text :
       {"", "2026-11-22", "2026-11-22T08:29:24", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
        "2026-11-22T24:00:00Z", "2026-11-22T08:60:24Z", "2026-11-22 08:29:24Z",
        "2026-11-22T08:29:24.Z", "2026-11-22T08:29:24Zx", "2026-11-22T08:29:24+2:00",
        "2026-11-22T08:29:24+99:00", "yesterday", "+026-11-22T08:29:24Z"}) {
    EXPECT_FALSE(parseTime(text)) << text;
  }
}

}  // namespace
}  // namespace vkb::json
