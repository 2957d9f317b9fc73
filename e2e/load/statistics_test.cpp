#include "load/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace vkb::load {
namespace {

TEST(Median, IsTheMiddleValueWhateverTheOrder) { EXPECT_EQ(median({9, 1, 5}), 5); }

TEST(Median, IsTheMeanOfTheTwoInTheMiddleOfAnEvenNumber) { EXPECT_EQ(median({1, 9, 3, 5}), 4); }

TEST(Median, OfNothingIsNoNumber) { EXPECT_TRUE(std::isnan(median({}))); }

TEST(Percentile, IsTheSmallestValueThatTheShareDoesNotExceed) {
  std::vector<double> values;
  for (int i = 100; i >= 1; --i) values.push_back(i);
  EXPECT_EQ(percentile(values, 0.5), 50);
  EXPECT_EQ(percentile(values, 0.99), 99);
  EXPECT_EQ(percentile(values, 1), 100);
  EXPECT_EQ(percentile(values, 0), 1);
}

TEST(Percentile, OfOneValueIsThatValue) { EXPECT_EQ(percentile({7}, 0.99), 7); }

constexpr const char* kBefore =
    "# HELP took_seconds How long\n"
    "# TYPE took_seconds histogram\n"
    "took_seconds_count{to=\"home\"} 10\n"
    "took_seconds_bucket{to=\"home\",le=\"0.01\"} 10\n"
    "took_seconds_bucket{to=\"home\",le=\"0.1\"} 10\n"
    "took_seconds_bucket{to=\"home\",le=\"+Inf\"} 10\n"
    "sent_total{to=\"home\",code=\"200\"} 4\n"
    "sent_total{to=\"home\",code=\"<er\\\"ror>\"} 1\n"
    "sent_total{to=\"target\",code=\"200\"} 100 1395066363000\n"
    "up 1\n";
constexpr const char* kAfter =
    "took_seconds_count{to=\"home\"} 110\n"
    "took_seconds_bucket{to=\"home\",le=\"0.01\"} 60\n"
    "took_seconds_bucket{to=\"home\",le=\"0.1\"} 100\n"
    "took_seconds_bucket{to=\"home\",le=\"+Inf\"} 110\n";

TEST(Metrics, LinesAreReadWithTheirLabels) {
  const auto samples = parseMetrics(kBefore);
  ASSERT_EQ(samples.size(), 8u);
  EXPECT_EQ(samples[5].labels.at("code"), "<er\"ror>");
  EXPECT_EQ(samples[6].value, 100);
  EXPECT_EQ(samples[7].name, "up");
  EXPECT_EQ(samples[7].value, 1);
}

TEST(Metrics, LinesThatAreNoSamplesArePassedOver) {
  EXPECT_TRUE(parseMetrics("nothing\n\n{} x\nbroken{a=\"b 1\n").empty());
}

TEST(Metrics, SumsTakeEverySeriesThatCarriesTheLabels) {
  const auto samples = parseMetrics(kBefore);
  EXPECT_EQ(sumOf(samples, "sent_total", {{"to", "home"}}), 5);
  EXPECT_EQ(sumOf(samples, "sent_total"), 105);
  EXPECT_EQ(sumOf(samples, "sent_total", {{"from", "home"}}), 0);
}

TEST(Metrics, QuantilesCountOnlyWhatCameBetweenTheScrapes) {
  const auto before = parseMetrics(kBefore), after = parseMetrics(kAfter);
  // 50 up to 10 ms, 40 up to 100 ms, 10 above.
  EXPECT_DOUBLE_EQ(quantileBetween(before, after, "took_seconds", {}, 0.5), 0.01);
  EXPECT_DOUBLE_EQ(quantileBetween(before, after, "took_seconds", {}, 0.7), 0.055);
  EXPECT_DOUBLE_EQ(quantileBetween(before, after, "took_seconds", {}, 0.99), 0.1);
  EXPECT_TRUE(std::isnan(quantileBetween(after, after, "took_seconds", {}, 0.99)));
  EXPECT_TRUE(std::isnan(quantileBetween(before, after, "took_seconds", {{"to", "x"}}, 0.5)));
}

}  // namespace
}  // namespace vkb::load
